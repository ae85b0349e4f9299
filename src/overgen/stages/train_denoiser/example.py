"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import spent
from overgen.stages.train_denoiser.run import COLUMNS, rows


def example_cell(
    path: Path, draw: np.random.Generator, *, levels: Sequence[float] = (0.1, 0.2, 0.4), seeds: int = 1, epochs: int = 3
) -> None:
    """The more noise, the worse the restored images."""
    restored = 30 - 10 * np.log10(np.array(levels) / 0.05)[:, None] + draw.normal(0, 1, (seeds, len(levels), 40))
    curves = pd.DataFrame(
        [(s, e, 0.9 / (e + 1), 0.02 / (e + 1), 20 + e) for s in range(seeds) for e in range(epochs)], columns=COLUMNS
    )
    results.write(path, budget=spent(path, epochs=epochs, seeds=seeds), metrics=rows(restored, list(levels)),
                  tables={"curves": curves})  # fmt: skip
