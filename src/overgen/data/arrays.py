"""Data sets in files of arrays: IDX, the format of MNIST and all that followed it, and NumPy's .npz."""

from __future__ import annotations

import gzip
import math
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from overgen import OvergenError
from overgen.data import Dataset
from overgen.data.fetch import say
from overgen.data.folders import class_names

PARTS = ("train", "test")
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
NPZ_KEYS = (
    {"train_images": "x_train", "train_labels": "y_train", "test_images": "x_test", "test_labels": "y_test"},  # Keras
    {f"{part}_{what}": f"{part}_{what}" for part in PARTS for what in ("images", "labels")},  # MedMNIST
)


def idx(path: str | Path, *, transpose: bool = False, classes: Sequence[str] | str | Path | None = None) -> Dataset:
    """A data set from four IDX files, gzipped or not: MNIST's form, which KMNIST, EMNIST and others have.

    path: their folder, or, where several data sets lie in it, that and how the names begin: `emnist/emnist-letters`.
    The files are called as MNIST's, with anything before: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and
    `t10k-…` or `test-…`.
    transpose: True where height and width are exchanged, as in EMNIST.
    classes: names, in the order of the labels, or a text file with a name a line; by default the labels themselves.

    Images are (N, H, W), or in colour (N, H, W, 3) or (N, 3, H, W), of bytes. Labels that do not begin at 0 or leave
    numbers out are numbered anew, with a word.
    Raises OvergenError naming a file that is missing, cut or of another form, and labels that do not fit.
    """
    path = Path(path).expanduser()
    files = _idx_files(path)
    arrays = {name: read_idx(file) for name, file in files.items()}
    return _dataset(path, arrays, transpose, classes, {name: str(file) for name, file in files.items()})


def npz(path: str | Path, *, transpose: bool = False, classes: Sequence[str] | str | Path | None = None) -> Dataset:
    """A data set from one .npz file that holds x_train, y_train, x_test and y_test, or train_images and so on; or from
    four of one array each, as KMNIST's (`kmnist-train-imgs.npz`, `kmnist-train-labels.npz`, …).

    path: the file, or the folder of the four, as for `idx`; transpose, classes, what is raised: of `idx`, too.
    Pickled objects are not read: they could run code.
    """
    path = Path(path).expanduser()
    if path.is_file():
        held = _load_npz(path)
        keys = next((keys for keys in NPZ_KEYS if set(keys.values()) <= set(held)), None)
        if keys is None:
            raise OvergenError(
                f"{path}: holds {', '.join(held) or 'nothing'}; expected {', '.join(NPZ_KEYS[0].values())} or "
                f"{', '.join(NPZ_KEYS[1].values())}"
            )
        if left_out := sorted(set(held) - set(keys.values())):
            say(f"{path}: {', '.join(left_out)}: left out; train and test are taken")
        arrays = {name: held[key] for name, key in keys.items()}
        return _dataset(path, arrays, transpose, classes, {name: f"{path}, {key}" for name, key in keys.items()})
    files = _files(path, r"[-_.]?(imgs|images|labels)\.npz", {"imgs": "images"}, "train-imgs.npz, train-labels.npz, …")
    arrays = {}
    for name, file in files.items():
        held = _load_npz(file)
        if len(held) != 1:
            raise OvergenError(f"{file}: holds {', '.join(held) or 'nothing'}; expected one array of {name}")
        arrays[name] = next(iter(held.values()))
    return _dataset(path, arrays, transpose, classes, {name: str(file) for name, file in files.items()})


