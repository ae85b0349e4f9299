"""Networks for which attacks can be worked out by hand, and a Trainer to attack them with."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from overgen.attacks.evolution import Result, evolve
from overgen.models import Output
from overgen.run.streams import generator


class Linear(torch.nn.Module):
    """A linear softmax on pixels, optionally with a 'reconstruction' a fixed distance away."""

    def __init__(self, classes: int = 3, apart: float | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(
            torch.randn(784, classes, generator=generator("linear"), dtype=torch.float64) / 10, requires_grad=False
        )
        self.apart = apart
        if apart is not None:
            self.encode, self.decode = self.flat, self.moved

    def flat(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def moved(self, h: torch.Tensor) -> torch.Tensor:
        return h + self.apart / 28  # ‖r − x‖ = apart, ∂r/∂x = I: γ = 0

    def forward(self, x: torch.Tensor) -> Output:
        log_y = F.log_softmax(x.flatten(1) @ self.weight.to(x.dtype), dim=1)
        return Output(log_y, None if self.apart is None else self.moved(self.flat(x)))


def trainer(**options: object) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        log_every_n_steps=1, **({"accelerator": "cpu"} | options),
    )  # fmt: skip


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class LinearSoftmax:
    """log softmax(Wx) in float64, row by row, so that a row scores the same in any batch; a gate may lower it.

    gate: "none", or "stripes": log Γ = −2 for images whose first pixel is bright, else 0.
    """

    def __init__(self, classes: int = 10, gate: str = "none") -> None:
        self.weight = 0.5 * torch.randn(classes, 784, generator=stream(99), dtype=torch.float64)
        self.gate = gate
        self.curved: list[Tensor] = []

    def upper_bound(self, x: Tensor) -> Tensor:
        logits = torch.stack([self.weight @ row for row in x.double().flatten(1)])
        return logits - logits.logsumexp(1, keepdim=True)

    def log_curvature(self, x: Tensor) -> Tensor:
        self.curved.append(x)
        first = x[:, 0, 0, 0].double()
        return torch.where(first > 0.5, -2.0, 0.0).double() if self.gate == "stripes" else torch.zeros_like(first)


def run(scorer: LinearSoftmax, *seeds: int, generations: int, population: int = 20, **options: object) -> Result:
    """What an evolution against it comes to, with a run for each seed."""
    draws = [stream(seed) for seed in seeds]
    options = {"shape": (1, 28, 28)} | options
    return evolve(scorer, draws, trainer(), generations=generations, population=population, **options)
