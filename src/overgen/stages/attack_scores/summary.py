"""What `attack_scores` makes of its trials: tables, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen.measures.intervals import mean_interval
from overgen.run import results

EXPERIMENT = "attacked_scores"
DIRECTIONS = ("accept", "reject")
NORMS = ("linf", "l2")
NEVER = -1

TRIAL_COLUMNS = {
    "method": str, "trial": int, "start": str, "target": int, "number": int, "attack": str, "step": int, "flat": bool,
    "began_accepted": bool, "own": bool, "by": str, "fooled": bool,
}  # fmt: skip
RADIUS_COLUMNS = {"method": str, "direction": str, "image": int, "linf": float, "l2": float}

Arrays = Mapping[str, np.ndarray]
Trial = tuple[str, int, int]  # start, target, number


def trial_table(
    trials: Sequence[Trial], attempts: Sequence[str], found: Mapping[str, Arrays], judged: Mapping[str, Arrays]
) -> pd.DataFrame:
    """A row a method and trial in the cube.

    Columns: method; trial, its number; start, target, number; attack, the name of the attack that fooled it, "" for
    none; step, its updates; flat, whether the gradient was 0 throughout; began_accepted, whether the start fooled; own,
    whether an attack on this method fooled it; by, the method against which the image that fooled was made, "" where
    none did; fooled.
    found: of `attack.attacked` by method; judged: of `attack.transferred`. A method that was refused has no row.
    """
    tables = []
    for method, arrays in found.items():
        if "refused" in arrays:
            continue
        own, attempt = arrays["fooled"], arrays["attempt"]
        by = np.where(own, method, "").astype(object)
        for other, accepted in judged[method].items():
            by[(by == "") & accepted] = other
        table = pd.DataFrame(trials, columns=["start", "target", "number"])
        table.insert(0, "trial", np.arange(len(table)))
        table.insert(0, "method", method)
        names = np.array([*attempts, ""], object)  # the last one: of NEVER
        tables.append(
            table.assign(
                attack=np.where(own, names[attempt], ""),
                step=np.where(own, arrays["step"], NEVER),
                flat=arrays["flat"],
                began_accepted=arrays["start"],
                own=own,
                by=by,
                fooled=by != "",
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else empty(TRIAL_COLUMNS)


def radius_table(found: Mapping[str, Arrays], radii: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """A row a method, direction and image: the smallest radius of each norm that did it, 0 where the image was there
    already, empty where none did.

    radii: by norm, rising.
    """
    tables = []
    for method, arrays in found.items():
        for direction in DIRECTIONS if "refused" not in arrays else ():
            table = pd.DataFrame({"image": arrays[f"{direction}.image"]})
            for norm in NORMS:
                sizes = np.array([0.0, *radii[norm], np.nan])  # the last one: of NEVER
                table[norm] = sizes[arrays[f"{direction}.{norm}"]]
            table.insert(0, "direction", direction)
            table.insert(0, "method", method)
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else empty(RADIUS_COLUMNS)


def empty(columns: Mapping[str, type]) -> pd.DataFrame:
    """A table of no row, with the columns and their types."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def rows(
    table: pd.DataFrame,
    of_radii: pd.DataFrame,
    found: Mapping[str, Arrays],
    radii: Mapping[str, Sequence[float]],
) -> list[dict[str, Any]]:
    """The rows of the cell. table: of `trial_table`, with the judge's columns; of_radii: of `radius_table`."""
    made: list[dict[str, Any]] = []
    for method, arrays in found.items():
        if "refused" in arrays:
            note = f"not testable: {arrays['refused']}"
            made.append(results.row(EXPERIMENT, f"fooled@method={method}", None, unit="percent", n=0, note=note))
            continue
        kept, trials = arrays["kept"], table[table["method"] == method]
        note = f"black box alone: {arrays['black_box']}" if str(arrays["black_box"]) else ""
        if int(trials["flat"].sum()):
            note += f"{'; ' if note else ''}the gradient was 0 throughout in {int(trials['flat'].sum())} trials"
        made.append(
            results.rate_row(EXPERIMENT, f"kept@method={method}", [int(kept.sum())], len(kept), of="test images")
        )
        for start in (None, *dict.fromkeys(trials["start"])):
            some = trials if start is None else trials[trials["start"] == start]
            for name, hits in (
                ("fooled", some["fooled"]), ("fooled_directly", some["own"]),
                ("fooled_not_of_class", some["fooled"] & some["not_of_class"]),
            ):  # fmt: skip
                key = results.metric(name, method=method, start=start)
                made.append(rate(key, hits, some["target"]) | {"note": note})
        successes = trials[trials["fooled"]]
        key = f"not_of_class@method={method}"
        if len(successes):
            made.append(rate(key, successes["not_of_class"], successes["target"]))
        else:
            made.append(results.row(EXPERIMENT, key, None, unit="percent", n=0, note="not testable: none fooled"))
        made += ball_rows(method, of_radii[of_radii["method"] == method], radii)
    return made


