"""Reconstruction error of a denoising autoencoder (Vincent et al. 2008) that is trained on the known inputs alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from overgen.scores.autoencoder import AutoencoderError


class DenoisingError(AutoencoderError):
    """−‖r(x) − x‖₂ as of `AutoencoderError`; in training r sees x under normal noise and is asked for x itself.

    noise_std: of the noise, in the unit of the pixels; in Spigler 2019 the score of x without noise, too.
    Raises ValueError unless it is above 0.
    """

    def __init__(
        self,
        *,
        noise_std: float = 0.2,
        hidden: int = 64,
        updates: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__(hidden=hidden, updates=updates, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
        if noise_std <= 0:
            raise ValueError(f"noise_std = {noise_std}: must be above 0")
        self.noise_std = noise_std

    def _loss(self, inputs: Tensor) -> Callable[[Tensor], Tensor]:
        draws = torch.Generator().manual_seed(self.seed + 1)

        def loss(batch: Tensor) -> Tensor:
            clean = inputs[batch]
            noisy = clean + self.noise_std * torch.randn(clean.shape, generator=draws)
            return F.mse_loss(self.network(noisy), clean)

        return loss
