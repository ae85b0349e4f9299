"""Made-up cells of stages that train a model on all classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import reconstructs, spent

IMAGES = 10_000  # of the test


def trained_cell(
    path: Path,
    *,
    metrics: list[dict[str, Any]],
    examples: dict[str, np.ndarray] | None = None,
    epochs: int = 10,
    seeds: int = 1,
    tested: bool = False,
) -> None:
    """Losses fall from 1 to 0.1. metrics: rows; examples: if the stage writes some; tested: with a test curve."""
    fall = np.linspace(1, 0.1, 6)
    nothing, classifies = 0 * fall, path.name != "autoencoder"
    columns = {
        "epoch": range(6),
        "loss": fall,
        "classification_loss": fall if classifies else nothing,
        "reconstruction_loss": fall / 9 if reconstructs(path.name) else nothing,
        "accuracy": 1 - fall / 3 if classifies else nothing,
    }
    if classifies and tested:
        columns["test_accuracy"] = 1 - fall / 2
    curves = pd.concat([pd.DataFrame({"seed": seed} | columns) for seed in range(seeds)])
    budget = spent(path, epochs=epochs, seeds=seeds)
    results.write(path, budget=budget, metrics=metrics, tables={"curves": curves}, examples=examples)


def accuracy_row(*, right: int = 9921, seeds: int = 1) -> dict[str, Any]:
    """right: of 10,000 test images."""
    return results.rate_row("train", "test_accuracy", [right] * seeds, IMAGES, of="test images")


def classifier_cell(
    path: Path, draw: np.random.Generator, *, epochs: int = 10, seeds: int = 1, tested: bool = False
) -> None:
    """99 % of the test images are labelled right. tested: with a test curve."""
    rows = [accuracy_row(seeds=seeds)]
    if path.name == "lenet":
        rows.append(results.rate_row("test_error", "test_error", [79] * seeds, IMAGES, of="test images"))
    trained_cell(path, metrics=rows, epochs=epochs, seeds=seeds, tested=tested)
