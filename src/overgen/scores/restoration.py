"""How far a noise-conditional denoiser moves an image: −‖D(x; σ) − x‖₂, the paper's c̃ with today's denoiser.

Spigler 2019, Eq. 3, has the reconstruction of one denoising autoencoder in this place. Since
D(x; σ) − x = σ²·∇ log p_σ(x), the score is minus σ² times the length of the gradient of the log density of the data
under noise: 0 at its modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def restoration(network: Any, x: Tensor, sigmas: Sequence[float], *, held_back: bool = False) -> Tensor:
    """−‖D(x; σ) − x‖₂, a mean over the levels, of each image by itself.

    network: has `restore(x, σ)`, see `models.denoisers`; x: (N, D) in [0, 1]; sigmas: one or more σ > 0.
    held_back: no gradient goes through the network, so that what is left of it points from the image to the restored
        one (as in BPDA, Athalye et al. 2018, where the network itself gives none).
    Returns (N,) float64, ≤ 0, in the unit of the pixels. Raises ValueError without a level.
    """
    if not sigmas:
        raise ValueError("sigmas: one level at least")
    total = x.new_zeros(len(x), dtype=torch.float64)
    for sigma in sigmas:
        restored = network.restore(x, sigma)
        moved = (restored.detach() if held_back else restored) - x
        total = total - torch.linalg.vector_norm(moved.double(), dim=1)
    return total / len(sigmas)
