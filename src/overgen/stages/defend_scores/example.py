"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.defend_scores import summary
from overgen.stages.defend_scores.params import ADVERSARIAL, ENSEMBLE, NONE, SCALED, SMOOTHED, Name

RADII = {"linf": (0.05, 0.1, 0.2), "l2": (0.5, 1.0, 2.0)}
CERTIFIED = (2.0, 3.0)
SCORES = (("cnn", "knn"), ("cnn", "softmax"), ("dae_sym", f"{SCALED}_alpha20"))


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    scores: Sequence[tuple[str, str]] = SCORES,
    moved: Mapping[tuple[str, str], float] | None = None,
    kept: Mapping[tuple[str, str], float] | None = None,
    confirmed: int = 0,
    certified: bool = True,
    images: int = 40,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Of each score and defence, by method and defence, the share of images that the smallest ball moves (0.5 without
    a defence, 0.2 with one; the next ball moves half of the rest), and of test images that are kept; of how many
    certified images an attack is confirmed."""
    trials = list(product(("noise", "other_data"), range(classes), range(2)))
    found: dict[Name, dict[str, np.ndarray]] = {}
    for model, method in scores:
        further = (ENSEMBLE, ADVERSARIAL) if method.startswith(SCALED) else ()
        for defence in (NONE, SMOOTHED, *further):
            hit = np.arange(len(trials)) % 20 < (20 if defence == NONE else 12)
            share = (moved or {}).get((method, defence), 0.5 if defence == NONE else 0.2)
            place = np.arange(images) / images
            at = np.select([place < share, place < (1 + share) / 2], [1, 2], summary.NEVER)
            arrays = {
                "kept": np.arange(1000) < 1000 * (kept or {}).get((method, defence), 0.95),
                "right": np.arange(1000) < 970,
                "unknown": np.arange(200) < 6,
                "passes": np.array({NONE: 1, SMOOTHED: 100, ENSEMBLE: 3, ADVERSARIAL: 1}[defence]),
                "attempt": np.where(hit, 0, summary.NEVER),
                "step": np.where(hit, 5, summary.NEVER),
                "flat": np.zeros(len(trials), bool),
                "start": np.zeros(len(trials), bool),
                "fooled": hit,
            }
            arrays |= {f"{direction}.{norm}": at for direction, norm in summary.BALLS}
            if defence == SMOOTHED:
                sure = (np.arange(images) % 2 == 0) & certified
                came = np.where(sure, summary.STAYED, summary.UNTRIED)
                for direction in dict(summary.BALLS):
                    arrays[f"{direction}.certified"] = np.where(sure, 2.5, -np.inf)
                    arrays[f"{direction}.within"] = came.copy()
                broken = np.flatnonzero(sure)[:confirmed]
                arrays["accept.within"][broken] = summary.CONFIRMED
                confirmed = 0
            found[Name(model, method, defence)] = arrays
    table = summary.trial_table(trials, ["autopgd"], found)
    table["not_of_class"] = table["fooled"] & (table["target"] > 0)
    hits = table[table["fooled"]].reset_index(drop=True)
    chosen = hits.groupby(list(summary.SCORE), sort=False).head(summary.SHOWN)
    examples = {"image": as_bytes(blobs(draw, len(chosen)))} | {
        name: chosen[name].to_numpy(str if name in summary.SCORE else int)
        for name in (*summary.SCORE, "target", "not_of_class")
    }
    weights = {"began": np.array(0.2), "best": np.array(0.7)}
    rows = summary.rows(table, found, RADII, CERTIFIED) + summary.training_rows("dae_sym", weights, 100)
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, known_images=1000, images=images, attempts=100, ball_attempts=30),
        metrics=rows,
        tables={"trials": table, "radii": summary.radius_table(found, RADII)},
        examples=examples,
    )
