"""The Fooling Generator Network (Spigler 2019, Section 4.2), in its exact collapsed form.

The generator is one layer, x = σ(Wz + b), with a fixed random input z a trial; only W and b are trained, until the
attacked network calls x the target class with a score above τ. Since z is fixed, the gradient of W is g zᵀ with
g = ∂L/∂a, a = Wz + b, and Adam's moments factor: m_ij = m_i z_j, v_ij = v_i z_j². One step of Adam on the D·D + D
weights of images of D numbers is therefore, exactly,

    Δa_i = −η·m̂_i·( Σ_j z_j² / (|z_j|·√v̂_i + ε) + 1 / (√v̂_i + ε) )

and of gradient descent Δa = −η·g·(‖z‖² + 1). D numbers a trial follow the trajectory of D² + D weights: at 28 × 28 784
of 615,440, 21 times as fast and with a 785th of the state (benchmarks/fgn.py, 200 trials on one core); of colour images
of 224 × 224 150,528 of 2.3·10¹⁰. A block of T trials judged at P pairs (τ, α) holds about (P + 7)·T·D numbers: z, a,
its gradient, two moments, images, and the (P + 1) that `FirstPassage` keeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from overgen.attacks.passage import FirstPassage, Passage, Trials, of_target
from overgen.confidence import log_reconstruction

LOWEST, HIGHEST, NODES = 1e-9, 1e9, 2048  # of the tabulated √v̂/ε, and grid points between
TABULATED = 2**21  # numbers (float64) at a time while a table is made


class InputSum:
    """s ↦ Σ_j z_j² / (|z_j|·s + ε) for each trial, by cubic Hermite interpolation of its log on a grid in log s.

    The sum is a smooth function of one scalar a trial, but costs P divisions for each of P pixels. The grid has
    2,048 nodes over s/ε from 1e-9 to 1e9; beyond, the limits Σz²/ε and Σ|z|/s hold to 1e-8, below float32's rounding.
    Its table takes 2·2,048 numbers a trial, and is made in blocks of at most `TABULATED` terms, 16 MB each.

    z: (T, P). Calling it on s (N, P) with rows (N,), the trial of each row, gives (N, P).
    """

    def __init__(self, z: Tensor, eps: float) -> None:
        magnitudes = z.detach().double().abs().clamp(min=1e-300)
        t = torch.linspace(
            torch.tensor(LOWEST).log().item(), torch.tensor(HIGHEST).log().item(), NODES, dtype=torch.float64
        ).to(z.device)
        # Written in place: small results kept between large blocks would scatter these over the heap, seen: 12 GB.
        values, slopes = (torch.empty(len(z), NODES, dtype=torch.float64, device=z.device) for _ in range(2))
        size = max(1, TABULATED // z.shape[1])
        for trial, row in enumerate(magnitudes):
            for nodes in torch.arange(NODES).split(size):  # at 28 × 28 all of them
                gate = torch.sigmoid(t[nodes, None] + row.log())  # |z|s / (|z|s + ε), with t = log(s/ε)
                total = gate @ row
                values[trial, nodes] = total.log() - t[nodes]  # log of ε·(sum)
                slopes[trial, nodes] = (gate * (1 - gate)) @ row / total - 1
        self.start, self.step, self.eps = float(t[0]), float(t[1] - t[0]), eps
        self.values = values.to(z.dtype)
        self.slopes = (slopes * self.step).to(z.dtype)
        self.first, self.squares = z.abs().sum(1), z.square().sum(1)

    def __call__(self, s: Tensor, rows: Tensor) -> Tensor:
        ratio = s / self.eps
        position = (ratio.clamp(LOWEST, HIGHEST).log() - self.start) / self.step
        node = position.floor().clamp(0, NODES - 2).long()
        u = position - node
        index = rows[:, None] * NODES + node
        f0, f1 = self.values.view(-1)[index], self.values.view(-1)[index + 1]
        d0, d1 = self.slopes.view(-1)[index], self.slopes.view(-1)[index + 1]
        cubic = f0 + u * (d0 + u * (3 * (f1 - f0) - 2 * d0 - d1 + u * (2 * (f0 - f1) + d0 + d1)))
        inside = cubic.exp() / self.eps
        below = (self.squares / self.eps)[rows][:, None].expand_as(s)
        above = self.first[rows][:, None] / s
        return torch.where(ratio < LOWEST, below, torch.where(ratio > HIGHEST, above, inside))


class CollapsedAdam(torch.optim.Optimizer):
    """Adam on the weights and biases of all generators, as steps of their pre-activations a, (T, P).

    z: (T, P) inputs of the generators. rows: gives the trials (indices) to move; all of them by default.
    """

    def __init__(
        self,
        a: nn.Parameter,
        z: Tensor,
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        rows: Callable[[], Tensor] | None = None,
    ) -> None:
        super().__init__([a], {"lr": lr, "betas": betas, "eps": eps})
        self.input_sum = InputSum(z, eps)
        self.rows = rows or (lambda: torch.arange(len(a), device=a.device))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step. closure: evaluates the loss and its gradient, as Lightning passes it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        group = self.param_groups[0]
        (a,) = group["params"]
        beta1, beta2 = group["betas"]
        state = self.state[a]
        if not state:
            state.update(step=0, m=torch.zeros_like(a), v=torch.zeros_like(a))
        state["step"] += 1
        state["m"].lerp_(a.grad, 1 - beta1)
        state["v"].mul_(beta2).addcmul_(a.grad, a.grad, value=1 - beta2)
        rows = self.rows()
        m = state["m"][rows] / (1 - beta1 ** state["step"])
        s = (state["v"][rows] / (1 - beta2 ** state["step"])).sqrt()
        a[rows] -= group["lr"] * m * (self.input_sum(s, rows) + 1 / (s + group["eps"]))
        return loss


class CollapsedSGD(torch.optim.Optimizer):
    """Plain gradient descent on the weights and biases of all generators: Δa = −η·g·(‖z‖² + 1). z: (T, P)."""

    def __init__(self, a: nn.Parameter, z: Tensor, *, lr: float) -> None:
        super().__init__([a], {"lr": lr})
        self.factor = z.square().sum(1, keepdim=True) + 1

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step. closure: evaluates the loss and its gradient, as Lightning passes it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        (a,) = self.param_groups[0]["params"]
        a -= self.param_groups[0]["lr"] * a.grad * self.factor
        return loss


def start(
    generators: Sequence[torch.Generator],
    kind: str,
    dtype: torch.dtype = torch.float32,
    *,
    pixels: int,
    initial: float | str = "glorot",
) -> tuple[Tensor, Tensor]:
    """Generator inputs z and first pre-activations a = Wz + b of T trials, (T, P) each, from a generator a trial.

    pixels: P, the numbers of an image, those of all its channels.

    kind: z "normal", N(0, 1), or "uniform", U[0, 1]. initial: W is normal with this deviation s, or Glorot-normal,
    s² = 1/P; b = 0. Then a given z is N(0, s²‖z‖²) independently for each pixel, so it is drawn without drawing W.
    """
    z, a = [], []
    for generator in generators:
        draw = torch.randn if kind == "normal" else torch.rand
        z.append(draw(pixels, generator=generator, dtype=torch.float64))
        size = z[-1].square().mean().sqrt() if initial == "glorot" else float(initial) * z[-1].norm()
        a.append(torch.randn(pixels, generator=generator, dtype=torch.float64) * size)
    return torch.stack(z).to(dtype), torch.stack(a).to(dtype)


class FoolingGenerator(Trials):
    """A block of trials of the generator against one network.

    network: attacked, frozen; a: (T, D) first pre-activations; z: (T, D) inputs; targets: (T,); shape: (C, H, W).
    thresholds: (τ, α) pairs judged on ỹ; a trial that has passed all of them ends.
    alpha: None attacks y: the loss is −log y_t. A number attacks ỹ: −log c̃ − log y_t in log space with that α, of which
    Γ is left out of the loss (where γ ≤ 0 it has no gradient) but never out of the judgement.
    clip: the loss takes y_t for no smaller than this, as code does that would not take the log of 0: below it the loss
    has no gradient, and the trial never moves.
    """

    def __init__(
        self,
        network: nn.Module,
        z: Tensor,
        a: Tensor,
        targets: Tensor,
        *,
        shape: Sequence[int],
        thresholds: Sequence[tuple[float, float]],
        beta: float,
        probes: int,
        learning_rate: float,
        optimizer: str = "adam",
        alpha: float | None = None,
        clip: float | None = None,
    ) -> None:
        passage = FirstPassage(
            network, torch.sigmoid(a), targets, shape=shape, thresholds=thresholds, beta=beta, probes=probes
        )
        super().__init__(network, targets, passage)
        self.a = nn.Parameter(a.clone())
        self.z = z
        self.learning_rate, self.optimizer, self.alpha, self.clip = learning_rate, optimizer, alpha, clip

    def images(self, rows: Tensor) -> Tensor:
        return torch.sigmoid(self.a[rows])

    def loss(self, update: int, rows: Tensor, x: Tensor, log_y: Tensor, distances: Tensor | None) -> Tensor:
        log_target = of_target(log_y, self.targets[rows])
        loss = -log_target if self.clip is None else -log_target.clamp(min=math.log(self.clip))
        if self.alpha is not None and distances is not None:
            loss = loss - log_reconstruction(distances, alpha=self.alpha, pixels=x.shape[1])
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.optimizer == "sgd":
            return CollapsedSGD(self.a, self.z, lr=self.learning_rate)
        return CollapsedAdam(self.a, self.z, lr=self.learning_rate, rows=lambda: self.passage.running)


def attack(
    network: nn.Module,
    targets: Sequence[int],
    generators: Sequence[torch.Generator],
    trainer: pl.Trainer,
    *,
    shape: Sequence[int],
    updates: int,
    input: str,
    initial: float | str,
    **options: Any,
) -> Passage:
    """Attack a network with a block of T trials, for at most so many updates.

    network: frozen, differentiable, on the trainer's device. targets: T class numbers. generators: one a trial, from
    which alone the trial's chance comes. shape: (C, H, W) of the images. input, initial: see `start`, as kind and
    initial. options: of `FoolingGenerator`.
    """
    device = next(network.parameters(), torch.zeros(0)).device
    z, a = start(generators, input, pixels=math.prod(shape), initial=initial)
    wanted = torch.tensor(targets, device=device)
    module = FoolingGenerator(network, z.to(device), a.to(device), wanted, shape=shape, **options)
    return module.run(trainer, updates)
