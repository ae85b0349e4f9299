"""SVHN, house numbers of Google Street View (Netzer et al. 2011), from its own files in MATLAB's form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from overgen import OvergenError
from overgen.data import Dataset

FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}  # cropped digits; those of the extra set are not read


def svhn(path: str | Path) -> Dataset:
    """A data set from `train_32x32.mat` and `test_32x32.mat`, as their authors publish them.

    path: the folder of both. X is (H, W, 3, N) of bytes; y (N, 1) has the digits 1 to 9, and 10 for 0, which is class 0
    here.
    Raises OvergenError naming a file that is missing, cut or of another form.
    """
    folder = Path(path).expanduser()
    pixels, numbers = {}, {}
    for part, name in FILES.items():
        file = folder / name
        held = _read(file)
        images, labels = held["X"], held["y"]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2] != 3:
            raise OvergenError(f"{file}: X is {images.dtype} {images.shape}; it must be uint8 (height, width, 3, N)")
        if labels.dtype.kind not in "ui" or labels.shape != (images.shape[3], 1):
            raise OvergenError(
                f"{file}: y is {labels.dtype} {labels.shape}; it must be whole numbers ({images.shape[3]}, 1)"
            )
        if labels.size == 0 or labels.min() < 1 or labels.max() > 10:
            found = "empty" if labels.size == 0 else f"from {labels.min()} to {labels.max()}"
            raise OvergenError(f"{file}: y is {found}; it must hold the digits 1 to 9, and 10 for 0")
        pixels[part] = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 2, 0, 1)))
        numbers[part] = torch.from_numpy(labels[:, 0].astype(np.int64) % 10)
    classes = tuple(str(digit) for digit in range(10))
    return Dataset("svhn", classes, pixels["train"], numbers["train"], pixels["test"], numbers["test"])


def _read(file: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        with file.open("rb") as opened:
            held = loadmat(opened)
    except FileNotFoundError as error:
        raise OvergenError(
            f"{file}: missing; SVHN's cropped digits are {' and '.join(FILES.values())}, which its authors publish at "
            "http://ufldl.stanford.edu/housenumbers"
        ) from error
    except (
        Exception
    ) as error:  # a cut file raises whatever its bytes happen to mean: zlib.error, TypeError, IndexError …
        raise OvergenError(f"{file}: not a whole MATLAB file of version 4 to 7 ({error})") from error
    if lacking := [name for name in ("X", "y") if name not in held]:
        there = ", ".join(name for name in held if not name.startswith("__")) or "nothing"
        raise OvergenError(f"{file}: holds {there}; {' and '.join(lacking)} should be there, as in SVHN's own files")
    return held
