"""Lightning modules: loss, optimiser, metrics, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.data import batches, floats
from overgen.run.streams import generator
from overgen.run.trainer import Steps


class Training(pl.LightningModule):
    """Training of one member: a classifier, a denoising autoencoder with its classifier, or a plain autoencoder.

    network: gives an `Output`; on the device that trains, as images and labels are.
    images: (N, C, H, W) uint8; labels: (N,) int64.
    key: names this member's random streams (data order, noise), which depend on it and on the epoch alone.
    batch_size: images of a step; learning_rate: of Adam (0.9, 0.999).
    l2: λ of λ/N·‖W‖²; biases are left out. of_images: N, the number of images unless given: where members see some
        classes only, it is of all classes, so that λ weighs the same on each.
    decays: in place of l2, the factors of the weights' ‖W‖² by their names, 0 for others.
    falling: the learning rate falls from epoch to epoch, on a line that would end at 0 after the last.
    noise_std: of the Gaussian corruption, in the unit of the pixels, 0..1.
    draws: the network draws at random itself, as dropout does: by the key, the epoch and the step alone.
    reconstruction_weight, reconstruction_loss: of the loss below; classifier_input: "noisy", or "clean".
    Raises ValueError for a decay of a weight that the network does not have.

    Loss = cross-entropy of the classes (for COOL on its units: the negative log score over ω)
         + reconstruction_weight × the error of the reconstruction, a mean over pixels and images: its square, or the
           binary cross-entropy ("bernoulli"; a network that only reconstructs has this alone)
         + the `penalty` of the batch, of networks that have such a method (only where a member trains alone).
    What requires no gradient stays as it is. `curves` gets a row an epoch, see `curve_of`; of a network that classifies
    also `test_accuracy`, if `test` is set: test images (T, C, H, W) uint8 and their labels (T,) int64, on the device.
    They change nothing of what is trained.
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
        of_images: int | None = None,
        decays: Mapping[str, float] | None = None,
        falling: bool = False,
        noise_std: float = 0.0,
        draws: bool = False,
        reconstruction_weight: float = 0.0,
        reconstruction_loss: str = "squared",
        classifier_input: str = "noisy",
    ) -> None:
        super().__init__()
        self.network: Any = network  # an nn.Module; Any, because a Module gives its methods no types
        self.images, self.labels, self.key = images, labels, key
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.l2, self.of_images = l2, of_images or len(labels)
        self.decays, self.falling = decays, falling
        if unknown := set(decays or ()) - {name for name, _ in network.named_parameters()}:
            raise ValueError(f"decays of weights that {type(network).__name__} does not have: {sorted(unknown)}")
        self.noise_std, self.draws = noise_std, draws
        self.objective: dict[str, Any] = {
            "reconstruction_loss": reconstruction_loss,
            "reconstruction_weight": reconstruction_weight,
            "classifier_input": classifier_input,
        }
        self.curves: list[dict[str, float]] = []
        self.test: tuple[Tensor, Tensor] | None = None

    def decay(self, name: str) -> float:
        """What Adam multiplies a weight by and adds to its gradient: that of (decay/2)·‖W‖²."""
        return 2 * (self.l2 / self.of_images if self.decays is None else self.decays.get(name, 0.0))

    def batches(self, epoch: int) -> tuple[Tensor, ...]:
        """The batches of an epoch as index tensors, on the CPU."""
        return batches(len(self.labels), self.batch_size, generator(*self.key, "order", epoch))

    def noise_of(self, epoch: int, device: torch.device) -> torch.Generator:
        """The generator of an epoch's noise."""
        return generator(*self.key, "noise", epoch, device=device)

    def train_dataloader(self) -> Steps:
        """The batches of this epoch; Lightning asks again every epoch."""
        return Steps([index.to(self.images.device) for index in self.batches(self.current_epoch)])

    def on_train_epoch_start(self) -> None:
        self.noise = self.noise_of(self.current_epoch, self.device)
        self.sums = torch.zeros(5, device=self.device)  # images, loss, classification, reconstruction, right

    def training_step(self, index: Tensor, batch_idx: int = 0) -> Tensor:
        clean, labels = floats(self.images[index]).to(self.dtype), self.labels[index]
        if clean.device.type == "cpu":
            clean = clean.contiguous(memory_format=torch.channels_last)  # 3× faster convolutions on CPUs, measured
        x = clean
        if self.noise_std:
            noise = torch.randn(clean.shape, generator=self.noise, device=self.device, dtype=clean.dtype)
            x = clean + self.noise_std * noise
        with self.drawing(batch_idx):
            loss, classification, reconstruction, right = losses(self.network, clean, x, labels, **self.objective)
        if hasattr(self.network, "penalty"):
            loss = loss + self.network.penalty(x)
        n = len(index)
        with torch.no_grad():
            self.sums += torch.stack(
                [torch.full_like(loss, n), n * loss, n * classification, n * reconstruction, right.sum().to(loss.dtype)]
            )
        return loss

    @contextmanager
    def drawing(self, step: int) -> Iterator[None]:
        """What the network draws in a step, from torch's own generator, which then is as it was before."""
        if not self.draws:
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(generator(*self.key, "network", self.current_epoch, step).initial_seed())
            yield

    def on_train_epoch_end(self) -> None:
        curve = curve_of(self.current_epoch, self.sums) | self.tested()
        self.curves.append(curve)
        if not torch.isfinite(self.sums).all():
            raise FloatingPointError(f"the training loss is {curve['loss']} in epoch {self.current_epoch}")
        self.log_dict({f"train/{name}": value for name, value in curve.items() if name != "epoch"})

    def tested(self) -> dict[str, float]:
        """The `test_accuracy` of the weights as they are now, in float32; nothing without `test`."""
        accuracy = None if self.test is None else accuracy_on(self.network, *self.test)
        return {} if accuracy is None else {"test_accuracy": accuracy}

    def configure_optimizers(self) -> Any:
        trained = ((name, p) for name, p in self.network.named_parameters() if p.requires_grad)
        optimizer = adam(((p, self.decay(name)) for name, p in trained), self.learning_rate)
        if not self.falling:
            return optimizer
        epochs = self.trainer.max_epochs
        return [optimizer], [torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs or 1)]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curves"] = self.curves

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.curves = checkpoint["curves"]


