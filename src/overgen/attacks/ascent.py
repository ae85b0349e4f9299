"""Gradient ascent on a network's score for a class, with the regularisers that make its images smoother.

Nguyen et al. 2015 (Section 3) ascend with L2 decay only; blur and clipping are those of the official code, which is
described in Yosinski et al. 2015 (Understanding Neural Networks Through Deep Visualization, Section 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from overgen.run import progress


@dataclass(frozen=True)
class Regularisers:
    """What is done to the image after each step, all about a centre: the mean of the training images.

    decay: the share by which it moves towards the centre; blur: standard deviation in pixels, applied every
    `blur_every` steps; clip: percent of the pixels, those nearest to the centre, that are put onto it. 0 leaves out.
    """

    decay: float = 0.0
    blur: float = 0.0
    blur_every: int = 4
    clip: float = 0.0

    def __call__(self, x: Tensor, centre: Tensor, step: int) -> Tensor:
        """x, centre: (C, H, W). step: from 1. Returns (C, H, W)."""
        if self.decay:
            x = centre + (1 - self.decay) * (x - centre)
        if self.blur and step % self.blur_every == 0:
            from torchvision.transforms.functional import gaussian_blur

            widest = 2 * ((min(x.shape[1:]) - 1) // 2) + 1  # odd, and no wider than the image
            width = min(2 * math.ceil(3 * self.blur) + 1, widest)
            x = gaussian_blur(x, [width, width], [self.blur, self.blur])
        if self.clip:
            norms = (x - centre).norm(dim=0)
            x = torch.where(norms <= torch.quantile(norms, self.clip / 100), centre, x)
        return x


def ascend(
    log_score: Callable[[Tensor], Tensor],
    succeeds: Callable[[Tensor], bool],
    start: Tensor,
    centre: Tensor,
    *,
    updates: int,
    rate: float,
    regularisers: Regularisers,
) -> tuple[Tensor, int]:
    """Follow the gradient from an image until it succeeds. start, centre: (C, H, W) in [0, 1].

    log_score: image → the log of the score that is to rise, a scalar. rate: root mean square change of the pixels in
    one update, before the regularisers. Returns the image and how many updates it took, `updates` if it never
    succeeded. Raises FloatingPointError if the score has no finite gradient, or none at all.
    """
    x = start.clone()
    for update in progress.steps(range(updates + 1), "update"):
        if succeeds(x) or update == updates:
            break
        point = x.requires_grad_()
        (gradient,) = torch.autograd.grad(log_score(point), point)
        size = gradient.square().mean().sqrt()
        if not bool(size.isfinite()) or not bool(size > 0):
            raise FloatingPointError(f"the score's gradient has norm {size:g} after {update} updates")
        x = regularisers(point.detach() + rate * gradient / size, centre, update + 1).clamp(0, 1)
    return x.detach(), update
