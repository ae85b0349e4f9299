"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import BETA, as_bytes, blobs, outputs, pairs_of, spent
from overgen.stages.explore_clutter import summary


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    networks: Sequence[str] = ("cnn", "dae_sym"),
    strengths: Sequence[float] = (0, 1),
    objects: Sequence[int] = (1, 2),
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Whole pictures over a ground are noise to every network; within masks they are clear."""
    labels = np.arange(4 * classes) % classes
    made = {"labels": labels}
    for strength in strengths:
        for way in summary.SCENES:
            made[f"scene.{way}.{strength:g}"] = as_bytes(blobs(draw, len(labels)))[:, None]
        made[f"mask.{strength:g}"] = as_bytes(blobs(draw, len(labels)))
    for count in objects:
        made[f"labels.{count}"] = draw.integers(0, classes, (12, count))
    seen = {}
    for model in networks:
        arrays = {}
        for way in summary.SCENES:
            for strength in strengths:
                of = np.full(len(labels), -1) if way == "whole" and strength else labels
                arrays[f"scene.{way}.{strength:g}"] = outputs(draw, model, of, classes=classes)
        for way in summary.CANVASES:
            for count in objects:
                of = np.full((12, 1 if way == "whole" else 4), -1)
                if way != "whole":
                    of[:, :count] = made[f"labels.{count}"]
                arrays[f"canvas.{way}.{count}"] = outputs(draw, model, of.ravel(), classes=classes)
        seen[model] = {f"{picture}.{name}": array[0] for picture, of in arrays.items() for name, array in of.items()}
    rows, tables, examples = summary.cell(
        seen, made, strengths, objects, BETA, lambda reconstructs: pairs_of("dae_sym" if reconstructs else "cnn")
    )
    own = spent(path, **{"images": 4, "canvases": 12, "attention.steps": 5})
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables, examples=examples)
