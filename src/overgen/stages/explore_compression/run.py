"""What images lose in codes of every size, and what bits they take, beside PCA and files.

    python -m overgen.run explore_compression --dataset mnist --model codes

Reads: data/<dataset>; the networks of `train_codes`, models/<dataset>/codes/; test images of the other data set that
params.yaml names. PCA is fitted on the networks' training images.
Writes the cell: errors.csv, a row a code and kind of images; rates.csv, bits and errors of codes and files; pictures.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.data import borrow, unknowns
from overgen.measures import codecs
from overgen.measures.pixels import cross_entropy, psnr
from overgen.models import codes
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores.pca import PcaError
from overgen.stages.explore_compression import summary
from overgen.stages.train_codes.params import members_of

LEVELS = 255  # steps of a code in 8 bits


class Code(NamedTuple):
    """A way to a code and back. kind: of `train_codes`, or pca; seed: 0 of what has none.

    encode: (N, D) float32 to (N, k); decode: back.
    """

    kind: str
    size: int
    seed: int
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


def main(stage: Stage) -> None:
    """Write the cell."""
    if stage.rank != 0:
        return
    source = data.load(stage.item["dataset"])
    settings, trained = stage.params(f"explore_compression.{source.name}"), stage.params(f"train_codes.{source.name}")
    fitted = flat(source.train_images[: trained.images])
    every = list(all_codes(source.name, trained, fitted))
    images = other_kinds(stage, source, settings.images)
    test = source.test_images[: settings.images]
    errors = error_table(every, images, fitted, settings.size)
    chosen = [code for code in every if code.kind in ("ae", "pca")]
    rates = pd.concat([code_rates(chosen, flat(test), fitted), file_rates(data.pictures(test), settings.qualities)])
    alone = lossless_alone(data.pictures(test))
    rows = summary.rows(errors, rates, alone, size=settings.size, pixels=math.prod(source.shape), hidden=trained.hidden)
    examples = pictures(every, test, images, settings)
    prefix = f"train_codes.{source.name}"
    budget = {f"{prefix}.images": trained.images, f"{prefix}.epochs": trained.epochs,
              f"explore_compression.{source.name}.images": len(test)}  # fmt: skip
    results.write(stage.cell, budget=budget, metrics=rows, tables={"errors": errors, "rates": rates},
                  examples=examples)  # fmt: skip


def flat(images: Tensor) -> Tensor:
    """Images, (N, C, H, W) uint8, as codes take them: (N, D) float32 in [0, 1]."""
    return data.floats(images).flatten(1)


def all_codes(dataset: str, trained: Any, fitted: Tensor) -> list[Code]:
    """The networks that the section `train_codes` names, but for variational ones, and PCA of the same sizes.

    trained: the section; fitted: (N, D), what PCA is fitted on.
    """
    made = []
    for member in members_of(trained):
        if trained.codes[member.kind].network == "variational":  # it trades its error for a prior
            continue
        network, _ = codes.load(dataset, member.name)
        made.append(Code(member.kind, member.size, member.seed, network.encode, network.decode))
    sizes = sorted({code.size for code in made})
    pca = PcaError(components=min(max(sizes), fitted.shape[1])).fit(fitted.numpy())
    mean, axes = torch.from_numpy(pca.mean).float(), torch.from_numpy(pca.axes).float()
    for size in sizes:
        if size <= fitted.shape[1]:
            made.append(projection(size, mean, axes[:, :size]))
    return made


def projection(size: int, mean: Tensor, axes: Tensor) -> Code:
    """PCA as a code. mean: (D,); axes: (D, k), orthonormal."""
    return Code("pca", size, 0, lambda x: (x - mean) @ axes, lambda h: h @ axes.T + mean)


@torch.no_grad()
def restored(code: Code, x: Tensor) -> Tensor:
    """x: (N, D). Returns what comes back, with values cut at 0 and 1."""
    return code.decode(code.encode(x)).clamp(0, 1)


@torch.no_grad()
def restored_from_bytes(code: Code, x: Tensor, fitted: Tensor) -> Tensor:
    """The same from a code in 8 bits a unit: equal steps between the unit's extremes on the images of the training.

    x: (N, D); fitted: (M, D), those images.
    """
    known = code.encode(fitted)
    low, high = known.amin(0), known.amax(0)
    step = (high - low).clamp_min(1e-12) / LEVELS
    steps = ((code.encode(x) - low) / step).round().clamp(0, LEVELS)
    return code.decode(low + step * steps).clamp(0, 1)


def other_kinds(stage: Stage, source: data.Dataset, count: int) -> dict[str, Tensor]:
    """Images of each kind, (N, C, H, W) uint8: the data set's own test images first.

    Raises OvergenError if the images of the other data set are of another shape.
    """
    own = source.test_images[:count]
    streams = {kind: generator("explore_compression", source.name, kind) for kind in ("shuffled", "noise", "shapes")}
    kinds = {"test": own}
    if name := stage.params(f"explore_compression.{source.name}").other:
        borrowed = borrow.borrow(name, os.environ.get("OVERGEN_MIRROR") or None)
        if borrowed.shape != source.shape:
            raise OvergenError(
                f"params.yaml, explore_compression.{source.name}.other: the images of {name} are of shape "
                f"{borrowed.shape}, those of {source.name} of {source.shape}; name one of the same shape, or none"
            )
        kinds["other"] = borrowed.test_images[:count]
    kinds["silhouettes"] = unknowns.silhouettes(len(own), source.shape, streams["shapes"])
    kinds["shuffled"] = unknowns.shuffled(own, streams["shuffled"])
    kinds["noise"] = unknowns.uniform_images(len(own), source.shape, streams["noise"])
    return kinds


def error_table(every: list[Code], images: dict[str, Tensor], fitted: Tensor, size: int) -> pd.DataFrame:
    """The errors of each code on test images, and of codes of one size on all kinds: a row each, see `error_row`."""
    mean = fitted.mean(0)
    rows = [error_row(code, "test", flat(images["test"]), mean) for code in every]
    for kind in (kind for kind in images if kind != "test"):
        rows += [error_row(code, kind, flat(images[kind]), mean) for code in every if code.size == size]
    return pd.DataFrame(rows)


def error_row(code: Code, kind: str, x: Tensor, mean: Tensor) -> dict[str, Any]:
    """What a code loses of images. x: (N, D); mean: (D,), of the training images.

    squared_error: per pixel; spread: the deviation of that over images; relative_error: in percent of that of `mean` in
    place of each image; cross_entropy: nats per pixel; psnr: dB, a mean over images; exact: how many come back right
    in 8 bits; images: N.
    """
    back = restored(code, x)
    each = (back - x).square().double().mean(1).numpy()
    of_mean = float((x - mean).square().double().mean())
    return {
        "kind": code.kind,
        "size": code.size,
        "seed": code.seed,
        "on": kind,
        "squared_error": each.mean(),
        "spread": each.std(ddof=1),
        "relative_error": 100 * each.mean() / of_mean,
        "cross_entropy": cross_entropy(back.numpy(), x.double().numpy()).mean(),
        "psnr": psnr(each).mean(),
        "exact": int(((255 * back).round() == (255 * x).round()).all(1).sum()),
        "images": len(x),
    }


def code_rates(chosen: list[Code], x: Tensor, fitted: Tensor) -> pd.DataFrame:
    """Bits an image and squared error of codes in 8 bits a unit: columns of, size, seed, how, bits, squared_error."""
    rows = []
    for code in chosen:
        error = (restored_from_bytes(code, x, fitted) - x).square().double().mean()
        rows.append({"of": code.kind, "size": code.size, "seed": code.seed, "bits": 8.0 * code.size,
                     "squared_error": float(error)})  # fmt: skip
    return pd.DataFrame(rows)


def file_rates(images: np.ndarray, qualities: list[int]) -> pd.DataFrame:
    """The same of files, with their `how` and JPEG's `quality`. images: (N, H, W) or (N, H, W, 3) uint8."""
    count, height, width = images.shape[:3]
    x, whole = images / 255, codecs.mosaic(images)
    rows: list[dict[str, Any]] = []
    for codec in codecs.LOSSLESS:
        bits = codecs.bits_of(whole if codec == "png" else images, codec) / count
        rows.append({"of": codec, "how": "together", "bits": bits, "squared_error": 0.0})
    for quality in range(1, 101):
        bits, back = codecs.jpeg(whole, quality)
        error = np.square(codecs.apart(back, count, height, width) / 255 - x).mean()
        rows.append({"of": "jpeg", "how": "together", "quality": quality, "bits": bits / count,
                     "squared_error": error})  # fmt: skip
    for quality in qualities:
        made = [codecs.jpeg(image, quality) for image in images]
        error = np.square(np.stack([back for _, back in made]) / 255 - x).mean()
        rows.append({"of": "jpeg", "how": "alone", "quality": quality, "bits": np.mean([bits for bits, _ in made]),
                     "squared_error": error})  # fmt: skip
    return pd.DataFrame(rows)


