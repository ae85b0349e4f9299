"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.explore_anomaly import summary

KINDS = ("uniform", "constant", "data_mnist")


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    networks: Sequence[str] = ("autoencoder", "dae_sym"),
    kinds: Sequence[str] = KINDS,
    classes: int = 10,
    deviations: Sequence[int] = (1, 2, 3),
    seeds: int = 2,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Each kind is stranger than the one before it, and the first as strange as test images in the code."""
    labels = np.arange(120) % classes
    errors = {
        model: {
            f"{measure}.{kind}": np.abs(draw.normal(0.1 + 0.05 * place * (measure != "knn"), 0.03, 120))
            for measure in (*summary.RECONSTRUCTION, *summary.JUDGED)
            for place, kind in enumerate(("held_out", "known", *kinds))
        }
        for model in networks
    }
    epochs = np.arange(1, 5)
    curves = [pd.DataFrame({"seed": seed, "epoch": epochs, "mean": 0.09 + 0.03 / epochs + draw.normal(0, 1e-3, 4),
                            "deviation": 0.03 + 0.01 / epochs}) for seed in range(seeds)]  # fmt: skip
    rows, tables = summary.cell(errors, labels, pd.concat(curves, ignore_index=True), deviations)
    image = as_bytes(blobs(draw, 1 + len(kinds)))
    examples = {"kind": np.array(["known", *kinds]), "image": image, "reconstruction": image[::-1].copy(),
                "error": np.linspace(0.1, 0.3, len(image)), "mean_image": image[0]}  # fmt: skip
    for model, units in zip(networks, (summary.LARGEST_CODE, 400), strict=False):
        examples[f"{model}.weights"] = np.array("0123456789abcdef")
        if units <= summary.LARGEST_CODE:
            examples[f"{model}.means"] = np.zeros((classes, units), np.float32)
            examples[f"{model}.whitening"] = np.eye(units, dtype=np.float32)
    own = {"known_images": 120, "images": 120, "fitted_images": 400, "tutorial.epochs": 4}
    own = spent(path, **own)
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables, examples=examples)