def rate(metric: str, hits: pd.Series, classes: pd.Series) -> dict[str, Any]:
    """A share of trials in percent. Trials of one class are alike, so that the interval is over classes where these
    differ; else, and never narrower than that, Wilson's over the trials.

    hits: (n,) bool; classes: (n,).
    """
    alone = results.rate_row(EXPERIMENT, metric, [int(hits.sum())], len(hits), of="trials")
    groups = hits.groupby(classes).mean()
    interval = mean_interval(100 * groups.to_numpy(float), bounds=(0, 100)) if len(groups) > 1 else None
    if interval is None or interval[1] - interval[0] <= alone["high"] - alone["low"]:
        return alone
    low, high = min(interval[0], alone["reproduced"]), max(interval[1], alone["reproduced"])
    kind = f"95 % t interval over {len(groups)} classes, of {len(hits)} trials; seed spread not measured"
    return alone | {"low": low, "high": high, "interval": kind}


def ball_rows(method: str, table: pd.DataFrame, radii: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """The share of images that is accepted, or rejected, within each radius; and its mean over the radii, `area`."""
    made = []
    for direction in DIRECTIONS:
        some = table[table["direction"] == direction]
        for norm in NORMS:
            keys: dict[str, Any] = {"method": method, "direction": direction, "norm": norm}
            if not len(some):
                note = "not testable: no known image is accepted and labelled right"
                made.append(
                    results.row(EXPERIMENT, results.metric("area", **keys), None, unit="fraction", n=0, note=note)
                )
                continue
            within = np.array([some[norm] <= radius for radius in (0.0, *radii[norm])])  # (1 + R, I)
            for radius, hits in zip((0.0, *radii[norm]), within, strict=True):
                key = results.metric("moved", **keys, radius=radius)
                made.append(results.rate_row(EXPERIMENT, key, [int(hits.sum())], len(hits), of="images"))
            areas = within[1:].mean(0)
            made.append(
                results.row(
                    EXPERIMENT,
                    results.metric("area", **keys),
                    float(areas.mean()),
                    unit="fraction",
                    n=len(areas),
                    interval=mean_interval(areas, bounds=(0, 1)) if np.ptp(areas) else None,
                    kind=f"95 % t interval of the mean over {len(areas)} images",
                )
            )
    return made


def some_of_each(hits: pd.DataFrame, count: int, draws: torch.Generator) -> np.ndarray:
    """Rows of `hits`, numbered from 0: of each method at most so many at random, first one of each target class."""
    chosen: list[int] = []
    for _, some in hits.groupby("method", sort=False):
        order = some.index.to_numpy()[torch.randperm(len(some), generator=draws).numpy()]
        targets = hits.loc[order, "target"]
        rank = targets.groupby(targets).cumcount().to_numpy()
        chosen += order[np.argsort(rank, kind="stable")][:count].tolist()
    return np.array(chosen, int)
