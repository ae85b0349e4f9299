"""What `defend_scores` makes of its trials: tables, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import mean_interval
from overgen.run import results
from overgen.stages.attack_scores.summary import rate
from overgen.stages.defend_scores.params import NONE, Name

EXPERIMENT = "defended_scores"
BALLS = (("accept", "linf"), ("accept", "l2"), ("reject", "l2"))  # directions, each with its norms
NORMS = ("linf", "l2")
SCORE = Name._fields
NEVER = -1
UNTRIED, STAYED, MOVED, CONFIRMED = range(-1, 3)  # what came of an attack within a certificate
CAME = {UNTRIED: "", STAYED: "stayed", MOVED: "moved", CONFIRMED: "confirmed"}
SHOWN = 6  # images of each score that the cell keeps
POINTS = "percentage points"

Arrays = Mapping[str, np.ndarray]
Found = Mapping[Name, Arrays]
Trial = tuple[str, int, int]  # start, target, number


def trial_table(trials: Sequence[Trial], attempts: Sequence[str], found: Found) -> pd.DataFrame:
    """A row a score and trial in the cube.

    Columns: model, method, defence; trial, its number; start, target, number; attack, the name of the one that did it,
    "" for none; step, its updates; flat, whether the gradient was 0 throughout; began_accepted, whether the start was
    accepted as the target; fooled.
    """
    tables = []
    for name, arrays in found.items():
        table = pd.DataFrame(trials, columns=["start", "target", "number"])
        table.insert(0, "trial", np.arange(len(table)))
        for key, value in reversed(name._asdict().items()):
            table.insert(0, key, value)
        fooled, of_attack = arrays["fooled"], np.array([*attempts, ""], object)  # the last one: of NEVER
        tables.append(
            table.assign(
                attack=np.where(fooled, of_attack[arrays["attempt"]], ""),
                step=np.where(fooled, arrays["step"], NEVER),
                flat=arrays["flat"],
                began_accepted=arrays["start"],
                fooled=fooled,
            )
        )
    return pd.concat(tables, ignore_index=True)


def radius_table(found: Found, radii: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """A row a score, direction, norm and image: the smallest radius that moved it past the threshold.

    radius: 0 where the image was there already, empty where none did. Of smoothed scores, in L2, certified: the radius
    within which the image is sure to stay, empty without a promise; within: what came of an attack within it, of
    `CAME`. radii: by norm, rising.
    """
    tables = []
    for name, arrays in found.items():
        for direction, norm in BALLS:
            sizes = np.array([0.0, *radii[norm], np.nan])  # the last one: of NEVER
            at = arrays[f"{direction}.{norm}"]
            of = name._asdict() | {"direction": direction, "norm": norm}
            table = pd.DataFrame(of | {"image": np.arange(len(at)), "radius": sizes[at]})
            if norm == "l2" and f"{direction}.certified" in arrays:
                radius = arrays[f"{direction}.certified"]
                table["certified"] = np.where(radius > 0, radius, np.nan)
                table["within"] = [CAME[came] for came in arrays[f"{direction}.within"].tolist()]
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def rows(
    table: pd.DataFrame, found: Found, radii: Mapping[str, Sequence[float]], certified: Sequence[float]
) -> list[dict[str, Any]]:
    """The rows of the cell. table: of `trial_table`, with the column not_of_class; certified: L2 radii."""
    made: list[dict[str, Any]] = []
    for name, arrays in found.items():
        model, keys = name.model, {"method": name.method, "defence": name.defence}
        for metric, hits, of in (
            ("kept", arrays["kept"], "test images"),
            ("accuracy", arrays["right"], "test images"),
            ("accepted", arrays["unknown"], "images of no class"),
        ):
            key = results.metric(metric, **keys)
            made.append(results.rate_row(EXPERIMENT, key, [int(hits.sum())], len(hits), of=of, model=model))
        key = results.metric("passes", **keys)
        made.append(results.row(EXPERIMENT, key, float(arrays["passes"]), unit="passes", n=1, model=model))
        made += cube_rows(name, table[(table[list(SCORE)] == list(name)).all(axis=1)])
        plain = found[name._replace(defence=NONE)]
        for direction, norm in BALLS:
            made += ball_rows(name, direction, norm, arrays, plain, radii[norm])
        if f"{BALLS[0][0]}.certified" in arrays:
            made += certificate_rows(name, arrays, certified)
    return made + agreement_rows(found)


def cube_rows(name: Name, trials: pd.DataFrame) -> list[dict[str, Any]]:
    """How often a score is fooled in the cube, from each start and in all, and by an image that is not of the class."""
    note, made = "", []
    if flat := int(trials["flat"].sum()):
        note = f"the gradient was 0 throughout in {flat} trials"
    for start in (None, *dict.fromkeys(trials["start"])):
        some = trials if start is None else trials[trials["start"] == start]
        strange = some["fooled"] & some["not_of_class"]
        for metric, hits in (("fooled", some["fooled"]), ("fooled_not_of_class", strange)):
            key = results.metric(metric, method=name.method, defence=name.defence, start=start)
            of = {"experiment": EXPERIMENT, "model": name.model, "note": note}
            made.append(rate(key, hits, some["target"]) | of)
    return made


def ball_rows(
    name: Name, direction: str, norm: str, arrays: Arrays, plain: Arrays, radii: Sequence[float]
) -> list[dict[str, Any]]:
    """The share of images past the threshold within each radius; its mean over the radii, `area`; and of a defence how
    much that area differs from the undefended score's, image by image, `area_change`. plain: the undefended one's."""
    keys = {"method": name.method, "defence": name.defence, "direction": direction, "norm": norm}
    at, model = arrays[f"{direction}.{norm}"], name.model
    made = []
    for i, radius in enumerate((0.0, *radii)):
        key, hits = results.metric("moved", **keys, radius=radius), reached(at, i)
        made.append(results.rate_row(EXPERIMENT, key, [int(hits.sum())], len(hits), of="images", model=model))
    areas = areas_of(at, len(radii))
    made.append(mean_row(results.metric("area", **keys), areas, model, unit="fraction", bounds=(0, 1)))
    if name.defence != NONE:
        change = 100 * (areas - areas_of(plain[f"{direction}.{norm}"], len(radii)))
        made.append(mean_row(results.metric("area_change", **keys), change, model, unit=POINTS, bounds=(-100, 100)))
    return made


def reached(at: np.ndarray, number: int) -> np.ndarray:
    """Which images were moved within the radius of that number. at: (I,), as of `attack.attacked`."""
    return (at != NEVER) & (at <= number)


def areas_of(at: np.ndarray, radii: int) -> np.ndarray:
    """Of each image the share of the radii, 0 not among them, within which it was moved: (I,)."""
    return np.mean([reached(at, i) for i in range(1, 1 + radii)], axis=0)


def mean_row(metric: str, values: np.ndarray, model: str, *, unit: str, bounds: tuple[float, float]) -> dict[str, Any]:
    """A mean over images, which are what varies."""
    kind = f"95 % t interval of the mean over {len(values)} images"
    interval = mean_interval(values, bounds=bounds) if np.ptp(values) else None
    note = "" if interval else "the same for all images"
    return results.row(
        EXPERIMENT, metric, float(values.mean()), unit=unit, n=len(values), interval=interval, kind=kind, note=note,
        model=model,
    )  # fmt: skip


def certificate_rows(name: Name, arrays: Arrays, radii: Sequence[float]) -> list[dict[str, Any]]:
    """The share of images that is certified within each L2 radius, to be where they shall be and to stay there; the
    radius 0: certified to be there."""
    made = []
    for direction in dict(BALLS):
        of = arrays[f"{direction}.certified"]
        for radius in (0.0, *radii):
            keys = {"method": name.method, "defence": name.defence, "direction": direction}
            key = results.metric("certified", **keys, radius=radius)
            count = int((of > radius).sum())
            made.append(results.rate_row(EXPERIMENT, key, [count], len(of), of="images", model=name.model))
    return made


def agreement_rows(found: Found) -> list[dict[str, Any]]:
    """Of all images that were attacked within their certificates, by all smoothed scores and in both directions, the
    share that was moved past the threshold, and that of which fresh draws confirm it."""
    came = np.concatenate(
        [np.zeros(0, int), *(of for arrays in found.values() for key, of in arrays.items() if key.endswith(".within"))]
    )
    tried = came[came != UNTRIED]
    made = []
    for metric, hits in (("moved_within", tried >= MOVED), ("confirmed_within", tried >= CONFIRMED)):
        if len(tried):
            made.append(results.rate_row(EXPERIMENT, metric, [int(hits.sum())], len(hits), of="certified images"))
        else:
            note = "not testable: no image is certified"
            made.append(results.row(EXPERIMENT, metric, None, unit="percent", n=0, note=note))
    return made


def training_rows(model: str, weights: Arrays, held_out: int) -> list[dict[str, Any]]:
    """How many held-out training images the network that is trained further labels right when they are moved, before
    and after. weights: of `run.trained_further`."""
    made = []
    for when, share in (("before", weights["began"]), ("after", weights["best"])):
        key, count = results.metric("right_when_moved", when=when), round(float(share) * held_out)
        made.append(results.rate_row(EXPERIMENT, key, [count], held_out, of="held-out images", model=model))
    return made
