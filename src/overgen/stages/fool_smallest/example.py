"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from overgen.attacks.attacked import Block
from overgen.models import PIXELS
from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.fool_smallest import summary

IMAGES = 20
CHANGE = 2.0  # ‖r‖₂ of the middle image


def example_cell(
    path: Path, draw: np.random.Generator, *, change: float = CHANGE, budget: Mapping[str, int] | None = None
) -> None:
    """Of 20 images all but the last are changed, by about `change`; every second one is seen so in 8 bits, too."""
    originals = as_bytes(blobs(draw, IMAGES))
    sizes = change * np.linspace(0.8, 1.2, IMAGES)
    noise = draw.normal(0, 1, (IMAGES, PIXELS))
    moved = noise / np.linalg.norm(noise, axis=1, keepdims=True) * sizes[:, None]
    index, fooled = np.arange(IMAGES), np.arange(IMAGES) < IMAGES - 1
    label = index % 10
    outcome = {
        "index": index,
        "label": label,
        "target": (label + 1) % 10,
        "c": np.where(fooled, 0.05, 0.0),
        "fooled": fooled,
        "score": np.full(IMAGES, 0.5),
        "score_in_16_bits": np.full(IMAGES, 0.5),
        "seen_in_8_bits": np.where(index % 2 == 0, (label + 1) % 10, label),
        "change": sizes,
        "image": np.clip(originals[:, None] / 255 + moved.reshape(IMAGES, 1, 28, 28), 0, 1).astype(np.float32),
    }
    table, images = summary.gather([Block("block0", 0, None, index.tolist())], [outcome], (1, 28, 28))
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, images=IMAGES, iterations=100),
        metrics=summary.rows(table, PIXELS),
        tables={"trials": table},
        examples=summary.examples(table, images, torch.from_numpy(originals)[:, None]),
        successes=summary.successes(table, images),
    )
