"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import BETA, outputs, pairs_of
from overgen.stages.evaluate_confidence import summary

IMAGES = 400  # of the test, and of each kind of noise


def example_cell(
    path: Path, draw: np.random.Generator, *, classes: int = 10, budget: Mapping[str, int] | None = None
) -> None:
    """A network that labels most test images right and is sure of little noise."""
    labels, none = np.arange(IMAGES) % classes, np.full(IMAGES, -1)
    test = outputs(draw, path.name, labels, classes=classes) | {"labels": labels, "seeds": np.zeros(1, int)}
    noise = {kind: outputs(draw, path.name, none, classes=classes) for kind in ("uniform", "normal")}
    rows, tables = summary.cell(test, noise, pairs_of(path.name), BETA, bins=10)
    own = {"evaluate_confidence.noise_images": IMAGES}
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables)
