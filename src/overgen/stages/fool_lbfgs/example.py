"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from overgen.data import Dataset
from overgen.models import PIXELS
from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.fool_lbfgs import summary
from overgen.stages.fool_lbfgs.params import FoolLbfgs

SETTINGS = FoolLbfgs(images=9, draws=10, magnified=0.1, stability_images=20, pixels=[1, 784])
DISTORTION = {"fc10_1": 0.14, "ae400_10": 0.172}  # rms, by network
WRONG = (4, 3)  # of the 9 examples made for any network, by judge


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    distortion: Mapping[str, float] = DISTORTION,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Every image is changed by about the network's distortion, and is then seen as its target.

    Noise of that size changes one label of ninety. A label outlives noise on one pixel, and on all of them in a tenth
    of the images.
    """
    n, labels = SETTINGS.images, torch.arange(20) % 10
    images = torch.from_numpy(as_bytes(blobs(draw, 20)))
    source = Dataset("example", tuple("0123456789"), images[:, None], labels, images[:, None], labels)
    outcomes = {k: attacked(draw, images[:n].numpy(), rms, linear=k == "fc10_1") for k, rms in distortion.items()}
    wrong = dict(zip(distortion, WRONG, strict=True))
    kinds = product(distortion, distortion, ("unchanged", "smallest", "magnified"))
    transfer = pd.DataFrame(
        [(made_for, judge, kind, n, 0 if kind == "unchanged" else wrong[judge]) for made_for, judge, kind in kinds],
        columns=["made_for", "judge", "images", "n", "wrong"],
    )
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, images=n, draws=SETTINGS.draws),
        metrics=summary.rows(outcomes, transfer, source, SETTINGS),
        tables=summary.tables(outcomes, transfer, source, SETTINGS),
        examples=summary.examples(outcomes, source),
        successes=summary.successes(outcomes),
    )


def attacked(draw: np.random.Generator, images: np.ndarray, rms: float, *, linear: bool) -> dict[str, np.ndarray]:
    """The arrays that the stage's `attack` gives of a network. images: (N, 28, 28) uint8; linear: it has one layer."""
    n = len(images)
    change = draw.normal(0, 1, images.shape)
    norms = np.sqrt(np.square(change).sum((1, 2), keepdims=True))
    sizes = rms * np.linspace(0.95, 1.05, n)[:, None, None] * PIXELS**0.5
    once = np.arange(n) == 0
    return {
        "index": np.arange(n),
        "target": (np.arange(n) + 1) % 10,
        "c": np.full(n, 0.5),
        "fooled": np.ones(n, bool),
        "score": np.full(n, 0.6),
        "changed": once.astype(int),
        "changed_magnified": 2 * once.astype(int),
        "least": np.full(n, 0.9 * rms if linear else np.nan),
        "image": (images / 255 + change / norms * sizes).astype(np.float32),
        "kept": np.stack([np.ones(SETTINGS.stability_images, bool), np.arange(SETTINGS.stability_images) < 2], 1),
    }
