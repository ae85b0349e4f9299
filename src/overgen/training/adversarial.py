"""Further training of a network on images that are moved so that it errs (Madry et al. 2018, arXiv:1706.06083).

    min over weights of the mean of  max over ‖δ‖∞ ≤ ε of  −log y_label(x + δ)

The maximum is sought by steps along the gradient's sign from a random start. A denoising autoencoder goes on as it was
trained, with one change: the moved image takes the place of the one with Gaussian noise. So its classifier learns the
label of the moved image, and its decoder to give back the image that was moved; what it would make of images of no
class it is not told.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen.data import floats
from overgen.training.module import Training, losses

STEP = 2.5  # times the radius, divided by the number of steps: all of the ball can be reached


def moved(network: Any, x: Tensor, labels: Tensor, *, radius: float, steps: int, draws: torch.Generator) -> Tensor:
    """Images as they are moved within the L∞ ball and the cube, to raise the cross-entropy of their labels.

    network: has `encode` and `classify`; x: (N, C, H, W) in [0, 1]; labels: (N,); draws: of the start, uniform in the
    ball, on the images' device. No gradient of the weights is left behind.
    """
    low, high = (x - radius).clamp(min=0), (x + radius).clamp(max=1)
    start = 2 * torch.rand(x.shape, generator=draws, device=x.device, dtype=x.dtype) - 1
    at = (x + radius * start).clamp(0, 1)
    for _ in range(steps):
        at.requires_grad_()
        with torch.enable_grad():
            loss = F.nll_loss(network.classify(network.encode(at)), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, at)
        at = torch.minimum(torch.maximum(at.detach() + STEP * radius / steps * gradient.sign(), low), high)
    return at


class AdversarialTraining(Training):
    """`Training` with images that are moved, in place of noise: noise_std is not looked at.

    radius, steps: of `moved`. held_out: images (H, C, H, W) uint8 and labels (H,), on the device: after each epoch it
    is asked how many of them are labelled right when they are moved, and `best` holds the weights after the epoch with
    the most, the first of equal ones. Curves say how many: `right_when_moved`, a share.
    """

    def __init__(self, *arguments: Any, radius: float, steps: int, held_out: tuple[Tensor, Tensor], **options: Any):
        super().__init__(*arguments, **options)
        self.radius, self.steps, self.held_out = radius, steps, held_out
        self.best: tuple[float, dict[str, Tensor]] = -1.0, {}

    def training_step(self, index: Tensor, batch_idx: int = 0) -> Tensor:
        clean, labels = floats(self.images[index]).to(self.dtype), self.labels[index]
        if clean.device.type == "cpu":
            clean = clean.contiguous(memory_format=torch.channels_last)  # 3× faster convolutions on CPUs, measured
        x = moved(self.network, clean, labels, radius=self.radius, steps=self.steps, draws=self.noise)
        loss, classification, reconstruction, right = losses(self.network, clean, x, labels, **self.objective)
        n = len(index)
        with torch.no_grad():
            self.sums += torch.stack(
                [torch.full_like(loss, n), n * loss, n * classification, n * reconstruction, right.sum().to(loss.dtype)]
            )
        return loss

    def tested(self) -> dict[str, float]:
        """How many of the held-out images are labelled right when moved; the best weights are kept."""
        from overgen.run.streams import generator

        draws, right = generator(*self.key, "held out", device=self.device), 0
        images, labels = self.held_out
        for block, wanted in zip(images.split(self.batch_size), labels.split(self.batch_size), strict=True):
            x = moved(self.network, floats(block), wanted, radius=self.radius, steps=self.steps, draws=draws)
            with torch.no_grad():
                right += int((self.network(x).log_y.argmax(1) == wanted).sum())
        share = right / len(labels)
        if share > self.best[0]:
            self.best = share, copy.deepcopy(self.network.state_dict())
        return super().tested() | {"right_when_moved": share}
