"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.collect_fooling.run import rows


def example_cell(path: Path, draw: np.random.Generator, *, counts: Mapping[tuple[str, str], int]) -> None:
    """counts: images by attack (the stage) and attacked model."""
    dataset = path.parts[-3]
    n = sum(counts.values())
    attack, attacked = (np.repeat([pair[i] for pair in counts], list(counts.values())) for i in (0, 1))
    examples = {
        "image": as_bytes(blobs(draw, n)),
        "attack": attack,
        "attacked": attacked,
        "target": np.arange(n) % 10,
        "score": np.full(n, 0.95),
        "cell": np.array([f"reports/cells/{dataset}/{stage}/{model}" for stage, model in counts]),
        "cell_md5": np.array(["0" * 32 + ".dir"] * len(counts)),
    }
    results.write(path, budget={}, metrics=rows(examples), examples=examples)
