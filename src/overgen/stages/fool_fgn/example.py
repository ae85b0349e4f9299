"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.attacks.attacked import Arrays, Block
from overgen.models import PIXELS, SHAPE
from overgen.run import results
from overgen.run.example import BETA, blobs, outputs, pairs_of, reconstructs, spent
from overgen.stages.fool_fgn import summary, trials

TRIALS = 4  # of each class


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    fooled: int = 12,
    classes: int = 10,
    variants: Mapping[str, int] | None = None,
    scaled: float | None = None,
    budget: Mapping[str, int] | None = None,
    updates: int = 500,
) -> None:
    """The first trials fool, one class after another, at the first τ; at the others those of the first three classes.

    fooled: how many; half of them, rounded down, still fool in 8 bits. Where all do, they do at every τ. variants: how
    many trials of each variant fool, by name. scaled: α of an attack on ỹ as well, which never fools. budget: what the
    training spent.
    """
    counts = [(trials.Attack("y", None, {}), fooled)]
    counts += [(trials.Attack("scaled", scaled, {}), 0)] if scaled is not None else []
    counts += [(trials.Attack(name, None, {}), count) for name, count in (variants or {}).items()]
    outcome = made_up(draw, path.name, counts, classes)
    rows = summary.fooling_rows(outcome.table, pairs_of(path.name))
    if reconstructs(path.name):
        labels = np.arange(100) % classes
        test = outputs(draw, path.name, labels, classes=classes) | {"labels": labels}
        rows += summary.curvature_rows(test, outcome.table)
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, trials=TRIALS, updates=updates),
        metrics=rows,
        tables={"trials": outcome.table},
        examples=summary.examples(outcome, pairs_of(path.name), range(classes), SHAPE, BETA),
        successes=outcome.successes,
    )


def made_up(
    draw: np.random.Generator, model: str, counts: Sequence[tuple[trials.Attack, int]], classes: int
) -> trials.Outcome:
    """What attacks came to of which so many trials fool."""
    pairs = pairs_of(model)
    each = [(i % classes, i // classes) for i in range(TRIALS * classes)]
    blocks = [Block(attack.objective, 0, attack, each) for attack, _ in counts]
    passages = [passage(draw, block, fooled, pairs) for block, (_, fooled) in zip(blocks, counts, strict=True)]
    table, images = trials.gather(blocks, passages, pairs, PIXELS)
    hits = trials.hits_of(table, pairs)
    successes = {name: hits[name].to_numpy() for name in ("trial", "tau", "alpha")}
    successes |= {"score": hits["tau"].to_numpy() + 1e-3}
    successes |= {"image": pictures.rounded(images[hits["trial"], hits["pair"]], SHAPE, np.uint16)}
    return trials.Outcome(with_scores(table, pairs), images, successes)


def passage(draw: np.random.Generator, block: Block, fooled: int, pairs: Sequence[trials.Pair]) -> Arrays:
    """The arrays of a block's `Passage`: the first trials fool, later at the higher τ."""
    judged = block.attack.judged(pairs)
    step = np.full((len(block.trials), len(judged)), -1)
    first = np.sort(draw.integers(40, 400, fooled))
    for i in range(len(judged)):
        step[:fooled, i] = first + 60 * i
        if i and fooled < len(block.trials):
            step[[target > 2 for target, _ in block.trials], i] = -1
    distance = np.full(len(step), 1.0 if len(pairs) > 2 else np.nan)
    image = blobs(draw, *step.shape).reshape(*step.shape, PIXELS)
    return {"step": step, "image": image, "log_y": np.full(len(step), -0.01), "distance": distance,
            "gamma": distance - 1.5}  # fmt: skip


def with_scores(table: pd.DataFrame, pairs: Sequence[trials.Pair]) -> pd.DataFrame:
    """The table with the scores of pictures: every second one that fooled is above τ in 8 bits, all are in 16."""
    for pair in pairs:
        passed = table[trials.column(pair)].notna()
        second = passed.groupby(table["objective"]).cumsum() % 2 == 0
        for bits, above in ((8, second), (16, passed)):
            score = np.where(above, (1 + pair[0]) / 2, pair[0] - 1e-3)
            table[trials.column(pair, f"score_in_{bits}_bits")] = np.where(passed, score, np.nan)
    return table
