"""Reconstruction error of a contractive autoencoder (Rifai et al. 2011) that is trained on the known inputs alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from overgen.scores.autoencoder import AutoencoderError


class ContractiveError(AutoencoderError):
    """−‖r(x) − x‖₂ as of `AutoencoderError`, of a network whose code changes little around the known inputs.

    contraction: λ of the loss, the mean over images and pixels of (r(x) − x)² plus λ·‖∂h/∂x‖²_F / D (Rifai et al. 2011,
    Eq. 6, divided by D), h the code. Raises ValueError unless it is above 0.
    """

    def __init__(
        self,
        *,
        contraction: float = 1.0,
        hidden: int = 64,
        updates: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__(hidden=hidden, updates=updates, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
        if contraction <= 0:
            raise ValueError(f"contraction = {contraction}: must be above 0")
        self.contraction = contraction

    def _loss(self, inputs: Tensor) -> Callable[[Tensor], Tensor]:
        outer: Any = self.network[0]
        code: Any = self.network[2]
        decode, draws = self.network[4:], torch.Generator().manual_seed(self.seed + 1)

        def loss(batch: Tensor) -> Tensor:
            x = inputs[batch]
            inner = outer(x)
            h = code(F.relu(inner))
            signs = 2.0 * torch.randint(0, 2, h.shape, generator=draws) - 1
            penalty = squared_jacobian(outer.weight, code.weight, inner > 0, h > 0, signs).mean() / x.shape[1]
            return F.mse_loss(decode(F.relu(h)), x) + self.contraction * penalty

        return loss


def squared_jacobian(outer: Tensor, code: Tensor, active: Tensor, active_code: Tensor, signs: Tensor) -> Tensor:
    """An estimate of ‖∂h/∂x‖²_F of h = relu(C·relu(A·x + a) + c), for each of N inputs: right in the mean over signs.

    outer: A, (M, D); code: C, (K, M); active (N, M), active_code (N, K): which units are above 0; signs: (N, K) of ±1.
    The Jacobian of an input is J = D_h·C·D_m·A, D of 0 and 1, and E‖Jᵀv‖² = ‖J‖²_F where v is of independent signs: the
    cost is that of one backward pass, and no Jacobian is ever formed. Returns (N,).
    """
    back = ((signs * active_code) @ code * active) @ outer
    return back.square().sum(1)