def lossless_alone(images: np.ndarray) -> dict[str, np.ndarray]:
    """Bits of each image in a lossless file of its own, (N,) by codec."""
    return {codec: np.array([codecs.bits_of(image, codec) for image in images]) for codec in codecs.LOSSLESS}


def pictures(every: list[Code], test: Tensor, images: dict[str, Tensor], settings: Any) -> dict[str, np.ndarray]:
    """The first test images of up to ten, and what comes back of them; then one of each kind, and what comes back.

    image: (R, 10, H, W) uint8, the first row as they are; row: (R,) names, such as "pca 2"; kind_image,
    kind_restored: (K, 2, H, W), by the code `ae` of the size that kinds are compared at; kind: (K,).
    """
    shape = test.shape[1:]

    def pictured(x: Tensor) -> np.ndarray:
        return data.pictures((255 * x).round().to(torch.uint8).view(-1, *shape))

    first = flat(test[:10])
    rows, names = [pictured(first)], ["image"]
    for size in settings.shown:
        for code in every:
            if code.size == size and code.seed == 0 and code.kind in ("pca", "ae"):
                rows.append(pictured(restored(code, first)))
                names.append(f"{code.kind} {size}")
    own = next(code for code in every if (code.kind, code.size, code.seed) == ("ae", settings.size, 0))
    pairs = {kind: flat(x[:2]) for kind, x in images.items()}
    return {
        "image": np.stack(rows),
        "row": np.array(names),
        "kind_image": np.stack([pictured(x) for x in pairs.values()]),
        "kind_restored": np.stack([pictured(restored(own, x)) for x in pairs.values()]),
        "kind": np.array(list(pairs)),
    }
