"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.stages.remove_gate.params import GATE_OFF


def example_cell(path: Path, draw: np.random.Generator, *, right: int = 97) -> None:
    """The classifier of a dAE labels `right` of 100 test images right."""
    row = results.rate_row("train", "test_accuracy", [right], 100, of="test images", model=path.name + GATE_OFF)
    spent = {f"train_autoencoder.{path.parts[-3]}.{name}": count for name, count in (("epochs", 10), ("seeds", 1))}
    results.write(path, budget=spent, metrics=[row], tables={})
