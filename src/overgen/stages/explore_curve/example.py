"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from overgen.run import results
from overgen.stages.explore_curve import summary

COUNTS = [4, 64]
SETTINGS = SimpleNamespace(
    rejected=95.0, distances=[0.5, 1.0],
    boundaries=SimpleNamespace(limit=100.0, tested=5, directions=3),
    negatives=SimpleNamespace(counts=COUNTS, tested=10),
)  # fmt: skip
SEEDS, TESTED, SIDE = 4, SETTINGS.boundaries.tested, 12


def example_cell(path: Path, draw: np.random.Generator) -> None:
    """Networks whose smallest changes shrink with the dimensions, and "other" classes that reject what is far."""
    of_boundaries = {dimension: boundaries(draw, dimension) for dimension in (2, 16)}
    of_negatives = {dimension: negatives(draw, dimension) for dimension in (2, 16)}
    tables = summary.tables(of_boundaries, of_negatives, SETTINGS)
    results.write(
        path,
        budget={
            "explore_curve.boundaries.seeds": SEEDS,
            "explore_curve.boundaries.steps": 10,
            "explore_curve.negatives.seeds": SEEDS,
            "explore_curve.negatives.steps": 10,
        },
        metrics=summary.rows(tables, SETTINGS),
        tables=tables,
        examples=summary.shown(of_boundaries),
    )


def boundaries(draw: np.random.Generator, dimension: int) -> dict[str, Any]:
    """What `boundaries.explore` gives."""
    along = draw.uniform(0.1, 0.3, (SEEDS, TESTED))
    random = draw.uniform(1, 5, (SEEDS, TESTED, 3))
    start = draw.uniform(-0.5, 0.5, (SEEDS, TESTED, 2)).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return {
        "along": along,
        "smallest": along / dimension,
        "off_plane": draw.uniform(0, 1, (SEEDS, TESTED)) * (dimension > 2),
        "random": np.where(random > 4, np.inf, random),
        "accuracy": draw.uniform(0.95, 1, SEEDS),
        "on_curve": draw.random((SEEDS, 50)) < 0.99,
        "in_plane": draw.random((SEEDS, 50)) < 0.9,
        "map": np.stack([127 * np.tanh(x + k * y) for k in draw.normal(0, 0.3, SEEDS)]).round().astype(np.int8),
        "start": start,
        "end": start + draw.normal(0, 0.05, start.shape).astype(np.float32),
    }


def negatives(draw: np.random.Generator, dimension: int) -> dict[str, Any]:
    """What `negatives.explore` gives."""
    shape = (len(COUNTS), SEEDS)
    found = {"accuracy": draw.uniform(0.9, 1, shape), "uniform": np.stack([np.full(SEEDS, 0.3), np.zeros(SEEDS)])}
    found |= {name: draw.uniform(0.2, 1, shape) for name in ("near", "worst")}
    if dimension > 2:
        found |= {
            "off": draw.uniform(0, 1, (*shape, len(SETTINGS.distances))),
            "worst_off": draw.uniform(0.5, 1, shape),
        }
    return found
