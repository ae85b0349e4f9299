"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.stages.fool_photographs import summary

DEMO = SimpleNamespace(photographs=["cat", "coffee"], witnesses=["efficientnet_lite1", "efficientnet_lite2"])
SETTINGS = SimpleNamespace(tau=0.99)
NAMES = [f"class {number}" for number in range(10)]


def example_cell(path: Path, draw: np.random.Generator) -> None:
    """Two photographs and noise of 32 × 32 pixels, each made three classes."""
    starts = [*DEMO.photographs, "noise-0"]
    made = [of_start(draw, smallest=start != "noise-0") for start in starts]
    ascents = pd.concat([summary.table(name, arrays, "ascent") for name, arrays in zip(starts, made, strict=True)])
    smallest = pd.concat(
        [summary.table(name, arrays, "smallest") for name, arrays in zip(starts[:2], made, strict=False)]
    )
    results.write(
        path,
        budget={"fool_photographs.updates": 200, "fool_photographs.targets": 3},
        metrics=summary.rows(ascents, smallest, SETTINGS, DEMO) + summary.elsewhere_rows(None, "not at hand"),
        tables={"ascents": ascents, "smallest": smallest},
        examples=summary.shown(list(zip(starts, made, strict=True)), NAMES),
    )


def of_start(draw: np.random.Generator, *, smallest: bool) -> dict[str, np.ndarray]:
    """What `run.Attack.of_start` gives."""
    start = draw.integers(0, 256, (3, 32, 32), dtype=np.uint8)
    arrays = {"start": start, "label": np.array(0)} | of_kind(draw, "ascent", 3)
    pictures = start + draw.integers(0, 3, (3, 3, 32, 32))
    arrays["ascent_picture"] = pictures.clip(0, 255).astype(np.uint8)
    arrays["ascent_updates"] = draw.integers(5, 30, 3)
    if smallest:
        arrays |= of_kind(draw, "smallest", 2)
        further = {"reached": np.ones(2, bool), "l2": draw.uniform(0.3, 1, 2), "c": draw.uniform(1, 9, 2)}
        further |= {"target_in_8_bits": np.zeros(2, bool)}
        further |= {f"noise_changed_{name}": draw.random(2) < 0.1 for name in ("network", *DEMO.witnesses)}
        arrays |= {f"smallest_{name}": values for name, values in further.items()}
    return arrays


def of_kind(draw: np.random.Generator, kind: str, count: int) -> dict[str, np.ndarray]:
    """The columns that both kinds of trials have."""
    columns: dict[str, np.ndarray] = {
        "target": draw.permutation(np.arange(1, 10))[:count],
        "score": draw.uniform(0.98, 1, count).astype(np.float32),
        "mean_change": draw.uniform(0.2, 1, count),
        "max_change": draw.uniform(5, 20, count),
        "psnr": draw.uniform(40, 55, count),
    }
    for name in ("network", *DEMO.witnesses):
        columns[f"changed_{name}"] = draw.random(count) < 0.4
        columns[f"target_{name}"] = draw.random(count) < 0.1
    return {f"{kind}_{name}": values for name, values in columns.items()}
