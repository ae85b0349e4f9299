"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import spent
from overgen.stages.train_oneclass.run import OF_NETWORK, OF_SVM, about, mean_rows


def example_cell(path: Path, draw: np.random.Generator, *, classes: int = 10, epochs: int = 10) -> None:
    """Every class alone: a network's loss falls to 0.1, and a one-class SVM rejects a fifth of its images."""
    is_svm = path.name == "ocsvm"
    source = SimpleNamespace(train_labels=np.arange(100) % classes, classes=tuple(map(str, range(classes))))
    svm = {"fit.score": np.linspace(-0.2, 0.8, 100), "state.coefficients": np.ones(4)}
    arrays = svm if is_svm else {"curve.loss": np.array([1.0, 0.1])}
    table = pd.DataFrame([about(source, c, arrays) for c in range(classes)])  # type: ignore[arg-type]
    budget = ({} if is_svm else spent(path, epochs=epochs)) | spent(path, classes=classes)
    rows = mean_rows(table, OF_SVM if is_svm else OF_NETWORK)
    results.write(path, budget=budget, metrics=rows, tables={"members": table})
