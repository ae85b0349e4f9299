"""What networks say of images, stored once, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.confidence import ScaledOutput, curvature, distance, log_gate, log_reconstruction
from overgen.models import PIXELS

TOGETHER = 2**22  # numbers of the images that are scored together: 27 images of 3 × 224 × 224


def scores_of_images(
    network: nn.Module, images: np.ndarray, alphas: np.ndarray, *, beta: float, probes: int, device: Any = "cpu"
) -> np.ndarray:
    """ỹ of each image at its own α.

    network: trained; it is moved to `device`.
    images: pictures, (N, H, W) or in colour (N, H, W, 3), in [0, 1]; alphas: (N,).
    beta, probes: as in `ScaledOutput`.
    Returns (N, K) float64, of K classes; (0, 0) for no image. Evaluates images of at most `TOGETHER` numbers together.
    Raises OvergenError for a score that is NaN.
    """
    from overgen.data import planes

    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    scores: np.ndarray | None = None
    for alpha in np.unique(alphas):
        scaled = ScaledOutput(network, alpha=float(alpha), beta=beta, probes=probes)
        size = max(1, TOGETHER // images[0].size)
        for rows in np.split(of := np.flatnonzero(alphas == alpha), range(size, len(of), size)):
            x = planes(torch.from_numpy(images[rows].astype(np.float32))).to(device)
            with torch.no_grad():
                block = scaled(x).double().exp().cpu().numpy()
            if np.isnan(block).any():
                number = int(rows[np.isnan(block).any(1)][0])
                raise OvergenError(f"{type(network).__name__} gives a score of NaN for image {number} of {len(images)}")
            scores = np.zeros((len(images), block.shape[1])) if scores is None else scores
            scores[rows] = block
    return np.zeros((0, 0)) if scores is None else scores


def image_outputs(network: nn.Module, images: Tensor, *, chunk: int, probes: int) -> dict[str, np.ndarray]:
    """All that α, β and τ need to know of each image, so that they can change without evaluating again.

    network: trained, on the images' device.
    images: (N, C, H, W) uint8; chunk: images evaluated together; probes: of the estimate of γ.
    Returns float32 arrays: log_y (N, K), distance (N,), gamma (N,), gamma_error (N,); only those that the network has;
    and where there is a distance, pixels (N,), the D of `pixels_of`, unless it is 784.
    Raises OvergenError for a NaN, which `argmax` would take for the largest score.
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
            if reconstruction.shape[1] != PIXELS:
                values_of["pixels"] = torch.full((len(x),), float(reconstruction.shape[1]))
        for name, values in values_of.items():
            if bool(values.isnan().any()):
                row = int(values.isnan().view(len(x), -1).any(1).nonzero()[0])
                number = row + sum(map(len, parts.get(name, [])))
                raise OvergenError(f"{type(network).__name__} gives a {name} of NaN for image {number}")
            parts.setdefault(name, []).append(values.detach())
    return {name: torch.cat(values).float().cpu().numpy() for name, values in parts.items()}


def pixels_of(outputs: Mapping[str, np.ndarray]) -> int:
    """D of the images that `image_outputs` were stored of: `pixels`, if it is there, else 784."""
    return int(outputs["pixels"].flat[0]) if "pixels" in outputs else PIXELS


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
        term = log_reconstruction(gaps, alpha=alpha, pixels=pixels_of(outputs)) + log_gate(gamma, beta=beta)
        scores = scores + term[:, None]
    if np.isnan(scores).any():
        raise ValueError(f"member {member} has NaN scores")
    return scores
