"""A made-up cell of this stage."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import blobs, spent
from overgen.stages.retrain_on_fooling import summary

EVOLUTIONS, RUNS = 2, 2


def example_cell(path: Path, draw: np.random.Generator, *, rounds: int = 2, classes: int = 10) -> None:
    """Confidences fall by a percent a round, and errors rise by one image."""
    work = list(product(("direct", "cppn"), range(RUNS)))
    fall = 0.975 - 0.01 * np.arange(rounds + 1)
    added = 1000 * np.arange(rounds + 1)
    outcomes: list[dict[str, np.ndarray]] = [
        {
            "confidence": np.tile(fall[:, None, None], (1, EVOLUTIONS, classes)).astype(np.float32),
            "errors": 90 + np.arange(rounds + 1),
            "added": added,
            "recognised": added * 99 // 100,
            "image": blobs(draw, rounds + 1, classes),
        }
        for _ in work
    ]
    rows, trials, examples = summary.cell_tables(work, outcomes, test_images=10_000)
    budget = spent(path, runs=RUNS, rounds=rounds, epochs=2, generations=40)
    results.write(path, budget=budget, metrics=rows, tables={"trials": trials}, examples=examples)
