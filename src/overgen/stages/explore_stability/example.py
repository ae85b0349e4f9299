"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.stages.explore_stability import summary

IMAGES, PIXELS = 100, [1, 10, 100, 784]


def example_cell(path: Path, draw: np.random.Generator, *, budget: Mapping[str, int] | None = None) -> None:
    """The labels of one network are lost as the law says, those of the other after nearly the same number of pixels."""
    lost = {"fc10_1": draw.geometric(0.002, IMAGES), "ae400_10": draw.normal(90, 10, IMAGES)}
    counted = {name: after[:, None] > np.array(PIXELS) for name, after in lost.items()}
    rows, tables = summary.cell(counted, PIXELS, resamples=20)
    dataset = path.parts[-3]
    own = {f"fool_lbfgs.{dataset}.{name}": n for name, n in (("images", 9), ("draws", 10), ("stability_images", 100))}
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables)
