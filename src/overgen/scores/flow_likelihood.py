"""The log likelihood of images under a diffusion model, by its probability-flow equation.

    dx/dσ = f(x, σ) = (x − D(x; σ)) / σ                                  (Karras et al. 2022, Eq. 1 with σ(t) = t)
    log p(x_smallest) = log p(x_largest) + ∫ tr(∂f/∂x) dσ, smallest to largest σ          (Song et al. 2021, Eq. 39)

The path is followed by Heun's method on levels that are evenly spaced in σ^(1/7) (Karras et al. 2022, Eq. 5). The trace
is Hutchinson's estimate with fixed vectors, the same for every image, so that an image scores the same in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

RHO = 7.0


def levels(smallest: float, largest: float, steps: int) -> list[float]:
    """The steps + 1 levels σ of the path, rising. Raises ValueError unless 0 < smallest < largest."""
    if not 0 < smallest < largest or steps < 1:
        raise ValueError(
            f"levels from {smallest} to {largest} in {steps} steps: need 0 < smallest < largest, steps ≥ 1"
        )
    low, high = smallest ** (1 / RHO), largest ** (1 / RHO)
    return [(low + (high - low) * i / steps) ** RHO for i in range(steps + 1)]


def flow_log_likelihood(network: Any, x: Tensor, sigmas: Sequence[float], probes: Tensor) -> Tensor:
    """log p(x) at the smallest level, in nats, of each image by itself; with a gradient in x if x wants one.

    network: has `restore(x, σ)` and `data_std`, see `models.denoisers`; x: (N, D), in the unit of the pixels.
    sigmas: rising, as `levels` gives them; probes: (m, D) of ±1, as `confidence.probe_vectors` gives them.
    At the largest level the data are taken for normal with mean 0 and variance σ² + data_std² in every pixel.
    Returns (N,) float64. The image is taken for one under noise of the smallest level.
    """
    slope, trace = _slope(network, x, sigmas[0], probes)
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for low, high in pairwise(sigmas):
        step = high - low
        there = x + step * slope
        slope_there, trace_there = _slope(network, there, high, probes)
        x = x + step / 2 * (slope + slope_there)
        total = total + step / 2 * (trace + trace_there)
        if high != sigmas[-1]:
            slope, trace = _slope(network, x, high, probes)
    variance = sigmas[-1] ** 2 + network.data_std**2
    normal = -0.5 * (x.double().square().sum(1) / variance + x.shape[1] * math.log(2 * math.pi * variance))
    return normal + total


def _slope(network: Any, x: Tensor, sigma: float, probes: Tensor) -> tuple[Tensor, Tensor]:
    """f(x, σ), (N, D), and the estimate of its trace, (N,) float64."""

    def flow(images: Tensor) -> Tensor:
        return (images - network.restore(images, sigma)) / sigma

    slope, traces = None, []
    for probe in probes.to(x):
        slope, along = torch.func.jvp(flow, (x,), (probe.expand_as(x),))  # type: ignore[misc]  # three only with has_aux
        traces.append(along.double() @ probe.to(along.device).double())
    assert slope is not None
    return slope, torch.stack(traces).mean(0)
