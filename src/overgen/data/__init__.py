"""Data sets by name, in use: loaded whole, cut into subsets and batches.

How a data set is made stands in `overgen.data.sources`, which nothing here imports: a further source leaves what was
trained on others as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from overgen import OvergenError

SIDE = 28  # pixels


@dataclass(frozen=True)
class Dataset:
    """Images of `SIDE` × `SIDE` gray pixels, 0 (background) to 255, with their class numbers.

    classes: the names of the C classes, in the order of their numbers.
    train_images, test_images: (N, 28, 28) uint8; train_labels, test_labels: (N,) int64 in 0..C−1.
    archives: the files that a source fetched and read, to be kept beside the tensors; none once loaded.
    """

    name: str
    classes: tuple[str, ...]
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    archives: tuple[Path, ...] = ()


def load(name: str, root: str | Path = "data") -> Dataset:
    """Load `<root>/<name>/tensors.safetensors`, as `sources.prepare` wrote it.

    Raises OvergenError if the file is missing, cut or not such a data set.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(root) / name / "tensors.safetensors"
    again = f"delete it and run `dvc repro download@{name}`"
    try:
        with safe_open(str(path), framework="pt") as file:
            classes = json.loads((file.metadata() or {})["overgen"])["classes"]
            tensors = {
                key: file.get_tensor(key) for key in ("train_images", "train_labels", "test_images", "test_labels")
            }
    except FileNotFoundError as error:
        raise OvergenError(
            f"{path}: missing; `dvc repro download@{name}` makes it, if params.yaml names {name} under `datasets`"
        ) from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise OvergenError(f"{path}: has no class names, so overgen did not write it; {again}") from error
    except (SafetensorError, OSError) as error:
        raise OvergenError(f"{path}: not a whole safetensors file of a data set ({error}); {again}") from error
    for key, tensor in tensors.items():
        if tensor.dtype != torch.uint8:
            raise OvergenError(f"{path}: {key} is {tensor.dtype}, not torch.uint8; {again}")
    dataset = Dataset(
        name=name,
        classes=tuple(classes),
        train_images=tensors["train_images"],
        train_labels=tensors["train_labels"].to(torch.int64),
        test_images=tensors["test_images"],
        test_labels=tensors["test_labels"].to(torch.int64),
    )
    check(dataset, f"{path}", again)
    return dataset


def floats(images: Tensor) -> Tensor:
    """Pixels as networks take them.

    images: (N, 28, 28) uint8.
    Returns (N, 1, 28, 28) float32 in [0, 1].
    """
    return images.unsqueeze(1).to(torch.float32).div_(255)


def select(images: Tensor, labels: Tensor, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The images and labels of some classes, in their order; labels keep their numbers.

    images: (N, ...); labels: (N,) integers; classes: the numbers of the classes that are kept.
    Returns images (K, ...) and labels (K,).
    """
    kept = torch.isin(labels, torch.tensor(list(classes), dtype=labels.dtype, device=labels.device))
    return images[kept], labels[kept]


def batches(count: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """One epoch: a random permutation of 0..count−1, cut into batches.

    count: images; batch_size: images of a batch.
    Returns (batch_size,) int64 tensors on the generator's device; the last one may be shorter: no image is left out.
    Raises ValueError unless both numbers are positive.
    """
    if count < 1 or batch_size < 1:
        raise ValueError(f"batches of {batch_size} from {count} images: both must be at least 1")
    return torch.randperm(count, generator=generator, device=generator.device).split(batch_size)


def check(dataset: Dataset, where: str, way_out: str) -> None:
    """Raises OvergenError, with `where` the data set is and a `way_out`, for tensors that are not as `Dataset` says."""
    classes = len(dataset.classes)
    if not 2 <= classes <= 256:
        raise OvergenError(f"{where}: {classes} classes; a data set has 2 to 256; {way_out}")
    for split, images, labels in (
        ("train", dataset.train_images, dataset.train_labels),
        ("test", dataset.test_images, dataset.test_labels),
    ):
        shape = tuple(images.shape)
        if images.dtype != torch.uint8 or len(shape) != 3 or shape[0] < 1 or shape[1:] != (SIDE, SIDE):
            raise OvergenError(
                f"{where}: {split}_images are {images.dtype} {shape}, not torch.uint8 (N, 28, 28); {way_out}"
            )
        if labels.dtype != torch.int64 or labels.shape != shape[:1]:
            raise OvergenError(
                f"{where}: {split}_labels are {labels.dtype} {tuple(labels.shape)}, "
                f"not torch.int64 ({shape[0]},); {way_out}"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise OvergenError(
                f"{where}: {split}_labels run from {low} to {high} with {classes} class names; {way_out}"
            )
