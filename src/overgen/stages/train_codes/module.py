"""Training of an autoencoder with a code of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen.data import floats
from overgen.measures.pixels import psnr
from overgen.models.codes import LinearCode, VariationalCode
from overgen.run.trainer import Steps
from overgen.training.module import Training, binary_cross_entropy


class CodeTraining(Training):
    """Training of one autoencoder to restore its images, by Adam, with the learning rate falling to 0 on a line.

    network, images, key, batch_size, learning_rate, noise_std: as of `Training`.
    loss: "squared" or "bernoulli" (binary cross-entropy), a mean over pixels and images. Of a `VariationalCode` it is
        minus the evidence lower bound over D: the cross-entropy, of one code drawn for each image, plus KL/D.
    tested: clean and given images, (T, D) float32 in the unit of the pixels, that the curve is of.

    `curves` gets a row an epoch: besides what `Training` says, test_error, the mean squared error per pixel of the
    test images restored from the given ones, and test_psnr, the mean over images, in dB.
    """

    def __init__(
        self, network: LinearCode, images: Tensor, *, loss: str, tested: tuple[Tensor, Tensor], **options: Any
    ) -> None:
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        super().__init__(network, images, labels, l2=0.0, falling=True, **options)
        self.automatic_optimization = False
        self.loss, self.pairs = loss, tested

    def train_dataloader(self) -> Steps:
        """One Lightning step an epoch: of steps as short as these, Lightning's own share would be a third."""
        return Steps([[index.to(self.images.device) for index in self.batches(self.current_epoch)]])

    def training_step(self, order: Sequence[Tensor], batch_idx: int = 0) -> None:  # type: ignore[override]
        adam: Any = self.optimizers()
        for index in order:
            loss, error = self.losses(floats(self.images[index]).flatten(1))
            adam.zero_grad()
            loss.backward()
            adam.step()
            with torch.no_grad():
                nothing, n = loss.new_zeros(()), len(index)
                self.sums += torch.stack([loss.new_tensor(n), n * loss, nothing, n * error, nothing])
        schedule: Any = self.lr_schedulers()
        schedule.step()

    def losses(self, clean: Tensor) -> tuple[Tensor, Tensor]:
        """The loss on a batch, and the error of the reconstruction that is a part of it. clean: (N, D)."""
        x = clean
        if self.noise_std:
            x = clean + self.noise_std * torch.randn(clean.shape, generator=self.noise, device=clean.device)
        if isinstance(self.network, VariationalCode):
            mean, log_variance = self.network.moments(x)
            error = binary_cross_entropy(self.network.decode(self.network.drawn(x, self.noise)), clean).mean()
            return error + divergence(mean, log_variance).mean() / clean.shape[1], error
        restored = self.network.decode(self.network.encode(x))
        squared = self.loss == "squared"
        error = F.mse_loss(restored, clean) if squared else binary_cross_entropy(restored, clean).mean()
        return error, error

    @torch.no_grad()
    def tested(self) -> dict[str, float]:
        clean, given = self.pairs
        restored = self.network.decode(self.network.encode(given))
        each = (restored - clean).square().double().mean(1)
        return {"test_error": float(each.mean()), "test_psnr": float(psnr(each.cpu().numpy()).mean())}


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of normals from the standard normal, a sum over their k dimensions (Kingma & Welling 2013, Appendix B).

    mean, log_variance: (N, k). Returns (N,) nats, at least 0.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
