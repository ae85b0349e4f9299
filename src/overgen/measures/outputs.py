"""What networks say of images, stored once, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen.confidence import ScaledOutput, curvature, distance, log_gate, log_reconstruction
from overgen.models import PIXELS


def scores_of_images(
    network: nn.Module, images: np.ndarray, alphas: np.ndarray, *, beta: float, probes: int, device: Any = "cpu"
) -> np.ndarray:
    """ỹ of each image at its own α.

    network: trained; it is moved to `device`.
    images: (N, 28, 28) in [0, 1]; alphas: (N,).
    beta, probes: as in `ScaledOutput`.
    Returns (N, C) float64; (0, 0) for no image.
    """
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    scores: np.ndarray | None = None
    for alpha in np.unique(alphas):
        at_alpha = alphas == alpha
        x = torch.from_numpy(images[at_alpha].astype(np.float32))[:, None].to(device)
        with torch.no_grad():
            log_score = ScaledOutput(network, alpha=float(alpha), beta=beta, probes=probes)(x)
        block = log_score.double().exp().cpu().numpy()
        scores = np.zeros((len(images), block.shape[1])) if scores is None else scores
        scores[at_alpha] = block
    return np.zeros((0, 0)) if scores is None else scores


def image_outputs(network: nn.Module, images: Tensor, *, chunk: int, probes: int) -> dict[str, np.ndarray]:
    """All that α, β and τ need to know of each image, so that they can change without evaluating again.

    network: trained, on the images' device.
    images: (N, C, H, W) uint8; chunk: images evaluated together; probes: of the estimate of γ.
    Returns float32 arrays: log_y (N, C), distance (N,), gamma (N,), gamma_error (N,); only those that the network has.
    """
    from overgen.data import floats

    parts: dict[str, list[Tensor]] = {}
    for block in images.split(chunk):
        x = floats(block)
        with torch.no_grad():
            log_y, reconstruction = network(x)
        values_of = {} if log_y is None else {"log_y": log_y}
        if reconstruction is not None:
            values_of["distance"] = distance(x, reconstruction)
            values_of["gamma"], values_of["gamma_error"] = curvature(network, x, probes=probes)
        for name, values in values_of.items():
            parts.setdefault(name, []).append(values.detach())
    return {name: torch.cat(values).float().cpu().numpy() for name, values in parts.items()}


def part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix.`, without it."""
    return {name.removeprefix(prefix + "."): a for name, a in arrays.items() if name.startswith(prefix + ".")}


def scaled_scores(outputs: Mapping[str, np.ndarray], member: int, *, alpha: float, beta: float) -> np.ndarray:
    """log ỹ of images whose `image_outputs` were stored.

    outputs: stacked over members, (M, N, ...); member: which of them; alpha, beta: α and β.
    Returns (N, C) float64. Raises ValueError if a score is NaN.
    """
    scores = outputs["log_y"][member].astype(np.float64)
    if "distance" in outputs:
        gaps, gamma = (outputs[name][member].astype(np.float64) for name in ("distance", "gamma"))
        term = log_reconstruction(gaps, alpha=alpha, pixels=PIXELS) + log_gate(gamma, beta=beta)
        scores = scores + term[:, None]
    if np.isnan(scores).any():
        raise ValueError(f"member {member} has NaN scores")
    return scores
