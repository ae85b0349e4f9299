"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.evaluate_openset.example import openset_outputs
from overgen.stages.evaluate_scores import summary


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    methods: Sequence[str] = ("softmax", "knn", "pca_pixels"),
    best: str = "knn",
    known: Sequence[int] = (1, 5, 10),
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
    experiment: str = "scores",
) -> None:
    """The best method tells known from unknown images on every problem; each other less well than the one before it."""
    stored = openset_outputs(draw, path.name, known, classes)
    labels = stored["labels"]
    images = as_bytes(blobs(draw, len(labels)))
    scores = []
    for own in stored["known"]:
        arrays: dict[str, np.ndarray] = {}
        for i, method in enumerate(methods):
            gap = 4.0 if method == best else 1.5 / (1 + i)
            arrays |= {
                f"{method}.held_out": draw.normal(gap, 1, 60),
                f"{method}.test": draw.normal(0, 1, len(labels)) + gap * own[labels],
                f"{method}.predicted": np.where(draw.random(len(labels)) < 0.97, labels, (labels + 1) % classes),
            }
            arrays |= {
                f"{method}.{kind}": draw.normal(0, 1, 30) for kind in ("uniform", "normal", "shuffled", "fooling")
            }
        scores.append(arrays)
    tables, examples = summary.tables(stored, scores, 0.95, images)
    own_budget = {"evaluate_scores.fit_images": 1000, "evaluate_scores.noise_images": 30}
    rows = [row | {"experiment": experiment} for row in summary.mean_rows(tables["trials"])]
    results.write(path, budget=dict(budget or {}) | own_budget, metrics=rows, tables=tables, examples=examples)
