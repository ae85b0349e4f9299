"""A round of retraining: what is attacked, what is collected, and what joins the training set.

A network of n classes is fooled by evolved images; these join the training set as class n, a fresh network with n + 1
outputs is trained, and images are evolved against it that it takes for one of the n classes; and so on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from overgen.attacks.evolution import Evolution
from overgen.data import floats

FOOLING = 0.5  # an image with a higher score is labelled as that class, whatever the others' scores are


class KnownClasses(nn.Module):
    """The scores of a network's first classes, as what an evolution attacks: log y of class 0 to `classes` − 1."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network, self.classes = network, classes

    def upper_bound(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W). Returns (N, classes)."""
        return self.network(x).log_y[:, : self.classes]

    def log_curvature(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))


class Collecting(Evolution):
    """An evolution that keeps every image that took a cell with a score above FOOLING, in 8 bits as training images."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.collected: list[Tensor] = []

    def training_step(self, generation: int) -> None:
        before = self.scores.clone()
        super().training_step(generation)
        taken = (self.scores > before.to(self.scores)) & (self.scores.exp() > FOOLING)
        self.collected.append((255 * self.champions[taken]).round().to(torch.uint8).cpu())

    def fooling_images(self) -> Tensor:
        """The distinct images kept so far, (N, C, H, W) uint8, in an order that depends on them alone."""
        return torch.unique(torch.cat(self.collected), dim=0).view(-1, *self.shape)


def drawn(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """At most so many of the images, each equally likely. images: (N, C, H, W)."""
    return images[torch.randperm(len(images), generator=generator)[:count]]


def with_fooling_class(images: Tensor, labels: Tensor, added: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """A training set with images of one class more. images: (N, C, H, W) uint8; labels: (N,); added: (M, C, H, W)."""
    return torch.cat([images, added]), torch.cat([labels, labels.new_full((len(added),), classes)])


@torch.no_grad()
def labels_of(network: nn.Module, images: Tensor, *, chunk: int) -> Tensor:
    """The class with the highest score of each image, (N,) on the CPU. images: (N, C, H, W) uint8, on its device."""
    outputs: Any = [network(floats(block)) for block in images.split(chunk)]
    return torch.cat([output.log_y.argmax(1) for output in outputs]).cpu() if outputs else torch.zeros(0)
