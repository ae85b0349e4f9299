"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.training.example import IMAGES, accuracy_row, trained_cell


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    classes: int = 10,
    epochs: int = 10,
    seeds: int = 1,
    tested: bool = False,
) -> None:
    """99 % of the test images are labelled right, and images are restored to what they were before the noise.

    tested: with a test curve.
    """
    unit, note = "L2, pixels in [0,1]", "seed spread not measured" if seeds == 1 else ""
    rows = [results.row("train", "mean_reconstruction_distance", 2.5, unit=unit, n=IMAGES, note=note)]
    if path.name == "autoencoder":
        for metric, value in (("mean_bce", 0.1234), ("std_bce", 0.0321)):
            rows.append(results.row("ae_anomaly", metric, value, unit="nats per pixel", n=IMAGES, note=note))
    else:
        rows.append(accuracy_row(seeds=seeds))
    clean = blobs(draw, classes)
    noisy, clean = as_bytes(clean + draw.normal(0, 0.2, clean.shape)), as_bytes(clean)
    images = {"clean": clean, "noisy": noisy, "restored": clean, "restored_clean": clean}
    images |= {"labels": np.arange(classes)}
    trained_cell(path, metrics=rows, examples=images, epochs=epochs, seeds=seeds, tested=tested)
