"""Training of a noise-conditional denoiser."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from overgen.data import floats
from overgen.measures.pixels import psnr
from overgen.models.denoisers import Denoiser
from overgen.training.module import Training, adam


class DenoiserTraining(Training):
    """Training of one denoiser by Adam, with the learning rate falling to 0 on a line.

    network, images, key, batch_size, learning_rate: as of `Training`.
    log_sigma, log_sigma_std: mean and deviation of ln σ, drawn for every image of every batch.
    average: `network` is the running average of the trained weights, of which an update leaves this share, less in the
        first ones: (1 + t) / (10 + t).
    tested: clean and noisy images, (T, D) float32, that the curve is of; their σ is the network's own.

    Loss = the mean over images of λ(σ)·‖D(x + σε; σ) − x‖² / D, λ = (σ² + σ_data²) / (σ·σ_data)²
    (Karras et al. 2022, Eq. 8 and Table 1). `curves` gets a row an epoch: besides what `Training` says, with the
    unweighted squared error as the loss of the reconstruction, test_psnr of the averaged network, in dB.
    """

    def __init__(
        self,
        network: Denoiser,
        images: Tensor,
        *,
        log_sigma: float,
        log_sigma_std: float,
        average: float,
        tested: tuple[Tensor, Tensor],
        **options: Any,
    ) -> None:
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        super().__init__(network, images, labels, l2=0.0, falling=True, **options)
        self.log_sigma, self.log_sigma_std = log_sigma, log_sigma_std
        self.average, self.pairs = average, tested
        self.trained: Any = copy.deepcopy(network)
        network.requires_grad_(False)

    def configure_optimizers(self) -> Any:
        optimizer = adam(((p, 0.0) for p in self.trained.parameters()), self.learning_rate)
        epochs = self.trainer.max_epochs
        return [optimizer], [torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs or 1)]

    def training_step(self, index: Tensor, batch_idx: int = 0) -> Tensor:
        clean = floats(self.images[index]).flatten(1)
        n, d = clean.shape
        drawn = torch.randn((n, 1 + d), generator=self.noise, device=clean.device)
        sigma = (self.log_sigma + self.log_sigma_std * drawn[:, 0]).exp()
        restored = self.trained.restore(clean + sigma[:, None] * drawn[:, 1:], sigma)
        error = (restored - clean).square().mean(1)
        data_std = self.network.data_std
        loss = ((sigma**2 + data_std**2) / (sigma * data_std) ** 2 * error).mean()
        with torch.no_grad():
            nothing = loss.new_zeros(())
            self.sums += torch.stack([loss.new_tensor(n), n * loss, nothing, error.sum(), nothing])
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        kept = min(self.average, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            for average, weight in zip(self.network.parameters(), self.trained.parameters(), strict=True):
                average.lerp_(weight, 1 - kept)

    @torch.no_grad()
    def tested(self) -> dict[str, float]:
        clean, noisy = self.pairs
        restored = torch.cat([self.network.restore(block) for block in noisy.split(250)])
        each = (restored.clamp(0, 1) - clean).square().double().mean(1)
        return {"test_psnr": float(psnr(each.cpu().numpy()).mean())}
