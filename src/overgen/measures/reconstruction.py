"""What an autoencoder says of images: their codes, and how far its reconstructions are from them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from overgen import data
from overgen.training.module import binary_cross_entropy


def codes_and_errors(network: nn.Module, images: Tensor, *, chunk: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The codes of images, (N, H) float32, and by measure the errors of their reconstructions, (N,) float64 each.

    network: with `encode`, and an output with a reconstruction; images: (N, C, H, W) uint8, on the network's device;
    chunk: images evaluated together.
    """
    codes, errors = [], []
    with torch.no_grad():
        for block in images.split(chunk):
            x = data.floats(block)
            h = network.encode(x)  # type: ignore[operator]
            codes.append(h)
            switches = network.switches(x) if hasattr(network, "switches") else None  # type: ignore[operator]
            r = network.decode(h) if switches is None else network.decode(h, switches)  # type: ignore[operator]
            errors.append(reconstruction_errors(r, x.flatten(1)))
    joined = {name: torch.cat([each[name] for each in errors]).cpu().numpy() for name in errors[0]}
    return torch.cat(codes).cpu().numpy(), joined


def reconstruction_errors(reconstruction: Tensor, x: Tensor) -> dict[str, Tensor]:
    """Errors of reconstructions by measure: mse, rmse (its root), mae, and bce, the cross-entropy in nats; per pixel.

    reconstruction, x: (N, D), x in [0, 1]; for bce the reconstruction is clipped to [0, 1]. Returns (N,) float64 each.
    """
    r, x = reconstruction.double(), x.double()
    squares = (r - x).square().mean(1)
    bce = binary_cross_entropy(r.clamp(0, 1), x).mean(1)
    return {"mse": squares, "rmse": squares.sqrt(), "mae": (r - x).abs().mean(1), "bce": bce}


def weights_digest(path: Path) -> str:
    """The first digits of the SHA-256 of a file of weights, by which it is known again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
