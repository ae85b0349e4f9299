"""Histograms of oriented gradients (Dalal & Triggs 2005) of many images at once, made to bear noise.

As `skimage.feature.hog` with block_norm="L2", of which this is a batched form, but for three things:
- the image is smoothed first (Gaussian, deviation `BLUR` of a cell);
- a gradient is shared between the two nearest orientations, in proportion to how near they are, where scikit-image puts
  all of it into one;
- the length that a block is divided by has a `FLOOR` well above the gradients of weak noise (there: 1e-5), which
  otherwise fill the empty parts of an image as strongly as its edges.
"""

from __future__ import annotations

import math

import numpy as np

ORIENTATIONS = 9  # of 180°, as edges have no sign
CELL = 4  # pixels a side, of a small image
CELLS = 7  # a side of a large image, whose cells are larger
BLUR = 0.25
FLOOR = 0.05
AT_ONCE = 1 << 21  # pixels


def hog(images: np.ndarray, *, floor: float = FLOOR) -> np.ndarray:
    """The features of images: of all blocks of 2 × 2 cells, the cells' histograms, divided by their common length.

    images: (N, C, H, W) in [0, 1], with room for 2 × 2 cells; of colour, each pixel's channel of the largest gradient.
    floor: in pixel units; a block of the histograms h is h/√(Σ h² + floor²).
    Returns (N, D) float32, in scikit-image's order: D = 36·(cells high − 1)·(cells wide − 1), 1,296 of 28 × 28 pixels.
    Raises ValueError for another shape, and for images that are too small.
    """
    if images.ndim != 4 or min(images.shape[2:]) < 2 * CELL:
        raise ValueError(f"images: shape {images.shape}, must be (N, C, H, W) with H, W >= {2 * CELL}")
    side = cell_side(images.shape[2], images.shape[3])
    high, wide = images.shape[2] // side, images.shape[3] // side
    made = np.empty((len(images), (high - 1) * (wide - 1) * 4 * ORIENTATIONS), dtype=np.float32)
    size = max(1, AT_ONCE // math.prod(images.shape[1:]))
    for start in range(0, len(images), size):
        made[start : start + size] = blocks(histograms(smooth(images[start : start + size], side), side), floor)
    return made


def cell_side(height: int, width: int) -> int:
    """The side of a cell in pixels."""
    return max(CELL, min(height, width) // CELLS)


def smooth(images: np.ndarray, side: int) -> np.ndarray:
    """Images without what is finer than a part of a cell. images: (N, C, H, W). Returns the same shape, float32."""
    from scipy.ndimage import gaussian_filter

    deviation = BLUR * side
    return gaussian_filter(images.astype(np.float32), (0, 0, deviation, deviation), mode="nearest", truncate=3)


def histograms(images: np.ndarray, side: int) -> np.ndarray:
    """The mean gradient of each cell by orientation. images: (N, C, H, W).

    Returns (N, cells high, cells wide, ORIENTATIONS); the middle of the first orientation is half a step above 0°.
    """
    down, right = np.zeros_like(images), np.zeros_like(images)  # and 0 at the margins
    down[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    right[:, :, :, 1:-1] = images[:, :, :, 2:] - images[:, :, :, :-2]
    length = np.hypot(down, right)
    strongest = length.argmax(1, keepdims=True)
    down, right, length = (np.take_along_axis(x, strongest, 1)[:, 0] for x in (down, right, length))
    place = (np.arctan2(down, right) * (ORIENTATIONS / np.pi) - 0.5) % ORIENTATIONS
    high, wide = images.shape[2] // side, images.shape[3] // side
    made = np.empty((len(images), high, wide, ORIENTATIONS), dtype=np.float32)
    for k in range(ORIENTATIONS):
        apart = np.abs(place - k)
        shared = length * np.maximum(1 - np.minimum(apart, ORIENTATIONS - apart), 0)
        cells = shared[:, : high * side, : wide * side].reshape(-1, high, side, wide, side)
        made[..., k] = cells.sum((2, 4)) / side**2
    return made


def blocks(cells: np.ndarray, floor: float) -> np.ndarray:
    """Histograms of 2 × 2 cells by their common length. cells: (N, h, w, O). Returns (N, (h − 1)·(w − 1)·4·O)."""
    corners = [cells[:, i : cells.shape[1] - 1 + i, j : cells.shape[2] - 1 + j] for i in (0, 1) for j in (0, 1)]
    block = np.stack(corners, 3)  # (N, h − 1, w − 1, 4, O)
    block /= np.sqrt((block**2).sum((3, 4), keepdims=True) + floor**2)
    return block.reshape(len(cells), -1)
