"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overgen.measures.accuracy import accuracy_rows
from overgen.models import SHAPE
from overgen.run import results
from overgen.run.example import BETA, outputs, pairs_of, spent
from overgen.stages.fool_fgn import example, summary, trials
from overgen.stages.fool_variants.run import named


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    base: str,
    fooled: int = 12,
    classes: int = 10,
    scaled: float | None = None,
    budget: Mapping[str, int] | None = None,
) -> None:
    """As a cell of `fool_fgn`, whose form it has, against a network that labels most test images right.

    base: the attacked model that the variant is called after.
    """
    counts = [(trials.Attack("y", None, {}), fooled)]
    counts += [(trials.Attack("scaled", scaled, {}), 0)] if scaled is not None else []
    outcome, pairs = example.made_up(draw, path.name, counts, classes), pairs_of(path.name)
    labels = np.arange(100) % classes
    judged = outputs(draw, path.name, labels, classes=classes) | {"labels": labels, "seeds": np.zeros(1, int)}
    accuracies = accuracy_rows(judged, pairs, BETA)
    rows = named(summary.fooling_rows(outcome.table, pairs) + accuracies, path.name, base)
    if scaled is not None:
        rows += [row | {"experiment": "fgn_on_scaled_output"} for row in accuracies]
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, trials=example.TRIALS, updates=500),
        metrics=rows,
        tables={"trials": outcome.table},
        examples=summary.examples(outcome, pairs, range(classes), SHAPE, BETA),
        successes=outcome.successes,
    )
