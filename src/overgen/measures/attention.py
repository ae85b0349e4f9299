"""What of a picture an autoencoder can copy: a soft mask, found by gradient descent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

START = 2.0  # logit of the mask at first: 0.88 everywhere


def attention(
    network: nn.Module, images: Tensor, *, weight: float, smoothness: float, steps: int, rate: float
) -> Tensor:
    """The mask a of each picture x that minimises, r(·) being the reconstruction,

        mean a²·(r(a·x) − x)² + weight · mean (1 − a) + smoothness · mean |∇a|

    by Adam on its logits. Where r is far from x the mask closes: at an error e of a pixel alone it is weight / 2e², at
    most 1. Without the second term it would close everywhere.

    network: reconstructs, in evaluation mode; images: (N, 1, H, W) in [0, 1]; weight: of what is left out; smoothness:
    of differences between neighbours; steps, rate: of Adam. Returns (N, 1, H, W) in (0, 1). A picture's mask does not
    hang on the others'.
    """
    logits = torch.full_like(images, START).requires_grad_()
    optimiser = torch.optim.Adam([logits], rate)
    for _ in range(steps):
        a = logits.sigmoid()
        r = network(a * images).reconstruction.view_as(images)
        error = (a * (r - images)).square().mean((1, 2, 3))
        edges = sum(a.diff(dim=axis).abs().mean((1, 2, 3)) for axis in (2, 3))
        loss = error + weight * (1 - a).mean((1, 2, 3)) + smoothness * edges
        (logits.grad,) = torch.autograd.grad(loss.sum(), logits)
        optimiser.step()
    return logits.detach().sigmoid()
