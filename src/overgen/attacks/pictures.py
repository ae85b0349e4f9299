"""Images of numbers in [0, 1] as pictures of 8 or 16 bits a pixel, and back."""

from __future__ import annotations

import numpy as np

Depth = type[np.uint8] | type[np.uint16]


def rounded(images: np.ndarray, depth: Depth = np.uint8) -> np.ndarray:
    """Images (N, 784) in [0, 1] as pictures (N, 28, 28) uint8 or uint16."""
    pixels = np.rint(images.astype(np.float64) * np.iinfo(depth).max)
    return pixels.astype(depth).reshape(len(images), 28, 28)


def images(pictures: np.ndarray) -> np.ndarray:
    """Pictures of integers as images in [0, 1], float32, of the same shape."""
    return (pictures / np.float64(np.iinfo(pictures.dtype).max)).astype(np.float32)
