"""Sources of data sets: functions that return one, by name.

Those that are fetched take a folder for their archives and a mirror or None (see `mnist`); those of the user's own
files take options, as they stand under `download` in params.yaml. Each returns a `Dataset`.
"""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from overgen import OvergenError
from overgen.data import Dataset, check, stored
from overgen.data.arrays import idx, npz, read_idx
from overgen.data.fetch import ARCHIVES, fetch_archive, say
from overgen.data.folders import image_folder
from overgen.data.split import split
from overgen.data.svhn import svhn
from overgen.run.files import replace_directory, replace_file

SIDE = 28  # pixels
Source = Callable[[Path, str | None], Dataset]


def prepare(
    name: str, directory: str | Path, *, mirror: str | None = None, options: Mapping[str, Any] | None = None
) -> None:
    """Fetch a data set, verify it, and write its folder: `tensors.safetensors` and, in `raw/`, its archives.

    name: of `SOURCES`, or of `OWN` with its options; directory: the folder; mirror: a directory or URL, tried before
    the public places (see `mnist`).
    The folder appears whole or stays as it was. Archives that were fetched before a failure are kept in
    `.overgen/archives/<name>`, so the next run goes on from there.
    Raises OvergenError for an unknown name, an archive that cannot be had, a full disk.
    """
    from safetensors.torch import save

    directory, archives = Path(directory), ARCHIVES / name
    source = None if name in OWN else source_of(name)
    for earlier in (directory / "raw").glob("*"):  # from an earlier run or `dvc pull`: not fetched twice
        kept = archives / earlier.name
        if not kept.exists():
            with replace_file(kept) as temporary:
                shutil.copyfile(earlier, temporary)
        elif not filecmp.cmp(earlier, kept, shallow=False):
            say(f"{earlier}: broken, or not the same as {kept}; it will be replaced")
    dataset = OWN[name](**(options or {})) if source is None else source(archives, mirror)
    check(dataset, f"data set {name}", "its source must return other tensors")
    with replace_directory(directory) as new:
        for archive in dataset.archives:
            (new / "raw").mkdir(exist_ok=True)
            shutil.copyfile(archive, new / "raw" / archive.name)
        # One key only: safetensors writes several in no fixed order.
        metadata = {"overgen": json.dumps({"classes": dataset.classes})}
        (new / "tensors.safetensors").write_bytes(save(stored(dataset), metadata))


def source_of(name: str) -> Source:
    """The source of a data set. Raises OvergenError for a name that is not in `SOURCES`."""
    if name not in SOURCES:
        raise OvergenError(
            f"unknown data set {name!r}; known: {', '.join(SOURCES)}. One of your own files is made by its line under "
            f"`download` in params.yaml, with the source {', '.join(OWN)} (docs/extending.md shows how), and "
            f"`dvc repro download@{name}`"
        )
    return SOURCES[name]


def digits(archives: Path, mirror: str | None) -> Dataset:
    """scikit-learn's 1,797 real handwritten digits, part of UCI's Optical Recognition of Handwritten Digits.

    They come with scikit-learn: no download. The 8×8 images (0..16) are brought to 20×20 by bilinear
    interpolation (half-pixel centres, edges repeated) and put in the middle of 28×28, as MNIST's digits lie
    in a 20×20 box; 16 becomes 255, halves are rounded up. Integer arithmetic: every machine makes the same
    bytes. Split: 1,297 train and 500 test images, stratified by class, fixed (`split` of the image numbers).
    Writers are not recorded there, so both parts may hold digits of the same hands.
    """
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    eighths = small.reshape(-1, 8, 8).astype(np.int64)
    weights = np.zeros((20, 8), dtype=np.int64)  # in tenths: output pixel i lies at (4i − 3)/10 input pixels
    for i in range(20):
        left, tenths = divmod(min(max(4 * i - 3, 0), 70), 10)
        weights[i, left] += 10 - tenths
        weights[i, min(left + 1, 7)] += tenths
    boxes = weights @ eighths @ weights.T  # 0..16 · 10 · 10
    images = np.zeros((len(boxes), SIDE, SIDE), dtype=np.uint8)
    images[:, 4:24, 4:24] = (boxes * 510 + 1600) // 3200
    train, test = split([str(i) for i in range(len(labels))], labels, 500)
    return _dataset("digits", [str(digit) for digit in range(10)], images, labels, train, test)


def mnist(archives: Path, mirror: str | None) -> Dataset:
    """MNIST (LeCun, Cortes, Burges): 60,000 train and 10,000 test images; torchvision's verified download.

    mirror: a directory or URL that holds `MNIST/raw/<archive>`; tried first, under the same MD5.
    """
    return _torchvision("mnist", "MNIST", archives, mirror)


def fashion_mnist(archives: Path, mirror: str | None) -> Dataset:
    """Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), 60,000 train and 10,000 test images; like `mnist`.

    mirror: a directory or URL that holds `FashionMNIST/raw/<archive>`; tried first, under the same MD5.
    """
    return _torchvision("fashion_mnist", "FashionMNIST", archives, mirror)


SOURCES: dict[str, Source] = {"digits": digits, "mnist": mnist, "fashion_mnist": fashion_mnist}
OWN: dict[str, Callable[..., Dataset]] = {"image_folder": image_folder, "idx": idx, "npz": npz, "svhn": svhn}


def _dataset(
    name: str, classes: Sequence[str], images: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> Dataset:
    pixels, numbers = torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))
    return Dataset(name, tuple(classes), pixels[train], numbers[train], pixels[test], numbers[test])


def _torchvision(name: str, kind: str, archives: Path, mirror: str | None) -> Dataset:
    import torchvision

    original = getattr(torchvision.datasets, kind)
    places = [*([f"{mirror.rstrip('/')}/{kind}/raw/"] if mirror else []), *original.mirrors]
    layout = f"{kind}/raw/ with " + ", ".join(file for file, _ in original.resources)
    for file, md5 in original.resources:
        fetch_archive(archives / file, md5, places, layout)
    paths = tuple(archives / file for file, _ in original.resources)
    train_images, train_labels, test_images, test_labels = (torch.from_numpy(read_idx(path)) for path in paths)
    return Dataset(
        name=name,
        classes=tuple(text.split(" - ")[0] for text in original.classes),  # MNIST's are called "0 - zero"
        train_images=train_images[:, None],
        train_labels=train_labels.to(torch.int64),
        test_images=test_images[:, None],
        test_labels=test_labels.to(torch.int64),
        archives=paths,
    )
