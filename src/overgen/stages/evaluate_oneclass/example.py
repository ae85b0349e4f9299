"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import BETA, outputs, pairs_of
from overgen.stages.evaluate_oneclass import summary
from overgen.stages.evaluate_oneclass.points import point_rows

IMAGES = 200


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    sure: float = 1.0,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """A problem for each class. sure: how far its images lie above the others, in deviations of a score."""
    labels = np.arange(IMAGES) % classes
    every = {"labels": labels, "classes": np.arange(classes), "names": np.arange(classes).astype(str)}
    if path.name == "ocsvm":
        every["score"] = np.stack([draw.normal(0, 1, IMAGES) + sure * (labels == c) for c in range(classes)])
    else:
        members = [one_class(draw, path.name, labels, c, sure, classes) for c in range(classes)]
        every |= {name: np.concatenate([member[name] for member in members]) for name in members[0]}
    alphas = list(dict.fromkeys(alpha for _, alpha in pairs_of(path.name)))
    scores = [summary.scores(every, member, alphas, BETA) for member in range(classes)]
    trials = summary.trials(labels, every["classes"], every["names"], scores)
    fpr = np.linspace(0, 1, 101)
    curves = [summary.averaged_roc(labels, every["classes"], scores, suffix, fpr) for suffix in scores[0]]
    tables = {"trials": trials, "roc": pd.concat(curves, ignore_index=True)}
    rows = summary.mean_rows(trials) + point_rows(tables["roc"], classes) + summary.share_rows(every)
    results.write(path, budget=dict(budget or {}), metrics=rows, tables=tables)


def one_class(
    draw: np.random.Generator, model: str, labels: np.ndarray, chosen: int, sure: float, classes: int
) -> dict[str, np.ndarray]:
    """Made-up outputs of a network that has seen one class, and answers with it."""
    arrays = outputs(draw, model, np.full(len(labels), chosen), classes=classes)
    own = labels == chosen
    if "log_y" in arrays:
        arrays["log_y"][0, :, chosen] += np.where(own, sure, 0).astype(np.float32)
    if "distance" in arrays:
        arrays["distance"][0] += np.where(own, 0, sure).astype(np.float32)
    return arrays