class _Objective(nn.Module):
    """`losses` of a network as the forward of a module: what `functional_call` can call with other weights."""

    def __init__(self, network: nn.Module, options: dict[str, Any]) -> None:
        super().__init__()
        self.network, self.options = network, options

    def forward(self, clean: Tensor, x: Tensor, labels: Tensor, share: Tensor) -> tuple[Tensor, ...]:
        return losses(self.network, clean, x, labels, share, **self.options)


def losses(
    network: Any,
    clean: Tensor,
    x: Tensor,
    labels: Tensor,
    share: Tensor | None = None,
    *,
    reconstruction_loss: str,
    reconstruction_weight: float,
    classifier_input: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The training loss on a batch (see `Training`), its two parts, and which images are labelled right.

    network: gives an `Output`; clean, x: (N, C, H, W), without and with noise; labels: (N,) integers.
    share: (N,), what each image counts in the means; None: 1/N.
    reconstruction_loss, reconstruction_weight, classifier_input: see `Training`.
    Returns loss (), classification loss (), reconstruction loss () and right (N,) bool.
    """
    log_y, restored = network(x)
    if log_y is not None and restored is not None and classifier_input == "clean":
        log_y = network.classify(network.encode(clean))
    classification = reconstruction = clean.new_zeros(())
    right = torch.zeros_like(labels, dtype=torch.bool)
    reduction = "mean" if share is None else "none"
    if log_y is not None:
        log_y = log_y.to(clean.dtype)  # of lower precision under autocast
        each = F.nll_loss(log_y, labels, reduction=reduction)
        classification = (each if share is None else (each * share).sum()) / getattr(network, "omega", 1)
        right = log_y.argmax(1) == labels
    if restored is not None:
        restored, target = restored.to(clean.dtype), clean.flatten(1)
        if log_y is None or reconstruction_loss == "bernoulli":
            each = binary_cross_entropy(restored, target)
        else:
            each = F.mse_loss(restored, target, reduction=reduction)
        reconstruction = each.mean() if share is None else (each.mean(1) * share).sum()
    weight = 1.0 if log_y is None else reconstruction_weight
    return classification + weight * reconstruction, classification, reconstruction, right


def curve_of(epoch: int, sums: Tensor) -> dict[str, float]:
    """A row of a member's curves: the means over an epoch's images.

    sums: (5,) over images: 1, loss, classification loss, reconstruction loss, right.
    """
    count, *totals = sums.tolist()
    names = ("loss", "classification_loss", "reconstruction_loss", "accuracy")
    return {"epoch": epoch, **{name: total / count for name, total in zip(names, totals, strict=True)}}


@torch.no_grad()
def accuracy_on(network: nn.Module, images: Tensor, labels: Tensor, *, chunk: int = 500) -> float | None:
    """The share of images that a network labels right in evaluation mode; None if it does not classify.

    images: (N, C, H, W) uint8; labels: (N,) int64; chunk: images at a time. Every module is left in the mode it was in.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    right = 0
    try:
        for x, wanted in zip(images.split(chunk), labels.split(chunk), strict=True):
            clean = floats(x).to(next(network.parameters()).dtype)
            if clean.device.type == "cpu":
                clean = clean.contiguous(memory_format=torch.channels_last)
            if (log_y := network(clean).log_y) is None:
                return None
            right += int((log_y.argmax(1) == wanted).sum())
    finally:
        for module, mode in modes:
            module.training = mode
    return right / len(labels)


def adam(parameters: Iterable[tuple[Tensor, float]], learning_rate: float) -> torch.optim.Optimizer:
    """Adam (0.9, 0.999).

    parameters: each with its weight decay, which biases (one dimension) go without; learning_rate: at first.
    """
    groups: dict[float, list[Tensor]] = {}
    for parameter, decay in parameters:
        groups.setdefault(decay if parameter.dim() > 1 else 0.0, []).append(parameter)
    options = [{"params": members, "weight_decay": decay} for decay, members in groups.items()]
    return torch.optim.Adam(options, lr=learning_rate, fused=True)


def binary_cross_entropy(reconstruction: Tensor, x: Tensor) -> Tensor:
    """−x·log r − (1 − x)·log(1 − r), with logs not below −100. Both (N, D) in [0, 1]. Returns (N, D), nats."""
    with torch.autocast(x.device.type, enabled=False):  # on CUDA autocast forbids it, in float32 too
        return F.binary_cross_entropy(reconstruction, x, reduction="none")
