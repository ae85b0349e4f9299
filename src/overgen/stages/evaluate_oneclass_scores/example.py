"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.stages.evaluate_oneclass import summary
from overgen.stages.evaluate_oneclass_scores.summary import OTHERWISE, PLAIN, gain_rows


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    methods: Sequence[str] = ("knn_pixels", "other_uniform_pixels", PLAIN, *OTHERWISE),
    gains: Mapping[str, float] | None = None,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Images of a class lie two deviations above the others. gains: by method, how many deviations more."""
    labels = np.arange(200) % classes
    scores = [
        {
            f"@score={name}": draw.normal(0, 1, len(labels)) + (2 + (gains or {}).get(name, 0)) * (labels == c)
            for name in methods
        }
        for c in range(classes)
    ]
    trials = summary.trials(labels, range(classes), map(str, range(classes)), scores)
    rows = summary.mean_rows(trials) + gain_rows(trials)
    results.write(path, budget=dict(budget or {}), metrics=rows, tables={"trials": trials})
