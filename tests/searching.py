"""Objectives for attacks on a score that are formulas, so that another library can attack just the same ones."""

from __future__ import annotations

import torch
from torch import Tensor


def waves(*shape: int, pace: float) -> Tensor:
    """Numbers in [−1, 1] that look random and are the same everywhere: float64."""
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return torch.sin(pace * count + (pace / 7 * count) ** 2 / 31).view(*shape)


def images(trials: int, pixels: int, *, inner: bool) -> Tensor:
    """(T, D) float64: between .3 and .7, or in [0, 1] with about half of the pixels exactly 0 or 1."""
    wave = waves(trials, pixels, pace=1.7)
    return 0.5 + 0.2 * wave if inner else (0.5 + 0.75 * wave).clamp(0, 1)


def network(x: Tensor, hidden: int = 24) -> Tensor:
    """A guide (R,) of images (R, D): a network of two layers, neither concave nor without kinks."""
    pixels = x.shape[1]
    h = (x - 0.4) @ waves(pixels, hidden, pace=2.3).to(x) * 6 / pixels**0.5
    return (torch.tanh(2 * h) + 0.3 * h.abs()) @ waves(hidden, pace=0.9).to(x) - 0.02 * (h**2).sum(1)
