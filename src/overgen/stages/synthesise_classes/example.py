"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.stages.synthesise_classes import summary

DEMO = SimpleNamespace(witnesses=["efficientnet_lite1", "efficientnet_lite2"])
CAT = 285
SETTINGS = SimpleNamespace(cat=CAT, recognised=50.0, shown=["plain", "fourier_all"])
WAYS = {"plain": 0.0, "decay": 0.1, "blur": 0.2, "total_variation": 0.2, "jitter": 0.4, "fourier": 0.5,
        "fourier_all": 0.95}  # fmt: skip


def example_cell(path: Path, draw: np.random.Generator) -> None:
    """A cat and three classes of 32 × 32 pixels; each way with how often others recognise its images."""
    targets = np.array([CAT, 1, 2, 3])
    names = [f"class {number}" for number in range(CAT + 1)]
    made = {way: of_way(draw, targets, share) for way, share in WAYS.items()}
    images = pd.concat([summary.table(way, arrays, names) for way, arrays in made.items()])
    results.write(
        path,
        budget={"synthesise_classes.steps": 40, "synthesise_classes.starts": 1},
        metrics=summary.rows(images, SETTINGS, DEMO),
        tables={"images": images},
        examples=summary.shown(made, SETTINGS, names),
    )


def of_way(draw: np.random.Generator, targets: np.ndarray, share: float) -> dict[str, np.ndarray]:
    """What `run.Work.of_way` gives."""
    count = len(targets)
    arrays = {"target": targets, "image": draw.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)}
    for name in ("network", *DEMO.witnesses):
        right = draw.random(count) < (1 if name == "network" else share)
        arrays[f"score_{name}"] = np.where(right, 0.9, 0.01).astype(np.float32)
        arrays[f"answer_{name}"] = np.where(right, targets, 0)
        arrays[f"place_{name}"] = np.where(right, 1, 40)
        if name != "network":
            arrays[f"crop_score_{name}"] = arrays[f"score_{name}"] / 2
            arrays[f"crop_answers_{name}"] = right
    return arrays | {"nearest": draw.integers(0, 10, count), "cat_place": draw.integers(1, 10, count)}
