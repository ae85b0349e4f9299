"""Lightning modules: loss, optimiser, metrics, and nothing else."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.data import batches, floats
from overgen.runtime import Steps, generator


class Training(pl.LightningModule):
    """Training of one member: a classifier, a denoising autoencoder with its classifier, or a plain autoencoder.

    Loss = cross-entropy of the classes (for COOL on its units: the negative log score over ω)
         + reconstruction_weight × the error of the reconstruction, a mean over pixels and images: its square, or the
           binary cross-entropy ("bernoulli"; a network that only reconstructs has this alone).
    Adam (0.9, 0.999). l2 is λ of λ/N·‖W‖², N the number of training images; biases are left out.

    images: (N, 28, 28) uint8 and labels: (N,), on the device that trains. key: names this member's random streams
    (data order, noise), which depend on it and on the epoch alone. noise_std: of the Gaussian corruption.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        key: tuple[object, ...],
        batch_size: int,
        learning_rate: float,
        l2: float,
        noise_std: float = 0.0,
        reconstruction_weight: float = 0.0,
        reconstruction_loss: str = "squared",
        classifier_input: str = "noisy",
    ) -> None:
        super().__init__()
        self.network: Any = network  # an nn.Module; Any, because a Module gives its methods no types
        self.images, self.labels, self.key = images, labels, key
        self.batch_size, self.learning_rate, self.l2 = batch_size, learning_rate, l2
        self.noise_std, self.reconstruction_weight = noise_std, reconstruction_weight
        self.reconstruction_loss, self.classifier_input = reconstruction_loss, classifier_input
        self.curves: list[dict[str, float]] = []

    def train_dataloader(self) -> Steps:
        """The batches of this epoch as index tensors; Lightning asks again every epoch."""
        order = generator(*self.key, "order", self.current_epoch)
        return Steps([index.to(self.images.device) for index in batches(len(self.labels), self.batch_size, order)])

    def on_train_epoch_start(self) -> None:
        self.noise = generator(*self.key, "noise", self.current_epoch, device=self.device)
        self.sums = torch.zeros(5, device=self.device)  # images, loss, classification, reconstruction, right

    def training_step(self, index: Tensor) -> Tensor:
        clean, labels = floats(self.images[index]), self.labels[index]
        if clean.device.type == "cpu":
            clean = clean.contiguous(memory_format=torch.channels_last)  # 3× faster convolutions on CPUs, measured
        x = clean
        if self.noise_std:
            x = clean + self.noise_std * torch.randn(clean.shape, generator=self.noise, device=self.device)
        log_y, reconstruction = self.network(x)
        if log_y is not None and reconstruction is not None and self.classifier_input == "clean":
            log_y = self.network.classify(self.network.encode(clean))
        classification = reconstruction_loss = clean.new_zeros(())
        right = torch.zeros((), device=self.device)
        if log_y is not None:
            classification = F.nll_loss(log_y.float(), labels) / getattr(self.network, "omega", 1)
            right = (log_y.argmax(1) == labels).sum()
        if reconstruction is not None:
            target = clean.flatten(1)
            if log_y is None or self.reconstruction_loss == "bernoulli":
                reconstruction_loss = binary_cross_entropy(reconstruction.float(), target).mean()
            else:
                reconstruction_loss = F.mse_loss(reconstruction.float(), target)
        weight = 1.0 if log_y is None else self.reconstruction_weight
        loss = classification + weight * reconstruction_loss
        n = len(index)
        with torch.no_grad():
            self.sums += torch.stack(
                [
                    torch.full_like(loss, n),
                    n * loss,
                    n * classification,
                    n * reconstruction_loss,
                    right.to(loss.dtype),
                ]
            )
        return loss

    def on_train_epoch_end(self) -> None:
        count, *sums = self.sums.tolist()
        means = [total / count for total in sums]
        names = ("loss", "classification_loss", "reconstruction_loss", "accuracy")
        self.curves.append({"epoch": self.current_epoch, **dict(zip(names, means, strict=True))})
        if not torch.isfinite(self.sums).all():
            raise FloatingPointError(f"the training loss is {means[0]} in epoch {self.current_epoch}")
        self.log_dict({f"train/{name}": mean for name, mean in zip(names, means, strict=True)})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = 2 * self.l2 / len(self.labels)  # Adam adds decay·W to the gradient: that of (decay/2)·‖W‖²
        weights = [p for p in self.network.parameters() if p.dim() > 1]
        biases = [p for p in self.network.parameters() if p.dim() <= 1]
        groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
        return torch.optim.Adam(groups, lr=self.learning_rate, fused=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curves"] = self.curves

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.curves = checkpoint["curves"]


def binary_cross_entropy(reconstruction: Tensor, x: Tensor) -> Tensor:
    """−x·log r − (1 − x)·log(1 − r), with logs not below −100. Both (N, D) in [0, 1]. Returns (N, D), nats."""
    return F.binary_cross_entropy(reconstruction, x, reduction="none")
