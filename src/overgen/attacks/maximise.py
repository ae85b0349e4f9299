"""Gradient ascent on what a network computes, for images of any ground and with an autoencoder as a prior.

As `overgen.attacks.synthesis`, whose parametrisations and regularisers it shares, but for three things. Decay is
towards a centre of one's own: photographs are grey in the mean, digits black. An image whose objective has no gradient
left stays as it is. And between steps a prior may bring the image back to where data are, such as the reconstruction
r(x) (of a denoising autoencoder r(x) − x estimates the gradient of the log density: Alain & Bengio 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from overgen.attacks.synthesis import Objective, Way, image_of, rolled, spectrum_of, total_variation
from overgen.run import progress


def maximise(
    objective: Objective,
    start: Tensor,
    way: Way,
    *,
    steps: int,
    centre: Tensor,
    streams: Sequence[torch.Generator],
    prior: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Let an objective rise from some images, each by itself.

    start: (N, C, H, W) in [0, 1]; centre: (C, H, W), what decay pulls to; streams: of each image's jitter; prior:
    images to images of the same shape, applied after each step, to pixels only. Returns (N, C, H, W) in [0, 1].
    Raises FloatingPointError if an objective has no finite gradient, ValueError for a prior on a spectrum.
    """
    if prior is not None and way.parametrisation != "pixels":
        raise ValueError("a prior acts on pixels, not on a spectrum")
    shape = (start.shape[2], start.shape[3])
    spectral = way.parametrisation == "fourier"
    x = spectrum_of(start) if spectral else start.clone()
    adam = torch.optim.Adam([x], lr=way.rate, maximize=True) if spectral else None
    for step in progress.steps(range(steps), "step"):
        image = image_of(x.requires_grad_(), shape) if spectral else x.requires_grad_()
        value = objective(rolled(image, way.jitter, streams) if way.jitter else image)
        if way.total_variation:
            value = value - way.total_variation * total_variation(image)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        size = gradient.flatten(1).square().mean(1).sqrt().view(-1, 1, 1, 1)
        if not bool(gradient.isfinite().all()):
            raise FloatingPointError(f"the objective has no finite gradient after {step} steps")
        if adam:
            x.grad = gradient
            adam.step()
            continue
        moved = x.detach() + torch.where(size > 0, way.rate * gradient / size.clamp(min=1e-30), 0.0)
        x = torch.stack([way.regularisers(each, centre, step + 1) for each in moved]).clamp(0, 1)
        if prior is not None:
            with torch.no_grad():
                x = prior(x).clamp(0, 1)
    x = x.detach()
    return image_of(x, shape) if spectral else x
