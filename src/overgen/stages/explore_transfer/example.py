"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.explore_transfer import summary

FEATURES = {
    "code": 0.03,
    "pixels": 0.0,
    "pca": 0.01,
    "autoencoder": 0.02,
    "dae_sym": 0.2,
    "cnn": 0.21,
    "scratch": -0.02,
}
LAYERS = {
    "code": ("fc1", "code"),
    "autoencoder": ("fc1", "code"),
    "dae_sym": ("conv1", "conv2", "fc1"),
    "cnn": ("conv1", "conv2", "fc1"),
}
SETTINGS = SimpleNamespace(labels=[10, 100, 1000], at=[1, 5, 10])
DRAWS, CLASSES, SHOWN = 5, 10, 4


def example_cell(path: Path, draw: np.random.Generator, *, budget: Mapping[str, int] | None = None) -> None:
    """More labels help everything, and the code a little more than pixels."""
    base = np.array([0.55, 0.75, 0.79])
    draws = [
        {f"features.{name}": (base + more + draw.normal(0, 0.01, 3)).clip(0, 1) for name, more in FEATURES.items()}
        | {f"layer.{network}.{layer}": np.array([0.9 + 0.02 * i + draw.normal(0, 0.003)])
           for network, names in LAYERS.items() for i, layer in enumerate(names)}
        for _ in range(DRAWS)
    ]  # fmt: skip
    labels = np.arange(200) % CLASSES
    searched = {"label": labels} | {
        f"precision.{name}": draw.binomial(10, [0.9, 0.88, 0.86], (len(labels), 3)) / 10
        for name in FEATURES
        if name != "scratch"
    }
    rows, tables = summary.cell(draws, searched, SETTINGS, CLASSES)
    dataset = path.parts[-3]
    spent = {f"explore_transfer.{dataset}.{name}": n for name, n in (("draws", DRAWS), ("queries", len(labels)))}
    results.write(
        path, budget=dict(budget or {}) | spent, metrics=rows, tables=tables,
        examples={"query": as_bytes(blobs(draw, CLASSES)), "answer": as_bytes(blobs(draw, 2, CLASSES, SHOWN)),
                  "right": draw.random((2, CLASSES, SHOWN)) < 0.8},
    )  # fmt: skip
