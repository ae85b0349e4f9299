"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from overgen.run import results
from overgen.stages.evolve_classes import summary
from overgen.stages.evolve_classes.params import Reported

GENERATIONS = {"cppn": 4, "direct": 2}
SETTINGS = SimpleNamespace(
    stored_generations=[0, 2],
    stored={"cppn": 3, "direct": 2},
    reported={"cppn": Reported(median_confidence=88.11, generations=5000)},
)
NAMES = [f"class {number}" for number in range(10)]


def example_cell(path: Path, draw: np.random.Generator) -> None:
    """Ten classes whose champions' confidence doubles each generation."""
    chosen = draw.permutation(10)[:3].tolist()
    made: dict[str, list[dict[str, np.ndarray]]] = {}
    for encoding, last in GENERATIONS.items():
        first = draw.uniform(0.001, 0.01, len(NAMES))
        confidence = (first * 2.0 ** np.arange(last + 1)[:, None]).astype(np.float32)
        picture = draw.integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
        made[encoding] = [{"confidence": confidence, "picture": picture}]
    results.write(
        path,
        budget={f"evolve_classes.generations.{name}": count for name, count in GENERATIONS.items()},
        metrics=summary.rows(made, SETTINGS),
        tables=summary.tables(made, NAMES),
        examples=summary.shown(made, chosen, NAMES, SETTINGS),
    )