def read_idx(path: Path) -> np.ndarray:
    """An IDX file, gzipped or not (LeCun's format: 0, 0, type, rank, big-endian sizes, values).

    Raises OvergenError naming the file and what is wrong in it.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b" or path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise OvergenError(f"{path}: not a whole gzip file ({error}); delete it and download again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or len(content) < 4 + 4 * content[3]:
        raise OvergenError(f"{path}: begins with {content[:4].hex()}, so it is not an IDX file")
    kind, rank = np.dtype(IDX_TYPES[content[2]]), content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=rank, offset=4))
    there, rest = divmod(len(content) - 4 - 4 * rank, kind.itemsize)
    if rest or there != math.prod(shape):
        raise OvergenError(f"{path}: {there} values, but its header says {shape}")
    values = np.frombuffer(content, dtype=kind, offset=4 + 4 * rank)
    return values.reshape(shape).astype(kind.newbyteorder("="))


def _idx_files(path: Path) -> dict[str, Path]:
    pattern = r"[-_.]?(images|labels)[-_.]idx\d[-_.]u?(?:byte|int)(?:\.gz)?"
    return _files(path, pattern, {}, "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…, gzipped or not")


def _files(path: Path, pattern: str, words: Mapping[str, str], expected: str) -> dict[str, Path]:
    """The files of a data set, by "train_images" and so on. Raises OvergenError for none, and for those of several."""
    folder, start = (path, "") if path.is_dir() else (path.parent, path.name)
    if not folder.is_dir():
        raise OvergenError(f"{folder}: missing; a folder is expected there, with {expected}")
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name, reverse=True):  # of x and x.gz, x is the last
        match = re.fullmatch(rf"(.*?)(train|t10k|test){pattern}", file.name, re.IGNORECASE)
        if match and file.is_file() and file.name.startswith(start):
            part, what = match[2].lower(), match[3].lower()
            kind = f"{'train' if part == 'train' else 'test'}_{words.get(what, what)}"
            found.setdefault(kind, {})[match[1]] = file
    starts = sorted({start for files in found.values() for start in files})
    if len(starts) > 1:
        raise OvergenError(
            f"{path}: files of {len(starts)} data sets lie there, whose names begin with {', '.join(starts)}; "
            f"give one, such as {folder / starts[-1]}"
        )
    if lacking := [
        f"{part}_{what}" for part in PARTS for what in ("images", "labels") if f"{part}_{what}" not in found
    ]:
        raise OvergenError(f"{path}: no file of {', '.join(lacking)}; expected {expected}")
    return {kind: next(iter(files.values())) for kind, files in found.items()}


def _load_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:  # numpy leaves it open where it fails
            held = np.load(file, allow_pickle=False)
            return {name: held[name] for name in held.files}
    except ValueError as error:
        raise OvergenError(f"{path}: not read ({error}); pickled objects could run code: save plain arrays") from error
    except (OSError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise OvergenError(f"{path}: not a whole .npz file ({error})") from error


def _dataset(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    transpose: bool,
    classes: Sequence[str] | str | Path | None,
    places: Mapping[str, str],
) -> Dataset:
    """The data set of four arrays. places: where each comes from, for errors."""
    images = {part: _images(arrays[f"{part}_images"], places[f"{part}_images"], transpose) for part in PARTS}
    labels = {part: _labels(arrays[f"{part}_labels"], places[f"{part}_labels"]) for part in PARTS}
    for part in PARTS:
        if len(images[part]) != len(labels[part]):
            raise OvergenError(
                f"{places[f'{part}_images']}: {len(images[part])} images, but {len(labels[part])} labels in "
                f"{places[f'{part}_labels']}"
            )
    names, numbers = _numbered(path, labels, class_names(classes))
    pixels = {part: torch.from_numpy(images[part]) for part in PARTS}
    stem = re.sub(r"[-_.]+$", "", path.name.removesuffix(".npz"))
    return Dataset(stem, names, pixels["train"], numbers["train"], pixels["test"], numbers["test"])


def _images(values: np.ndarray, place: str, transpose: bool) -> np.ndarray:
    """(N, C, H, W) uint8."""
    if values.dtype != np.uint8:
        raise OvergenError(f"{place}: images are {values.dtype}; they must be bytes (uint8), 0 to 255")
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[-1] in (1, 3) and values.shape[1] not in (1, 3):
        values = values.transpose(0, 3, 1, 2)
    elif values.ndim != 4 or values.shape[1] not in (1, 3) or values.shape[-1] in (1, 3):
        raise OvergenError(
            f"{place}: images are {values.shape}; they must be (N, height, width), (N, height, width, 3) or "
            "(N, 3, height, width)"
        )
    return np.ascontiguousarray(values.swapaxes(2, 3) if transpose else values)


def _labels(values: np.ndarray, place: str) -> np.ndarray:
    """(N,) int64."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or values.dtype.kind not in "ui":
        raise OvergenError(f"{place}: labels are {values.dtype} {values.shape}; they must be whole numbers, (N,)")
    if (values < 0).any():
        raise OvergenError(f"{place}: labels from {values.min()}; they must be 0 or more")
    return values.astype(np.int64)


def _numbered(
    path: Path, labels: Mapping[str, np.ndarray], given: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, torch.Tensor]]:
    """The names of the classes, and the labels as their numbers 0 to K − 1."""
    seen, tested = (np.unique(labels[part]) for part in PARTS)
    if lacking := sorted(set(tested.tolist()) - set(seen.tolist())):
        raise OvergenError(f"{path}: test labels {', '.join(map(str, lacking[:10]))} that no train image has")
    low, high = (int(seen[0]), int(seen[-1])) if len(seen) else (0, 0)
    if given is not None and high < len(given):  # names for numbers, whether all are there or not
        names, of_label = tuple(given), np.arange(len(given))
    else:
        if given is not None and len(given) != len(seen):
            raise OvergenError(
                f"{path}: {len(given)} names for {len(seen)} labels from {low} to {high}; give one for each label"
            )
        names, of_label = tuple(given or map(str, seen.tolist())), seen
        if seen.tolist() != list(range(len(seen))):
            holes = f" with {high - low + 1 - len(seen)} left out" if high - low + 1 > len(seen) else ""
            called = ", ".join(names[:30])
            say(f"{path}: labels {low} to {high}{holes} are classes 0 to {len(seen) - 1}, called {called}")
    return names, {part: torch.from_numpy(np.searchsorted(of_label, labels[part])) for part in PARTS}
