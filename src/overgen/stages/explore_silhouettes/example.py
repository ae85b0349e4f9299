"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.data.animals import ANIMALS
from overgen.data.letters import LETTERS
from overgen.run import results
from overgen.run.example import BETA, as_bytes, blobs, outputs, pairs_of, reconstructs, spent
from overgen.stages.explore_silhouettes import summary


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    networks: Sequence[str] = ("cnn", "cool", "dae_sym"),
    kinds: Sequence[str] = ("animals", "letters"),
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Networks without a decoder are sure of many images, the denoising autoencoder of none."""
    names = {"animals": ANIMALS, "letters": tuple(LETTERS)}
    unknown = {
        kind: summary.Kind(as_bytes(blobs(draw, 6 * len(names[kind]))), np.repeat(np.arange(len(names[kind])), 6),
                           names[kind])
        for kind in kinds
    }  # fmt: skip
    made = {}
    for model in (*networks, "autoencoder"):
        parts = {"known": np.arange(50) % classes, **{kind: of.groups % classes for kind, of in unknown.items()}}
        made[model] = {
            f"{part}.{name}": array[0]
            for part, labels in parts.items()
            for name, array in outputs(draw, model, labels, classes=classes).items()
        }
        for part, labels in parts.items():
            if part != "known" and reconstructs(model):
                made[model][f"{part}.distance"] = made[model][f"{part}.distance"] + 5
            if model != "autoencoder":
                made[model][f"{part}.nearest"] = -np.abs(draw.normal(1 + (part != "known"), 0.5, len(labels)))
    rows, tables, examples = summary.cell(
        made, unknown, BETA, lambda reconstructs: pairs_of("dae_sym" if reconstructs else "cnn")
    )
    own = spent(path, animals=6, letters=6, known_images=50, fitted_images=100)
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables, examples=examples)
