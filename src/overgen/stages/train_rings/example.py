"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.stages.train_rings.params import TrainRings
from overgen.stages.train_rings.summary import maps, rows

SETTINGS = TrainRings(
    centres=[[-1.0, -1.0], [0.0, 1.0], [1.0, -1.0]], inner_radius=0.6, thickness=0.1, hidden=16, steps=700,
    batch_size=8, learning_rate=0.01, noise_std=0.1, reconstruction_weight=1.0, seeds=[0, 1], threads=1, alpha=10.0,
    beta=10.0, tau=0.9, far=0.4, test_points=50, resolution=12, extent=2.5, shown_points=20,
)  # fmt: skip


def example_cell(path: Path, draw: np.random.Generator) -> None:
    """Networks that are sure of every point on the rings, and reconstruct points elsewhere worse."""
    points, places = SETTINGS.test_points, SETTINGS.resolution**2
    classes, last = len(SETTINGS.centres), 700
    trained = []
    for _ in SETTINGS.seeds:
        logits = draw.normal(0, 2, (points + places, classes))
        labels = logits[:points].argmax(1)
        trained.append(
            {
                "log_y": (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32),
                "distance": np.abs(draw.normal(np.r_[np.full(points, 0.05), np.full(places, 0.5)], 0.02)).astype("f4"),
                "gamma": draw.normal(-0.2, 0.2, points + places).astype(np.float32),
                "labels": labels,
                "seed": np.zeros(2, int),
                "step": np.array([500, last]),
                "classification_loss": np.array([0.5, 0.1]),
                "reconstruction_loss": np.array([0.2, 0.1]),
                "accuracy": np.array([0.9, 1.0]),
            }
        )
    names = ["seed", "step", "classification_loss", "reconstruction_loss", "accuracy"]
    curves = pd.concat([pd.DataFrame({name: arrays[name] for name in names}) for arrays in trained])
    results.write(
        path,
        budget={"train_rings.steps": SETTINGS.steps, "train_rings.seeds": len(SETTINGS.seeds)},
        metrics=rows(trained, SETTINGS),
        tables={"curves": curves},
        examples=maps(trained[0], SETTINGS),
    )
