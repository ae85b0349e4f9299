"""Sources of data sets: functions that return one, by name.

A source takes a folder for the archives that it fetches and a mirror or None (see `mnist`), and returns a `Dataset`.
"""

from __future__ import annotations

import filecmp
import gzip
import hashlib
import json
import math
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import torch

from overgen import OvergenError
from overgen.data import Dataset, check, stored
from overgen.data.fetch import ARCHIVES, fetch_archive, say
from overgen.run.files import replace_directory, replace_file

if TYPE_CHECKING:
    from PIL import Image


SIDE = 28  # pixels
Source = Callable[[Path, str | None], Dataset]


def prepare(name: str, directory: str | Path, *, mirror: str | None = None) -> None:
    """Fetch a data set, verify it, and write its folder: `tensors.safetensors` and, in `raw/`, its archives.

    name: of `SOURCES`; directory: the folder; mirror: a directory or URL, tried before the public places (see `mnist`).
    The folder appears whole or stays as it was. Archives that were fetched before a failure are kept in
    `.overgen/archives/<name>`, so the next run goes on from there.
    Raises OvergenError for an unknown name, an archive that cannot be had, a full disk.
    """
    from safetensors.torch import save

    source, directory, archives = source_of(name), Path(directory), ARCHIVES / name
    for earlier in (directory / "raw").glob("*"):  # from an earlier run or `dvc pull`: not fetched twice
        kept = archives / earlier.name
        if not kept.exists():
            with replace_file(kept) as temporary:
                shutil.copyfile(earlier, temporary)
        elif not filecmp.cmp(earlier, kept, shallow=False):
            say(f"{earlier}: broken, or not the same as {kept}; it will be replaced")
    dataset = source(archives, mirror)
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
            f"unknown data set {name!r}; known: {', '.join(SOURCES)}. To add one, write a function that "
            "returns its images and list it in SOURCES (src/overgen/data/sources.py; docs/extending.md shows how)."
        )
    return SOURCES[name]


def digits(archives: Path, mirror: str | None) -> Dataset:
    """scikit-learn's 1,797 real handwritten digits, part of UCI's Optical Recognition of Handwritten Digits.

    They come with scikit-learn: no download. The 8×8 images (0..16) are brought to 20×20 by bilinear
    interpolation (half-pixel centres, edges repeated) and put in the middle of 28×28, as MNIST's digits lie
    in a 20×20 box; 16 becomes 255, halves are rounded up. Integer arithmetic: every machine makes the same
    bytes. Split: 1,297 train and 500 test images, stratified by class, fixed (`_split` of the image numbers).
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
    train, test = _split([str(i) for i in range(len(labels))], labels, 500)
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


def image_folder(path: str | Path, *, invert: bool = False) -> Dataset:
    """A data set from images of any size and colour, in a folder or a zip file; for use in a source.

    path: holds `<class>/<image>`. The class is the folder an image lies in, at any depth; hidden files and
    what is no image by its suffix are left out. Class numbers follow the sorted names.
    invert: True for dark ink on a light ground, so that the ground becomes 0 as in MNIST.

    An image is turned upright (EXIF), laid on black (white if `invert`) where it is transparent, made gray
    (ITU-R 601 luma), inverted if asked, scaled so that its longer side is 28 pixels (bilinear, antialiased,
    aspect ratio kept), and put in the middle of a 28×28 square of zeros.
    Split: a fifth of the images are test images, stratified by class, fixed by the images' paths (`_split`).
    Raises OvergenError naming the file or class when an image cannot be read or a class has too few images.
    """
    path = Path(path)
    images, labels, names = _pictures(path, invert)
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise OvergenError(
            f"{path}: images of {len(classes)} classes; at least 2 are needed, as {path.name}/<class>/<image>"
        )
    numbers = np.array([classes.index(label) for label in labels])
    train, test = _split(names, numbers, len(names) // 5)
    for number, name in enumerate(classes):
        if not (numbers[train] == number).any() or not (numbers[test] == number).any():
            count = int((numbers == number).sum())
            raise OvergenError(f"{path}: class {name} has {count} image(s), too few to test on a fifth; add some")
    return _dataset(path.stem, classes, np.stack(images), numbers, train, test)


def _pictures(path: Path, invert: bool) -> tuple[list[np.ndarray], list[str], list[str]]:
    """The images of a folder or zip file by `gray`, the names of their classes, and their own, sorted by these."""
    from PIL import Image

    suffixes = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    broken = (OSError, ValueError, SyntaxError, zipfile.BadZipFile, Image.DecompressionBombError)
    images, labels, kept = [], [], []
    with _files(path) as (names, open_file):
        for name in sorted(names):
            *folders, file_name = Path(name).parts
            hidden = any(part.startswith((".", "__MACOSX")) for part in (*folders, file_name))
            if not folders or hidden or Path(name).suffix.lower() not in suffixes:
                continue
            try:
                with open_file(name) as file, Image.open(file) as image:
                    images.append(gray(image, invert))
            except broken as error:
                raise OvergenError(
                    f"{path}: {name} cannot be read as an image ({error}); repair or remove it"
                ) from error
            labels.append(folders[-1])
            kept.append(name)
    return images, labels, kept


SOURCES: dict[str, Source] = {"digits": digits, "mnist": mnist, "fashion_mnist": fashion_mnist}


def _dataset(
    name: str, classes: Sequence[str], images: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> Dataset:
    pixels, numbers = torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))
    return Dataset(name, tuple(classes), pixels[train], numbers[train], pixels[test], numbers[test])


def _split(keys: Sequence[str], labels: np.ndarray, test_count: int) -> tuple[np.ndarray, np.ndarray]:
    """A fixed stratified split: sorted positions of train and test images.

    Each class gives its share of `test_count` (largest remainders), namely the images whose keys have the
    smallest SHA-256: as good as drawn at random, and the same with every version of every library.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * test_count
    quotas = shares // len(labels)
    by_remainder = np.argsort(-(shares % len(labels)), kind="stable")
    quotas[by_remainder[: test_count - quotas.sum()]] += 1
    order = sorted(range(len(keys)), key=lambda i: hashlib.sha256(keys[i].encode()).digest())
    ranked = labels[order]
    test = np.concatenate(
        [np.array(order)[ranked == number][:quota] for number, quota in zip(classes, quotas, strict=True)]
    )
    return np.setdiff1d(np.arange(len(keys)), test), np.sort(test)


