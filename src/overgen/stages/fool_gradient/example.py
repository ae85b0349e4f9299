"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.attacks import pictures
from overgen.attacks.attacked import Block
from overgen.models import PIXELS, SHAPE
from overgen.run import results
from overgen.run.example import blobs, pairs_of, reconstructs, spent
from overgen.stages.fool_gradient import summary
from overgen.stages.fool_gradient.params import GradientDescent

ATTACKS = [GradientDescent(objective="cross_entropy", learning_rate=0.1, updates=100)]
ATTACKS += [GradientDescent(objective="margin", learning_rate=0.1, updates=100)]


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    classes: int = 10,
    starts: Sequence[str] = ("noise", "mean_image"),
    budget: Mapping[str, int] | None = None,
    experiment: str = "gradient",
) -> None:
    """From noise every trial fools in 7 updates, from another start none does.

    As pictures in 8 bits every second one still fools; three of ten images lie nearest to the target class.
    """
    pairs = pairs_of(path.name)
    trials = [(start, target, 0) for start in starts for target in range(classes)]
    blocks = [Block("block", 0, pair, trials) for pair in pairs]
    n = len(trials)
    fools = np.array([start == "noise" for start, _, _ in trials])
    distance = np.full(n, 1.0 if reconstructs(path.name) else np.nan)
    targets = np.array([target for _, target, _ in trials])
    outcomes = [
        {
            "step": np.where(fools, 7, -1),
            "source": np.array([3 if start == "other_class" else -1 for start, _, _ in trials]),
            "attack": np.where(fools, 0, 1),
            "score": np.log(np.where(fools, (1 + tau) / 2, tau / 2)),
            "distance": distance,
            "gamma": distance - 1.5,
            "change": np.full(n, 2.0),
            "target_distance": np.full(n, 8.0),
            "nearest_label": np.where(targets < 3, targets, (targets + 1) % classes),
            "nearest_distance": np.full(n, 6.0),
        }
        for tau, _ in pairs
    ]
    table = summary.gather(blocks, outcomes, ATTACKS)
    images = blobs(draw, len(table)).reshape(-1, PIXELS)
    hits = np.flatnonzero(table["step"].notna())
    in_8_bits = np.where(np.arange(len(hits)) % 2 == 1, 0.999, 0.5)
    table["score_in_8_bits"] = np.nan
    table.loc[hits, "score_in_8_bits"] = in_8_bits
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, restarts=1, attacks=len(ATTACKS), updates=200),
        metrics=[row | {"experiment": experiment} for row in summary.rows(table, pairs)],
        tables={"trials": table},
        examples=summary.examples(table, images, pairs, range(classes), SHAPE),
        successes={"trial": hits, "image": pictures.rounded(images[hits], SHAPE)},
    )
