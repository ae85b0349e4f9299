"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.evaluate_unknowns import summary

KINDS = ("uniform", "shuffled", "silhouettes", "textures", "data_digits", "fooling")


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    methods: Sequence[str] = ("softmax", "openmax", "knn", "mahalanobis"),
    best: str = "knn",
    kinds: Sequence[str] = KINDS,
    refused: Mapping[str, str] | None = None,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """The best method tells known from unknown; each other less well than the one before it, each kind less, too."""
    labels = np.arange(200) % classes
    answers = np.where(draw.random(len(labels)) < 0.97, labels, (labels + 1) % classes)
    scores: dict[str, np.ndarray] = {"network.predicted": answers}
    for i, method in enumerate(methods):
        gap = 4.0 if method == best else 2.0 / (1 + i)
        scores |= {f"{method}.{name}": draw.normal(gap, 1, 60 if name == "held_out" else len(labels))
                   for name in ("held_out", "test")}  # fmt: skip
        scores |= {f"{method}.{kind}": draw.normal(0.3 * k, 1, 40) for k, kind in enumerate(kinds)}
        scores[f"{method}.predicted"] = answers
    rows, trials = summary.cell(scores, labels, kinds, refused or {}, 0.95)
    own = {
        f"evaluate_unknowns.{name}": n for name, n in (("known_images", 200), ("images", 40), ("fitted_images", 900))
    }
    own["evaluate_scores.fit_images"] = 900
    examples = summary.examples({kind: as_bytes(blobs(draw, 8)) for kind in kinds})
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables={"trials": trials}, examples=examples)
