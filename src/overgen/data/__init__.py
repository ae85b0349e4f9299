"""Data sets by name, in use: loaded whole, cut into subsets and batches.

How a data set is made stands in `overgen.data.sources`, which nothing here imports: a further source leaves what was
trained on others as it is. Torch is imported where it is used: what reads a picture only, does without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overgen import OvergenError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHANNELS = (1, 3)  # gray; red, green and blue


@dataclass(frozen=True)
class Dataset:
    """Images of one shape (C, H, W), gray or RGB, 0 to 255, with their class numbers.

    classes: the names of the K classes, in the order of their numbers.
    train_images, test_images: (N, C, H, W) uint8, C = 1 or 3; train_labels, test_labels: (N,) int64 in 0..K−1, or −1
    for an image without a label.
    archives: the files that a source fetched and read, to be kept beside the tensors; none once loaded.
    """

    name: str
    classes: tuple[str, ...]
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    archives: tuple[Path, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of each image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width


def load(name: str, root: str | Path = "data") -> Dataset:
    """Load `<root>/<name>/tensors.safetensors`, as `sources.prepare` wrote it.

    The file holds gray images as (N, H, W), colour as (N, 3, H, W); labels in 8 bits where these hold them all, else in
    32.
    Raises OvergenError if the file is missing, cut or not such a data set.
    """
    import torch
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
        stored = (torch.uint8, torch.int32) if key.endswith("labels") else (torch.uint8,)
        if tensor.dtype not in stored:
            raise OvergenError(f"{path}: {key} is {tensor.dtype}, not {' or '.join(map(str, stored))}; {again}")
    dataset = Dataset(
        name=name,
        classes=tuple(classes),
        train_images=_planes(tensors["train_images"]),
        train_labels=tensors["train_labels"].to(torch.int64),
        test_images=_planes(tensors["test_images"]),
        test_labels=tensors["test_labels"].to(torch.int64),
    )
    check(dataset, f"{path}", again)
    return dataset


def _planes(images: Tensor) -> Tensor:
    """Images as they are stored, with the axis of the channel that gray ones have not in their file."""
    return images.unsqueeze(1) if images.dim() == 3 else images


def stored(dataset: Dataset) -> dict[str, Tensor]:
    """The tensors of a data set as its file holds them; see `load`."""
    import torch

    tensors = {}
    for split in ("train", "test"):
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        small = int(labels.min()) >= 0 and int(labels.max()) <= 255
        tensors[f"{split}_images"] = (images[:, 0] if images.shape[1] == 1 else images).contiguous()
        tensors[f"{split}_labels"] = labels.to(torch.uint8 if small else torch.int32)
    return tensors


def floats(images: Tensor) -> Tensor:
    """Pixels as networks take them.

    images: (N, C, H, W) uint8.
    Returns (N, C, H, W) float32 in [0, 1].
    """
    import torch

    return images.to(torch.float32).div_(255)


def pictures(images: Tensor) -> np.ndarray:
    """Images as cells keep them and figures draw them, on the CPU.

    images: (..., C, H, W), C = 1 or 3, of any type.
    Returns (..., H, W) of gray images, (..., H, W, 3) of colour, of the same type.
    """
    return (images.squeeze(-3) if images.shape[-3] == 1 else images.movedim(-3, -1)).contiguous().cpu().numpy()


def planes(pictures: Tensor) -> Tensor:
    """Pictures as networks take images: (N, H, W) gray to (N, 1, H, W), (N, H, W, 3) colour to (N, 3, H, W)."""
    return pictures[:, None] if pictures.dim() == 3 else pictures.movedim(-1, 1).contiguous()


def select(images: Tensor, labels: Tensor, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The images and labels of some classes, in their order; labels keep their numbers.

    images: (N, ...); labels: (N,) integers; classes: the numbers of the classes that are kept.
    Returns images (K, ...) and labels (K,).
    """
    import torch

    kept = torch.isin(labels, torch.tensor(list(classes), dtype=labels.dtype, device=labels.device))
    return images[kept], labels[kept]


def batches(count: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """One epoch: a random permutation of 0..count−1, cut into batches.

    count: images; batch_size: images of a batch.
    Returns (batch_size,) int64 tensors on the generator's device; the last one may be shorter: no image is left out.
    Raises ValueError unless both numbers are positive.
    """
    import torch

    if count < 1 or batch_size < 1:
        raise ValueError(f"batches of {batch_size} from {count} images: both must be at least 1")
    return torch.randperm(count, generator=generator, device=generator.device).split(batch_size)


def check(dataset: Dataset, where: str, way_out: str) -> None:
    """Raises OvergenError, with `where` the data set is and a `way_out`, for tensors that are not as `Dataset` says."""
    import torch

    classes = len(dataset.classes)
    if classes < 2:
        raise OvergenError(f"{where}: {classes} classes; a data set has 2 or more; {way_out}")
    for split, images, labels in (
        ("train", dataset.train_images, dataset.train_labels),
        ("test", dataset.test_images, dataset.test_labels),
    ):
        shape = tuple(images.shape)
        if images.dtype != torch.uint8 or len(shape) != 4 or shape[1] not in CHANNELS or 0 in shape:
            raise OvergenError(
                f"{where}: {split}_images are {images.dtype} {shape}, not torch.uint8 (N, C, H, W) with C = 1 or 3; "
                f"{way_out}"
            )
        if labels.dtype != torch.int64 or labels.shape != shape[:1]:
            raise OvergenError(
                f"{where}: {split}_labels are {labels.dtype} {tuple(labels.shape)}, "
                f"not torch.int64 ({shape[0]},); {way_out}"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < -1 or high >= classes:
            raise OvergenError(
                f"{where}: {split}_labels run from {low} to {high} with {classes} class names; {way_out}"
            )
    train, test = (tuple(images.shape[1:]) for images in (dataset.train_images, dataset.test_images))
    if train != test:
        raise OvergenError(f"{where}: train_images are of shape {train}, test_images of {test}; {way_out}")
