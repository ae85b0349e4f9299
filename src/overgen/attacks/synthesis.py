"""Images that a network likes best: gradient ascent on anything that it computes, with what keeps the images smooth.

An image is written down by its pixels, or by the Fourier spectrum of what a logistic function squeezes into [0, 1],
with decorrelated colours (Olah, Mordvintsev & Schubert 2017, "Feature Visualization", in their library Lucid):

    image = σ(M·irfft2(spectrum / f)/4),  f: the frequency in cycles a pixel, at least that of one cycle an image

so that a step of one size moves coarse structure more than fine. What keeps images smooth:
- decay towards grey (Simonyan, Vedaldi & Zisserman 2014 ascend the logit with it) and blur (Yosinski et al. 2015):
  `overgen.attacks.ascent.Regularisers`;
- total variation, with β = 2 (Mahendran & Vedaldi 2015, Eq. 4);
- jitter: the image is rolled by a few pixels before each step (Mordvintsev, Olah & Tyka 2015, "Inceptionism").
Octaves, which let a pattern appear in several sizes ("deep dream"), are of that work, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from overgen.attacks.ascent import Regularisers
from overgen.models.witnesses import resized
from overgen.run import progress

Objective = Callable[[Tensor], Tensor]  # images (N, C, H, W) in [0, 1] → (N,), each of its own image
GREY = 0.5
EDGE = 1e-3  # how near to 0 and 1 pixels of a spectrum's image may come
# Lucid's: a square root of the covariance of ImageNet's colours
COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


@dataclass(frozen=True)
class Way:
    """How an image is written down and kept smooth.

    rate: of a step. Of pixels: the root mean square change of the image; of a spectrum: Adam's. regularisers: of pixels
    alone, about grey. total_variation: the weight of `total_variation` beside the objective. jitter: pixels by which
    an image is rolled, at most, in each direction.
    """

    parametrisation: Literal["pixels", "fourier"]
    rate: float
    regularisers: Regularisers = field(default_factory=Regularisers)
    total_variation: float = 0.0
    jitter: int = 0


def total_variation(x: Tensor) -> Tensor:
    """The mean over pixels and colours of (x[i, j+1] − x[i, j])² + (x[i+1, j] − x[i, j])².

    x: (N, C, H, W). Returns (N,). Differences that leave the image are 0 (Mahendran & Vedaldi 2015, Eq. 4, β = 2).
    """
    across, down = x.diff(dim=3), x.diff(dim=2)
    return (across.square().flatten(1).sum(1) + down.square().flatten(1).sum(1)) / x[0].numel()


def frequencies(height: int, width: int) -> Tensor:
    """The frequency of each entry of `rfft2` in cycles a pixel, at least one cycle an image: (H, W//2 + 1)."""
    f = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    return f.clamp(min=1 / max(height, width))


def decorrelation(channels: int) -> Tensor:
    """M, (C, C), its longest column of norm 1: makes colours of decorrelated ones; but for C = 3 the identity."""
    colours = torch.tensor(COLOURS) if channels == 3 else torch.eye(channels)
    return colours / colours.norm(dim=0).max()


def image_of(spectrum: Tensor, shape: tuple[int, int]) -> Tensor:
    """The images of some spectra.

    spectrum: (N, C, H, W//2 + 1, 2), real and imaginary parts; shape: (H, W). Returns (N, C, H, W) in (0, 1).
    """
    scaled = torch.view_as_complex(spectrum) / frequencies(*shape).to(spectrum.device)
    mixed = torch.fft.irfft2(scaled, s=shape, norm="ortho") / 4
    colours = decorrelation(spectrum.shape[1]).to(mixed)
    return torch.einsum("ij,njhw->nihw", colours, mixed).sigmoid()


def spectrum_of(x: Tensor) -> Tensor:
    """The inverse of `image_of`, for images (N, C, H, W), which are first clamped to [EDGE, 1 − EDGE]."""
    inverse = torch.linalg.inv(decorrelation(x.shape[1]).double()).to(x)
    mixed = torch.einsum("ij,njhw->nihw", inverse, x.clamp(EDGE, 1 - EDGE).logit())
    scale = 4 * frequencies(*x.shape[2:]).to(x.device)
    return torch.view_as_real(torch.fft.rfft2(mixed, norm="ortho") * scale).contiguous()


def noise(shape: tuple[int, int, int], way: Way, stream: torch.Generator) -> Tensor:
    """An image to start from, (1, C, H, W): grey with Gaussian noise of σ 0.05, or that of a spectrum of σ 0.01."""
    if way.parametrisation == "pixels":
        return (GREY + 0.05 * torch.randn(1, *shape, generator=stream)).clamp(0, 1)
    channels, height, width = shape
    return image_of(0.01 * torch.randn(1, channels, height, width // 2 + 1, 2, generator=stream), (height, width))


def rolled(x: Tensor, most: int, streams: Sequence[torch.Generator]) -> Tensor:
    """Each image (C, H, W) of a batch, rolled by up to `most` pixels down and across, by its own random stream."""
    shifts = [torch.randint(-most, most + 1, (2,), generator=stream).tolist() for stream in streams]
    return torch.stack([image.roll(shift, (1, 2)) for image, shift in zip(x, shifts, strict=True)])


def synthesise(
    objective: Objective, start: Tensor, way: Way, *, steps: int, streams: Sequence[torch.Generator]
) -> Tensor:
    """Let an objective rise from some images, each by itself.

    start: (N, C, H, W) in [0, 1]; streams: of each image's jitter. Returns (N, C, H, W) in [0, 1].
    Raises FloatingPointError if an objective has no finite gradient, or, for pixels, none at all.
    """
    shape = (start.shape[2], start.shape[3])
    spectral = way.parametrisation == "fourier"
    x = spectrum_of(start) if spectral else start.clone()
    adam = torch.optim.Adam([x], lr=way.rate, maximize=True) if spectral else None
    centre = torch.full_like(start[0], GREY)
    for step in progress.steps(range(steps), "step"):
        image = image_of(x.requires_grad_(), shape) if spectral else x.requires_grad_()
        value = objective(rolled(image, way.jitter, streams) if way.jitter else image)
        if way.total_variation:
            value = value - way.total_variation * total_variation(image)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        size = gradient.flatten(1).square().mean(1).sqrt()
        if not bool((size.isfinite() & (spectral | (size > 0))).all()):
            raise FloatingPointError(f"the objective's gradient has norms {size.tolist()} after {step} steps")
        if adam:
            x.grad = gradient
            adam.step()
        else:
            moved = x.detach() + way.rate * gradient / size.view(-1, 1, 1, 1)
            x = torch.stack([way.regularisers(each, centre, step + 1) for each in moved]).clamp(0, 1)
    x = x.detach()
    return image_of(x, shape) if spectral else x


def dream(
    objective: Objective, photograph: Tensor, way: Way, *, sides: Sequence[int], steps: int, stream: torch.Generator
) -> Tensor:
    """A photograph in which an objective rises in octaves: what was added in one is enlarged for the next.

    photograph: (C, H, W) in [0, 1]; sides: of the squares of the octaves in pixels, rising; steps: in each. Returns
    (C, sides[-1], sides[-1]) in [0, 1].
    """
    added = torch.zeros(1, len(photograph), sides[0], sides[0])
    for side in progress.steps(list(sides), "octave"):
        base = resized(photograph[None], side)
        start = (base + resized(added, side)).clamp(0, 1)
        dreamt = synthesise(objective, start, way, steps=steps, streams=[stream])
        added = dreamt - base
    return dreamt[0]
