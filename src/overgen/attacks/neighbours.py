"""Neighbours of an image: changes brought to a given norm, noise of it, and noise on a few pixels.

A misclassified neighbour that an attack finds says little of how many there are: noise of the same norm does. And an
image whose label each changed pixel endangers alike, with probability ε, keeps it under n of them with probability
(1 − ε)ⁿ, the stability that `fit_stability` holds against what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

DOUBLINGS, HALVINGS = 60, 50  # of the scale of a change, until its norm is what was asked


def brought_to(images: Tensor, change: Tensor, norm: Tensor) -> Tensor:
    """Images plus a multiple of a change, clipped to [0, 1], where what the clipping leaves has the norm asked.

    images, change: (N, D), images in [0, 1]; norm: (N,) L2, positive. Returns (N, D). Raises ValueError where the box
    is too small: every pixel is at its end before the norm is reached.
    """

    def at(scale: Tensor) -> Tensor:
        return (images + scale[:, None] * change).clamp(0, 1)

    def reached(scale: Tensor) -> Tensor:
        return (at(scale) - images).norm(dim=1)

    high = norm / change.norm(dim=1)  # enough if nothing is clipped
    for _ in range(DOUBLINGS):
        short = reached(high) < norm
        if not bool(short.any()):
            break
        high = torch.where(short, 2 * high, high)
    widest = reached(high)
    if not bool((widest >= norm * (1 - 1e-6)).all()):
        worst = int((widest - norm).argmin())
        raise ValueError(
            f"a change of image {worst} reaches L2 {float(widest[worst]):.4g} in [0, 1], not {norm[worst]:.4g}"
        )
    low = torch.zeros_like(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = reached(middle) < norm
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return at(high)


def noisy(image: Tensor, norm: float, draws: int, generator: torch.Generator) -> Tensor:
    """An image (D,) with `draws` of Gaussian noise, each of that L2 norm inside [0, 1]. Returns (draws, D)."""
    noise = torch.randn(draws, len(image), generator=generator, dtype=torch.float64)
    images = image.double().expand(draws, -1)
    return brought_to(images, noise, torch.full((draws,), norm, dtype=torch.float64)).to(image.dtype)


def replaced(image: Tensor, pixels: Sequence[int], generator: torch.Generator) -> Tensor:
    """An image (D,) with its first n of a random order of pixels replaced by uniform noise, for each n of K `pixels`.

    Returns (K, D): the pixels of a smaller n are among those of a larger one, and have the same values.
    """
    order = torch.randperm(len(image), generator=generator)
    values = torch.rand(len(image), generator=generator, dtype=image.dtype)
    rank = order.argsort()
    return torch.stack([torch.where(rank < n, values, image) for n in pixels])


class Stability(NamedTuple):
    """(1 − ε)ⁿ fitted to shares. unexplained: the part of their variance that it leaves; fitted: (K,) its values."""

    epsilon: float
    unexplained: float
    fitted: np.ndarray


def fit_stability(pixels: Sequence[int], shares: np.ndarray) -> Stability:
    """The (1 − ε)ⁿ that is nearest to the shares of labels kept, by least squares. pixels, shares: (K,), in [0, 1]."""
    n = np.asarray(pixels, dtype=np.float64)

    def curve(log_rate: float) -> np.ndarray:  # −log(1 − ε) on a logarithmic scale: ε from 1e-9 to nearly 1
        return np.exp(-n * np.exp(log_rate))

    # of several basins the deepest: coarse grid first
    grid = np.linspace(np.log(1e-9), np.log(50), 200)
    errors = [np.square(curve(g) - shares).sum() for g in grid]
    best = int(np.argmin(errors))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    solution = minimize_scalar(lambda g: np.square(curve(g) - shares).sum(), bounds=bounds, method="bounded")
    spread = np.square(shares - shares.mean()).sum()
    fitted = curve(solution.x)
    unexplained = np.square(fitted - shares).sum() / spread if spread > 0 else 0.0
    return Stability(float(-np.expm1(-np.exp(solution.x))), float(unexplained), fitted)
