"""Bits of images in files: lossless ones (PNG, gzip, xz) and JPEG, each image alone or all of them in one.

A file of one small image is mostly its head. All images in one share it: PNG and JPEG of a mosaic of them, gzip and xz
of their bytes one after another. Blocks of JPEG, 8 × 8, may lie across two images of the mosaic.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math

import numpy as np

LOSSLESS = ("png", "gzip", "xz")


def bits_of(images: np.ndarray, codec: str) -> int:
    """Bits of a lossless file of images. images: uint8, (..., H, W) or (..., H, W, 3); codec: of `LOSSLESS`.

    PNG takes one image only. gzip at its level 9, without name and time; xz at its level 9.
    Raises ValueError for another codec.
    """
    if codec == "gzip":
        return 8 * len(gzip.compress(images.tobytes(), 9, mtime=0))
    if codec == "xz":
        # A dictionary as large as the images: that of the level, 64 MB, would be cleared for each of them.
        size = max(4096, images.nbytes)
        own = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": size}]
        return 8 * len(lzma.compress(images.tobytes(), filters=own))
    if codec != "png":
        raise ValueError(f"codec {codec!r}: must be one of {LOSSLESS}")
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(images).save(file, "png", optimize=True)
    return 8 * len(file.getvalue())


def jpeg(image: np.ndarray, quality: int) -> tuple[int, np.ndarray]:
    """A baseline JPEG of an image, without subsampling of colours. image: uint8, (H, W) or (H, W, 3); quality: 1..100.

    Returns its bits and what is restored from it, of the image's form.
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=quality, subsampling=0, optimize=True)
    return 8 * len(file.getvalue()), np.asarray(Image.open(file))


def mosaic(images: np.ndarray) -> np.ndarray:
    """All images in one, row by row in a square of them, black where there are none left.

    images: (N, H, W) or (N, H, W, 3). `apart` takes it apart again.
    """
    side = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / side)
    whole = np.zeros((rows * side, *images.shape[1:]), images.dtype)
    whole[: len(images)] = images
    whole = whole.reshape(rows, side, *images.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(whole.reshape(rows * images.shape[1], side * images.shape[2], *images.shape[3:]))


def apart(whole: np.ndarray, count: int, height: int, width: int) -> np.ndarray:
    """The first `count` images of a `mosaic`, of that height and width."""
    rows, side = whole.shape[0] // height, whole.shape[1] // width
    images = whole.reshape(rows, height, side, width, *whole.shape[2:]).swapaxes(1, 2)
    return images.reshape(rows * side, height, width, *whole.shape[2:])[:count]
