"""What made-up cells are drawn from: `example_cell` of a stage writes one, for tests of what reads cells.

A made-up cell is nobody's result. It goes through the stage's own summary, so that it has the form of a real one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen.measures.thresholds import Threshold, threshold_pairs

THRESHOLDS = [Threshold(tau=0.9, alpha=20.0), Threshold(tau=0.99, alpha=3.0), Threshold(tau=0.99, alpha=2.0)]
BETA = 10.0


def reconstructs(model: str) -> bool:
    """Whether networks of a model have a decoder, as its name says."""
    return model.startswith(("dae", "autoencoder")) and not model.endswith("_gate_off")


def pairs_of(model: str) -> list[tuple[float, float]]:
    """The (τ, α) that a model is judged at."""
    return threshold_pairs(THRESHOLDS, reconstructs=reconstructs(model))


def blobs(draw: np.random.Generator, *shape: int) -> np.ndarray:
    """Images that look like something, (..., 28, 28) float32 in [0, 1]."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    centres = draw.uniform(-0.5, 0.5, (*shape, 2, 1, 1))
    return np.exp(-6 * ((x - centres[..., 0, :, :]) ** 2 + (y - centres[..., 1, :, :]) ** 2)).astype(np.float32)


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] as uint8."""
    return np.rint(255 * images).clip(0, 255).astype(np.uint8)


def outputs(
    draw: np.random.Generator, model: str, labels: np.ndarray, *, members: int = 1, classes: int = 10, sure: float = 6.0
) -> dict[str, np.ndarray]:
    """Made-up `image_outputs` of some members, stacked: (M, N, ...) float32.

    labels: (N,), of the images; −1 for noise, of which no class is likelier. sure: by how much the logit of the label
    is higher, on average.
    """
    shape = (members, len(labels))
    logits = draw.normal(0, 1, (*shape, classes))
    logits[:, labels >= 0, labels[labels >= 0]] += sure + draw.normal(0, 2, (members, int((labels >= 0).sum())))
    log_y = logits - np.log(np.exp(logits).sum(2, keepdims=True))
    arrays = {"log_y": log_y.astype(np.float32)} if model != "autoencoder" else {}
    if reconstructs(model):
        arrays["distance"] = np.abs(np.where(labels >= 0, 2.5, 7.0) + draw.normal(0, 0.7, shape)).astype(np.float32)
        arrays["gamma"] = draw.normal(-0.5, 0.2, shape).astype(np.float32)
        arrays["gamma_error"] = np.full(shape, 0.01, np.float32)
    return arrays


def spent(path: Path, **counts: int) -> dict[str, int]:
    """What a cell's own stage spent, by params.yaml path. path: reports/cells/<dataset>/<stage>/<model>."""
    dataset, stage = path.parts[-3:-1]
    return {f"{stage}.{dataset}.{name}": count for name, count in counts.items()}
