"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.stages.visualise_units import summary

LAYERS = ["_blocks.2", "_blocks.4", "_blocks.8", "_blocks.12", "_conv_head"]
DREAMS = [(name, layer) for name in ("temple", "flower", "cat") for layer in ("_blocks.4", "_blocks.10")]
NAMES = [f"class {number}" for number in range(10)]


def example_cell(path: Path, draw: np.random.Generator) -> None:
    """Three units of each layer, and dreams of 32 × 32 pixels."""
    units: list[dict[str, np.ndarray]] = [
        {
            "unit": draw.permutation(24)[:3],
            "image": draw.integers(0, 256, (3, 3, 32, 32), dtype=np.uint8),
            "activation": draw.uniform(1, 30, 3).astype(np.float32),
            "photograph": draw.uniform(0, 5, 3).astype(np.float32),
        }
        for _ in LAYERS
    ]
    dreams: list[dict[str, np.ndarray]] = [
        {
            "start": draw.integers(0, 256, (3, 32, 32), dtype=np.uint8),
            "image": draw.integers(0, 256, (3, 32, 32), dtype=np.uint8),
            "answer": draw.integers(0, 10, 2),
            "score": draw.uniform(0.1, 1, 2).astype(np.float32),
            "activation": np.array([10, 25], np.float32),
        }
        for _ in DREAMS
    ]
    tables = summary.tables(units, dreams, LAYERS, DREAMS, NAMES)
    results.write(
        path,
        budget={"visualise_units.steps": 40},
        metrics=summary.rows(tables, LAYERS),
        tables=tables,
        examples=summary.shown(units, dreams, DREAMS),
    )
