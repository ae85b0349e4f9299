"""What the network says of points."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overgen.confidence import distance, input_curvature, log_gate, log_reconstruction
from overgen.models.points import PointAutoencoder

CHUNK = 4096  # points evaluated together


def point_outputs(network: PointAutoencoder, points: Tensor) -> dict[str, np.ndarray]:
    """All that α and β need to know of points.

    points: (N, 2). Returns float32 log_y (N, C), distance (N,) and exact gamma (N,).
    """
    parts: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for x in points.split(CHUNK):
            log_y, reconstruction = network(x)
            parts.append((log_y, distance(x, reconstruction), input_curvature(network, x)))
    names = ("log_y", "distance", "gamma")
    return {name: torch.cat(values).numpy() for name, values in zip(names, zip(*parts, strict=True), strict=True)}


def scores(outputs: dict[str, np.ndarray], *, alpha: float, beta: float) -> dict[str, np.ndarray]:
    """The scores of points and their factors (Spigler 2019, Eq. 3–6), each in [0, 1].

    outputs: of `point_outputs`; alpha, beta: α and β.
    Returns y and scaled, ỹ, (N, C); ungated, ỹ with Γ = 1, (N, C); and the factors of c̃, (N,): reconstruction,
    exp(−(α/D)·‖r − x‖₂) with D = 2, and gate, Γ.
    """
    y = np.exp(outputs["log_y"])
    reconstruction = np.exp(log_reconstruction(outputs["distance"], alpha=alpha, pixels=2))
    gate = np.exp(log_gate(outputs["gamma"], beta=beta))
    ungated = y * reconstruction[:, None]
    return {
        "y": y,
        "ungated": ungated,
        "scaled": ungated * gate[:, None],
        "reconstruction": reconstruction,
        "gate": gate,
    }
