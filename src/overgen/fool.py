"""One picture that fools one network: what `overgen fool` does.

A subject is a trained cell of the study, attacked on what it reports (ỹ), or a network that overgen did not train, on
its own scores. The picture counts as it is saved, in 8 bits a pixel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from overgen import OvergenError, arguments, data
from overgen.attacks.ascent import Regularisers, ascend
from overgen.attacks.lbfgs import smallest_change
from overgen.confidence import ScaledOutput
from overgen.data import borrow
from overgen.data.reader import Fit, Interpolation, borders, bright_borders, read_picture
from overgen.export import classifier, settings_of
from overgen.models.adopted import open_network
from overgen.run.files import replace_file
from overgen.run.streams import generator

DARK = 0.25  # of [0, 1]: below it the ground of a mean image is dark
RATE = 0.01  # RMS change of the pixels in one update, unless another is asked for


@dataclass(frozen=True)
class Subject:
    """A network under attack. log_scores: images (N, C, H, W) in [0, 1] → (N, classes).

    centre: the mean training image, (C, H, W); fit: how a picture of another aspect ratio is read; tau: the score above
    which an image fools, unless another is asked for; interpolation: with which a picture is resized.
    """

    name: str
    log_scores: Callable[[Tensor], Tensor]
    classes: tuple[str, ...]
    centre: Tensor
    fit: Fit
    tau: float
    interpolation: Interpolation = "bilinear"


class Fooled(NamedTuple):
    """What an attack came to. image: (C, H, W) uint8. score, start_score: of the target, at the end and at the start.

    label: what the network says at the end; l2, rms: of the change, pixels in [0, 1]; updates: 0 for the smallest
    change, which counts none.
    """

    image: Tensor
    score: float
    start_score: float
    label: int
    l2: float
    rms: float
    updates: int


def subject_of(on: str, *, alpha: float | None = None, **options: Any) -> Subject:
    """What `--on` names: a network from elsewhere, with the options of `open_network`, or a cell, with α if given."""
    return adopted_subject(on, **options) if arguments.from_elsewhere(on) else cell_subject(on, alpha=alpha)


def cell_subject(cell: str, *, alpha: float | None = None) -> Subject:
    """A trained cell such as "mnist/dae_sym", on ỹ. alpha: of c̃, by default that of the first threshold.

    Raises OvergenError if the cell has no weights or those of another network, does not classify, or its data set can
    not be had; and for an alpha where c̃ = 1, since the cell does not reconstruct.
    """
    network, _ = classifier(cell)
    if alpha is not None and not hasattr(network, "decode"):
        raise OvergenError(f"--alpha: {cell} does not reconstruct, so c̃ = 1 whatever α is; leave it out")
    dataset = at_hand(cell.split("/")[0])
    settings = settings_of(dataset.name)
    confidence = settings.confidence[dataset.name]
    first = confidence.thresholds[0]
    scaled = ScaledOutput(
        network,
        alpha=first.alpha if alpha is None else alpha,
        beta=confidence.beta,
        probes=settings.engine[dataset.name].probes,
    )

    centre = dataset.train_images.double().mean(0).float() / 255
    return Subject(cell, bounded(scaled), dataset.classes, centre, "pad", first.tau)


def at_hand(name: str) -> data.Dataset:
    """A data set, for its classes and its mean image: fetched once, and said so, where `download` has not been."""
    if not (Path("data") / name).exists() and not (borrow.FETCHED / name).exists():
        print(f"{name}: not in data/; fetched once to {borrow.FETCHED / name}", file=sys.stderr)
    return borrow.borrow(name, os.environ.get("OVERGEN_MIRROR") or None)


def bounded(scaled: ScaledOutput) -> Callable[[Tensor], Tensor]:
    """log ỹ with the gradient of all but Γ, which is applied as the number that it is."""

    def log_scores(x: Tensor) -> Tensor:
        return scaled.upper_bound(x) + scaled.log_curvature(x.detach())[:, None]

    return log_scores


def adopted_subject(on: str, **options: Any) -> Subject:
    """A network that overgen did not train, on its own scores: a file, torchvision's or EfficientNet-Lite.

    on, options: of `adopted.open_network`. The mean image is the mean that the network's normalisation takes away, and
    grey where it takes none. Raises OvergenError as `open_network` does, and for a black box, which has no gradient.
    """
    network = open_network(on, **options)
    if not network.differentiable:
        raise OvergenError(f"{on}: is a black box: it has no gradient to follow")
    taken, (channels, height, width) = network.input, network.shape
    mean = torch.tensor(taken.mean or (0.5 * taken.scale,)) / taken.scale
    if len(mean) not in (1, channels):  # gray images of a network of colours
        mean = mean.mean().view(1)
    centre = mean.view(-1, 1, 1).expand(channels, height, width).clamp(0, 1).clone()
    names = network.class_names or tuple(str(k) for k in range(network.classes))

    def log_scores(x: Tensor) -> Tensor:
        return network(x).log_y

    described = network.metadata["interpolation"] == "bicubic"
    return Subject(on, log_scores, names, centre, "crop", 0.9, "bicubic" if described else "bilinear")


def class_number(subject: Subject, name: str) -> int:
    """A class by its name or its number. Raises OvergenError listing the names that begin alike, or all."""
    if name in subject.classes:
        return subject.classes.index(name)
    if name.isdecimal() and int(name) < len(subject.classes):
        return int(name)
    alike = [each for each in subject.classes if name.lower() in each.lower()] or list(subject.classes)
    shown = ", ".join(alike[:20]) + (", …" if len(alike) > 20 else "")
    raise OvergenError(f"--to {name!r}: {subject.name} has no such class; a number from 0, or one of {shown}")


def first_image(subject: Subject, start: str, seed: int, invert: bool | None = None) -> Tensor:
    """The image that the attack starts at, (C, H, W): `noise` (uniform), `mean`, or a picture file.

    invert: of `read_picture`; where nothing is said of it, a picture with a bright ground is read as it is, with a word
    if those of the data set are gray with a dark one.
    """
    if start == "noise":
        return torch.rand(subject.centre.shape, generator=generator("fool", seed))
    if start == "mean":
        return subject.centre.clone()
    shape = subject.centre.shape
    dark = shape[0] == 1 and borders(subject.centre.numpy()[None])[0] < DARK
    # without what pads it
    if invert is None and dark and bright_borders(read_picture(start, shape, fit="stretch")[None]):
        print(
            f"{start}: its ground is bright, where that of the pictures of {subject.name} is dark; it is read so. "
            "--invert: as dark ink on paper; --no-invert: it is meant so",
            file=sys.stderr,
        )
    return (
        torch.from_numpy(
            read_picture(start, shape, fit=subject.fit, invert=bool(invert), interpolation=subject.interpolation)
        )
        / 255
    )


def eight_bits(x: Tensor) -> Tensor:
    """Pixels in [0, 1] as they are saved: the nearest of 256 values."""
    return (x * 255).round().clamp(0, 255) / 255


def fool(
    subject: Subject,
    start: Tensor,
    target: int,
    *,
    tau: float,
    smallest: bool,
    updates: int,
    rate: float,
    regularisers: Regularisers,
) -> Fooled:
    """Attack from an image (C, H, W), until the saved image's score for the target is above tau.

    smallest: the smallest change by L-BFGS, rather than ascent (`rate` and `regularisers` are the ascent's); `updates`
    bounds the iterations of each of its minimisations.
    """

    def log_target(x: Tensor) -> Tensor:
        return subject.log_scores(x)[:, target]

    @torch.no_grad()
    def above(x: Tensor) -> Tensor:
        return log_target(eight_bits(x)).exp() > tau

    used = 0
    if smallest:
        change = smallest_change(lambda _, x: log_target(x), lambda _, x: above(x), start[None], iterations=updates)
        image = change.image[0]
    else:
        image, used = ascend(
            lambda x: log_target(x[None])[0], lambda x: bool(above(x[None])[0]), start, subject.centre,
            updates=updates, rate=rate, regularisers=regularisers,
        )  # fmt: skip
    saved = eight_bits(image)
    with torch.no_grad():
        before, after = subject.log_scores(torch.stack([eight_bits(start), saved])).exp()
    moved = saved - eight_bits(start)
    return Fooled(
        image=(saved * 255).round().to(torch.uint8),
        score=float(after[target]),
        start_score=float(before[target]),
        label=int(after.argmax()),
        l2=float(moved.norm()),
        rms=float(moved.square().mean().sqrt()),
        updates=used,
    )


def save(image: Tensor, path: Path) -> None:
    """Write an image (C, H, W) uint8 as a PNG file, whole or not at all."""
    pixels = image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy()
    with replace_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
