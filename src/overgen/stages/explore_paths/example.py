"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.explore_paths import summary
from overgen.stages.explore_paths.pairs import draw_pairs

WAYS = {"pixels": 1.0, "autoencoder": 0.3, "dae_sym": 0.5, "geodesic": 0.2}  # how far the middle is from the data
PAIRS, POSITIONS, TAU = 20, 7, 0.99


def example_cell(path: Path, draw: np.random.Generator, *, classes: int = 10) -> None:
    """Paths that are farther from the data in the middle, and less sure."""
    pairs = draw_pairs(np.arange(100 * classes) % classes, PAIRS, path.parts[-3])
    bend = np.sin(np.pi * np.linspace(0, 1, POSITIONS))
    made = {}
    for way, rise in WAYS.items():
        shape = (2 * PAIRS, POSITIONS)
        excess = rise * bend + draw.normal(0, 0.1, shape)
        made[way] = {
            "image": as_bytes(blobs(draw, *shape)),
            "distance": (5 + excess).astype(np.float32),
            "error": (2 + excess).astype(np.float32),
            "scaled": np.clip(0.99 - 0.3 * excess, 0, 1).astype(np.float32),
            "score": np.clip(1 - 0.1 * excess, 0, 1).astype(np.float32),
            "answer": np.where(np.arange(POSITIONS) < POSITIONS / 2, *pairs.of.T[:, :, None]).astype(np.float32),
        }
    made["geodesic"]["answer"][0] = np.nan  # no path
    table = summary.pairs_table(made, pairs, TAU)
    results.write(
        path,
        budget=spent(path, pairs=PAIRS),
        metrics=summary.rows(table, TAU),
        tables={"pairs": table.round(4), "curves": summary.curves(made, pairs)},
        examples=summary.shown(made, pairs, 1),
    )
