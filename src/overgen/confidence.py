"""The confidence of a denoising autoencoder in its input (Spigler 2019, Eq. 3–6), in log space.

    log c̃(x) = −(α/D)·‖r(x) − x‖₂ + log Γ(x),   Γ = 1 if γ ≤ 0, else exp(−βγ),   γ = (tr ∂r/∂x − D) / D
    log ỹ = log c̃ + log y

The norm is not squared. Products of small numbers are sums of logs here: nothing underflows to a silent "not fooled".
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CLEAR = 6  # standard errors: an estimate of γ so far below 0 settles that Γ = 1


def distance(x: Tensor, reconstruction: Tensor) -> Tensor:
    """‖r(x) − x‖₂ of each image.

    x: (N, ...) with D elements an image; reconstruction: (N, D).
    Returns (N,), in the unit of x. Raises ValueError on a shape mismatch.
    """
    if x.flatten(1).shape != reconstruction.shape:
        raise ValueError(f"x {tuple(x.shape)} and its reconstruction {tuple(reconstruction.shape)} differ in shape")
    return torch.linalg.vector_norm(reconstruction - x.flatten(1), dim=1)


def log_reconstruction(distance: Any, *, alpha: float, pixels: int) -> Any:
    """The first factor of Eq. 3 in log space, −(α/D)·‖r − x‖₂.

    distance: (N,) tensor or array, ‖r − x‖₂; alpha: α; pixels: D.
    Returns (N,), ≤ 0.
    """
    return -(alpha / pixels) * distance


def acceptance_radius(tau: float, *, alpha: float, pixels: int) -> float:
    """‖r − x‖₂ beyond which ỹ < τ even where y = 1 and Γ = 1: −ln τ · D/α, from Eq. 3; infinite at α = 0.

    tau: τ in (0, 1); alpha: α; pixels: D.
    """
    return -math.log(tau) * pixels / alpha if alpha else math.inf


def log_gate(gamma: Any, *, beta: float) -> Any:
    """log Γ of Eq. 4: 0 where γ ≤ 0, else −βγ.

    gamma: (N,) tensor or array, γ; beta: β.
    Returns (N,), ≤ 0.
    """
    return -beta * gamma.clip(min=0)


def exact_curvature(network: Any, x: Tensor, *, skip_idle: bool = True) -> Tensor:
    """γ of Eq. 5 exactly: tr(BA) with A = ∂h/∂x and B = ∂r/∂h, through the hidden layer h rather than D pixels.

    network: has `encode` and `decode`; `active` if units of h can be idle, which are then left out; and `switches` if
        its decoder takes more than h from the image.
    x: (N, C, H, W).
    skip_idle: leave the idle units out; without it the operations are the same for every image, as a recorded graph
        needs.
    Returns (N,). One image at a time: the Jacobians of one image are (H, D) each. On two CPU cores 9 times as fast as a
    whole Jacobian (benchmarks/curvature.py).
    """
    gammas = [_curvature_of_one(network, image, skip_idle) for image in x.split(1)]
    return torch.stack(gammas) if gammas else x.new_zeros(0)


def _curvature_of_one(network: Any, image: Tensor, skip_idle: bool) -> Tensor:
    """γ of one image (1, C, H, W), a scalar."""
    switches = network.switches(image) if hasattr(network, "switches") else None
    decode = network.decode if switches is None else partial(network.decode, switches=switches)
    h, pull_back = torch.func.vjp(network.encode, image)  # type: ignore[misc]  # three only with has_aux
    basis = torch.eye(h.shape[1], dtype=h.dtype, device=h.device).unsqueeze(1)  # (H, 1, H)
    if skip_idle and hasattr(network, "active"):
        basis = basis[network.active(h)[0]]
    rows = torch.func.vmap(lambda e: pull_back(e)[0])(basis).flatten(1)  # A, (H, D)
    columns = torch.func.vmap(lambda e: torch.func.jvp(decode, (h,), (e,))[1])(basis).flatten(1)  # B, (H, D)
    return (rows * columns).sum() / image.numel() - 1


def input_curvature(network: Any, x: Tensor) -> Tensor:
    """γ of Eq. 5 exactly, by one forward derivative along each of the D inputs, all points at once.

    For points of few dimensions; where the hidden layer is narrower than D, `exact_curvature` costs less.
    network: has `encode` and `decode`; x: (N, D). Returns (N,).
    """

    def reconstruct(points: Tensor) -> Tensor:
        return network.decode(network.encode(points))

    axes = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    slopes = [torch.func.jvp(reconstruct, (x,), (axis.expand_as(x),))[1] @ axis for axis in axes]  # ∂rᵢ/∂xᵢ, (N,) each
    return torch.stack(slopes, 1).mean(1) - 1


def estimated_curvature(
    network: Any, x: Tensor, probes: Tensor, *, differentiable: bool = False
) -> tuple[Tensor, Tensor]:
    """γ of Eq. 5 by Hutchinson's estimator, (1/m)·Σ vᵀJv, and a bound on its standard error.

    network: gives an `Output` with a reconstruction.
    x: (N, C, H, W).
    probes: (m, D) of ±1, the same for every image, so that an image scores the same in any batch.
    differentiable: the estimate has a gradient in x; with ReLU units and linear pixels it is 0: J is constant around x.
    The variance of vᵀJv is at most 2‖J‖²_F, and E‖Jᵀv‖² = ‖J‖²_F comes with the same backward pass.
    Returns estimate and error, (N,) each, in the unit of γ.
    """
    x = x if differentiable else x.detach().requires_grad_()
    traces: list[Tensor] = []
    squares: list[Tensor] = []
    with torch.enable_grad():
        reconstruction = network(x).reconstruction
        pixels = reconstruction.shape[1]
        for i, v in enumerate(probes):
            more = differentiable or i + 1 < len(probes)
            total = (reconstruction @ v).sum()
            (product,) = torch.autograd.grad(total, x, retain_graph=more, create_graph=differentiable)
            traces.append(product.flatten(1) @ v)
            squares.append(product.detach().flatten(1).square().sum(1))
    trace = torch.stack(traces).mean(0)
    error = (2 * torch.stack(squares).mean(0) / len(probes)).sqrt()
    return (trace - pixels) / pixels, error / pixels


def probe_vectors(count: int, pixels: int) -> Tensor:
    """`count` fixed Rademacher vectors, (count, pixels) of ±1 in float32: the same on every machine and every call."""
    bits = np.random.Generator(np.random.Philox(key=0)).integers(0, 2, size=(count, pixels))
    return torch.from_numpy(bits.astype(np.float32) * 2 - 1)


def curvature(network: nn.Module, x: Tensor, *, probes: int) -> tuple[Tensor, Tensor]:
    """γ of Eq. 5: estimated where that settles Γ = 1, exact everywhere else.

    network: has `encode` and `decode`, see `exact_curvature`.
    x: (N, C, H, W).
    probes: vectors of the estimate.
    Γ is 1 for every γ ≤ 0, so an estimate more than CLEAR of its standard errors below 0 needs no exact trace.
    Returns γ and its standard error (0 where exact), (N,) each.
    """
    vectors = probe_vectors(probes, x[0].numel()).to(x) if len(x) else x.new_zeros(0)
    if not len(x):
        return vectors, vectors
    gamma, error = estimated_curvature(network, x, vectors)
    open_rows = gamma + CLEAR * error > 0
    if bool(open_rows.any()):
        gamma[open_rows] = exact_curvature(network, x[open_rows])
        error[open_rows] = 0
    return gamma, error


class ScaledOutput(nn.Module):
    """What the defence reports: log ỹ = log c̃ + log y of a trained network (Eq. 6); c̃ = 1 if it does not reconstruct.

    network: trained, gives an `Output`.
    alpha, beta: α and β of Eq. 3–4.
    probes: vectors of the estimate of γ.
    """

    def __init__(self, network: nn.Module, *, alpha: float, beta: float, probes: int = 2) -> None:
        super().__init__()
        self.network = network
        self.alpha, self.beta, self.probes = alpha, beta, probes
        self.reconstructs = hasattr(network, "decode")

    def upper_bound(self, x: Tensor) -> Tensor:
        """log ỹ without the curvature term, an upper bound since Γ ≤ 1. x: (N, C, H, W). Returns (N, K)."""
        log_y, reconstruction = self.network(x)
        if not self.reconstructs:
            return log_y
        term = log_reconstruction(distance(x, reconstruction), alpha=self.alpha, pixels=reconstruction.shape[1])
        return log_y + term[:, None]

    def log_curvature(self, x: Tensor) -> Tensor:
        """log Γ. x: (N, C, H, W). Returns (N,), ≤ 0; zeros for a network that does not reconstruct. Costly."""
        if not self.reconstructs:
            return x.new_zeros(len(x))
        gamma, _ = curvature(self.network, x, probes=self.probes)
        return log_gate(gamma, beta=self.beta)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W). Returns log ỹ, (N, K)."""
        return self.upper_bound(x) + self.log_curvature(x)[:, None]
