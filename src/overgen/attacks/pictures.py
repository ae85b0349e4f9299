"""Images of numbers in [0, 1] as pictures of 8 or 16 bits a channel, and back.

Attacks hold images flat, channel after channel: (N, C·H·W). A picture is (H, W) in gray and (H, W, 3) in colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Depth = type[np.uint8] | type[np.uint16]


def pictured(images: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Flat images (..., C·H·W) as pictures, (..., H, W) or (..., H, W, 3). shape: (C, H, W), C = 1 or 3."""
    channels, height, width = shape
    if channels == 1:
        return images.reshape(*images.shape[:-1], height, width)
    return np.ascontiguousarray(np.moveaxis(images.reshape(*images.shape[:-1], *shape), -3, -1))


def rounded(images: np.ndarray, shape: Sequence[int], depth: Depth = np.uint8) -> np.ndarray:
    """Flat images (N, C·H·W) in [0, 1] as pictures (N, H, W) or (N, H, W, 3) of integers. shape: (C, H, W)."""
    whole = np.empty((len(images), math.prod(shape)), depth)
    for row, image in zip(whole, images, strict=True):  # one at a time: float64 takes 4 to 8 times as much
        np.copyto(row, np.rint(image.astype(np.float64) * np.iinfo(depth).max), casting="unsafe")
    return pictured(whole, shape)


def columns(targets: Sequence[int]) -> dict[str, np.ndarray]:
    """What a cell's examples say of their target classes: target (C,), and nothing where these are 0 to C − 1."""
    return {} if list(targets) == list(range(len(targets))) else {"target": np.array(targets)}


def images(pictures: np.ndarray) -> np.ndarray:
    """Pictures of integers with values in [0, 1], float32, of the same shape."""
    return (pictures / np.float64(np.iinfo(pictures.dtype).max)).astype(np.float32)
