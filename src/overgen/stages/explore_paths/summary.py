"""What `explore_paths` makes of what is said along its paths: its tables, the rows of its cell, images to show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from overgen.measures.intervals import Interval, interval_over_groups, wilson
from overgen.run import results
from overgen.stages.explore_paths.pairs import KINDS, Pairs

Arrays = dict[str, np.ndarray]  # what `run.Work.of_way` gives
MEASURES = ("distance", "error", "scaled", "score")
QUANTILES = (0.1, 0.5, 0.9)  # of the bands
PICTURES = 7  # images of a path that is shown


def pairs_table(made: Mapping[str, Arrays], pairs: Pairs, tau: float) -> pd.DataFrame:
    """A row a pair and way; paths that there are not are left out.

    middle_, end_distance and _error: half-way, and the mean of both ends of the path; sure, scaled_sure: whether y and
    ỹ are above τ half-way; of_ends: whether the classifier's answer there is the class of an end.
    """
    tables = []
    for way, arrays in made.items():
        middle = arrays["distance"].shape[1] // 2
        answer = arrays["answer"][:, middle]
        columns = {"way": way, "kind": pairs.kind, "first": pairs.of[:, 0], "second": pairs.of[:, 1]}
        for name in ("distance", "error"):
            values = arrays[name].astype(np.float64)
            columns |= {f"middle_{name}": values[:, middle], f"end_{name}": (values[:, 0] + values[:, -1]) / 2}
        columns |= {
            "sure": arrays["score"][:, middle] > tau,
            "scaled_sure": arrays["scaled"][:, middle] > tau,
            "of_ends": (answer[:, None] == pairs.of).any(1),
        }
        tables.append(pd.DataFrame(columns)[~np.isnan(answer)])
    return pd.concat(tables)


def curves(made: Mapping[str, Arrays], pairs: Pairs) -> pd.DataFrame:
    """Quantiles over pairs along the way: way, kind, measure, position in [0, 1], q10, q50, q90."""
    lines = []
    for way, arrays in made.items():
        for kind in KINDS:
            own = pairs.kind == kind
            for measure in MEASURES:
                values = arrays[measure][own]
                values = values[~np.isnan(values[:, 0])]
                if not len(values):
                    continue
                found = np.quantile(values.astype(np.float64), QUANTILES, axis=0)
                position = np.linspace(0, 1, values.shape[1])
                lines.append(
                    pd.DataFrame({"way": way, "kind": kind, "measure": measure, "position": position.round(4)}
                                 | {f"q{100 * q:.0f}": row.round(4) for q, row in zip(QUANTILES, found, strict=True)})
                )  # fmt: skip
    return pd.concat(lines, ignore_index=True)


def rows(pairs: pd.DataFrame, tau: float) -> list[dict[str, Any]]:
    """The rows of the cell. pairs: `pairs_table`."""
    numbers: list[dict[str, Any]] = []
    for kind in KINDS:
        straight = pairs[(pairs["way"] == "pixels") & (pairs["kind"] == kind)]
        for way in dict.fromkeys(pairs["way"]):
            own = pairs[(pairs["way"] == way) & (pairs["kind"] == kind)]
            if own.empty:
                continue
            of = {"way": str(way), "pairs": kind}
            missing = len(straight) - len(own)
            note = f"pairs without a path: {missing}" if missing else ""
            for name in ("distance", "error"):
                rise = own[f"middle_{name}"] - own[f"end_{name}"]
                numbers.append(mean(f"{name}_rise", rise, own, of, note=note))
                numbers.append(mean(f"middle_{name}", own[f"middle_{name}"], own, of, note=note))
                numbers.append(mean(f"end_{name}", own[f"end_{name}"], own, of, note=note))
                if way != "pixels":
                    base = straight.loc[own.index]  # the same pairs
                    less = rise - (base[f"middle_{name}"] - base[f"end_{name}"])
                    numbers.append(mean(f"{name}_rise_beyond_pixels", less, own, of, note=note))
            for metric, column in (("middle_sure", "sure"), ("middle_scaled_sure", "scaled_sure")):
                share = 100.0 * own[column]
                numbers.append(mean(metric, share, own, of, note=note, unit="percent", tau=tau))
            numbers.append(mean("middle_of_ends", 100.0 * own["of_ends"], own, of, note=note, unit="percent"))
    return numbers


def mean(
    metric: str,
    values: pd.Series,
    own: pd.DataFrame,
    of: Mapping[str, str],
    *,
    note: str,
    unit: str = "distance",
    tau: float | None = None,
) -> dict[str, Any]:
    """A mean over pairs, with an interval over what they share: their class, or each of their two classes.

    unit: "distance" is ‖·‖₂ of pixels in [0, 1].
    """
    each, classes = values.to_numpy(dtype=np.float64), own[["first", "second"]].to_numpy()
    within, least = of["pairs"] == "within", ""
    interval = interval_over_groups(each, classes[:, 0]) if within else interval_over_shared(each, classes)
    if unit == "percent":  # where all are alike, groups say nothing of the next one
        low, high = wilson(round(each.sum() / 100), len(each))
        ends = [100 * low, 100 * high, *(interval or ())]
        interval, least = (max(min(ends), 0.0), min(max(ends), 100.0)), ", no narrower than Wilson over all"
    kind = f"95 % t interval of the mean over {'' if within else 'pairs of '}{len(np.unique(classes))} classes{least}"
    return results.row(
        "paths", results.metric(metric, **of), float(each.mean()), unit=unit, n=len(each), tau=tau, note=note,
        interval=interval, kind=kind,
    )  # fmt: skip


def interval_over_shared(values: np.ndarray, classes: np.ndarray) -> Interval | None:
    """95 % t interval of a mean over pairs of classes, where pairs with a class in common are alike.

    values: (P,); classes: (P, 2), the two of each. The variance of the mean over pairs is four times that of the mean
    over classes, with each class's mean over its pairs (Hoeffding 1948). None for fewer than three classes.
    """
    means = np.array([values[(classes == c).any(1)].mean() for c in np.unique(classes)])
    count, mean = len(means), float(values.mean())
    if count < 3:
        return None
    half = 2 * float(means.std(ddof=1)) / math.sqrt(count) * float(special.stdtrit(count - 1, 0.975))
    return mean - half, mean + half


def shown(made: Mapping[str, Arrays], pairs: Pairs, count: int) -> Arrays:
    """Images along the paths of the first `count` pairs of each kind that have all paths.

    image: (S, W, 7, ...) uint8 by pair and way; score, answer, scaled: (S, W, 7); way: (W,); kind: (S,).
    """
    all_there = ~np.any([np.isnan(arrays["answer"][:, 0]) for arrays in made.values()], axis=0)
    places = np.concatenate([np.flatnonzero(all_there & (pairs.kind == kind))[:count] for kind in KINDS])
    length = next(iter(made.values()))["answer"].shape[1]
    at = np.linspace(0, length - 1, min(PICTURES, length)).round().astype(int)
    kept = {
        name: np.stack([arrays[name][places][:, at] for arrays in made.values()], 1)
        for name in ("image", "score", "answer", "scaled")
    }
    return kept | {"way": np.array(list(made)), "kind": pairs.kind[places], "position": at / (length - 1)}
