"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from overgen.data import Dataset
from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.explore_linear import summary
from overgen.stages.explore_linear.params import ExploreLinear
from overgen.stages.explore_linear.run import KINDS

SETTINGS = ExploreLinear(classes=[0, 6], third=9, inverse_decays=[1.0, 0.01], noise_images=20, shown=10)
IMAGES, CLASSES = 12, 10  # of each class


def example_cell(path: Path, draw: np.random.Generator, *, budget: Mapping[str, int] | None = None) -> None:
    """Both classes lie a little from the boundary, the others on either side, noise far away."""
    images = torch.from_numpy(as_bytes(blobs(draw, IMAGES * CLASSES)))[:, None]
    labels = torch.arange(CLASSES).repeat_interleave(IMAGES)
    source = Dataset("example", tuple("0123456789"), images, labels, images, labels)
    kinds = {str(label): images[labels == label] for label in range(CLASSES)}
    kinds |= {kind: torch.from_numpy(as_bytes(blobs(draw, SETTINGS.noise_images)))[:, None] for kind in KINDS}
    decays = {c: made_up(draw, {kind: len(of) for kind, of in kinds.items()}) for c in SETTINGS.inverse_decays}
    rows, tables, examples = summary.cell(decays, kinds, source, SETTINGS, [0.9, 0.99])
    own = {f"explore_linear.{path.parts[-3]}.noise_images": SETTINGS.noise_images}
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables, examples=examples)


def made_up(draw: np.random.Generator, counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """What the stage's `fitted` gives. counts: of each kind of images."""
    arrays = {"weight": draw.normal(0, 0.1, 784)}
    norm = float(np.linalg.norm(arrays["weight"]))
    centres = {"0": -2.0, "6": 2.0} | dict.fromkeys(KINDS, 4.0)
    for kind, count in counts.items():
        distance = draw.normal(centres.get(kind, 0.0), 1, count)
        arrays[f"{kind}.distance"], arrays[f"{kind}.height"] = distance, draw.normal(0, 2, count)
        arrays[f"{kind}.score"] = 1 / (1 + np.exp(-np.abs(distance) * norm))
    return arrays
