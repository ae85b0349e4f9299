"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import spent

WRONG = {"fc10_1": 2000, "ae400_10": 300}  # test images of 10,000, by network


def example_cell(path: Path, draw: np.random.Generator, *, wrong: Mapping[str, int] = WRONG, epochs: int = 3) -> None:
    """Networks that label so many test images wrong, and as many of the training images."""
    rows, curves = [], []
    for name, count in wrong.items():
        for split, of in (("test", "test images"), ("train", "training images")):
            rows.append(results.rate_row("lbfgs", f"{split}_error", [count], 10_000, of=of, model=name))
        loss = np.linspace(1, 0.1, epochs)
        columns = {"network": name, "pretraining": False, "epoch": range(epochs), "loss": loss}
        columns |= {"classification_loss": loss, "reconstruction_loss": 0.0, "accuracy": 1 - loss / 3}
        curves.append(pd.DataFrame(columns))
    results.write(path, budget=spent(path, epochs=epochs), metrics=rows, tables={"curves": pd.concat(curves)})