def _torchvision(name: str, kind: str, archives: Path, mirror: str | None) -> Dataset:
    import torchvision

    original = getattr(torchvision.datasets, kind)
    places = [*([f"{mirror.rstrip('/')}/{kind}/raw/"] if mirror else []), *original.mirrors]
    layout = f"{kind}/raw/ with " + ", ".join(file for file, _ in original.resources)
    for file, md5 in original.resources:
        fetch_archive(archives / file, md5, places, layout)
    paths = tuple(archives / file for file, _ in original.resources)
    train_images, train_labels, test_images, test_labels = (torch.from_numpy(_idx(path)) for path in paths)
    return Dataset(
        name=name,
        classes=tuple(text.split(" - ")[0] for text in original.classes),  # MNIST's are called "0 - zero"
        train_images=train_images[:, None],
        train_labels=train_labels.to(torch.int64),
        test_images=test_images[:, None],
        test_labels=test_labels.to(torch.int64),
        archives=paths,
    )


def _idx(path: Path) -> np.ndarray:
    """Read a gzipped idx file of bytes (LeCun's format: 0, 0, type, rank, big-endian sizes, values)."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise OvergenError(f"{path}: not a whole gzip file ({error}); delete it and download again") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise OvergenError(f"{path}: begins with {content[:4].hex()}, so it is not an idx file of bytes")
    rank = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=rank, offset=4))
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank)
    if len(values) != math.prod(shape):
        raise OvergenError(f"{path}: {len(values)} values, but its header says {shape}")
    return values.reshape(shape).copy()


@contextmanager
def _files(path: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """The files in a folder or zip file, as (paths relative to it, a function that opens one)."""
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        yield names, lambda name: (path / name).open("rb")
    elif path.exists():
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise OvergenError(f"{path}: neither a folder nor a whole zip file ({error})") from error
        with archive:
            yield archive.namelist(), archive.open
    else:
        raise OvergenError(f"{path}: missing; a folder or zip file of images is expected there")


def gray(image: Image.Image, invert: bool) -> np.ndarray:
    """(28, 28) uint8; see `image_folder`."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would cut at 255
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 0xFFFF:
            raise ValueError(f"values from {deep.min()} to {deep.max()} are not 16-bit gray")
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no known white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255) if invert else (0, 0, 0, 255))
        image = Image.alpha_composite(ground, image)
    image = image.convert("L")
    if invert:
        image = ImageOps.invert(image)
    scale = SIDE / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = Image.new("L", (SIDE, SIDE))
    square.paste(image.resize((width, height), Image.Resampling.BILINEAR), ((SIDE - width) // 2, (SIDE - height) // 2))
    return np.asarray(square)
