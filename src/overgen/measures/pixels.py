"""How near images are to others, pixel by pixel."""

from __future__ import annotations

import numpy as np

ROUNDING = 1 / (12 * 255**2)  # the squared error of rounding to 8 bits


def psnr(squared_error: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio, 10·log₁₀(1/MSE), of images in [0, 1].

    squared_error: the mean over the pixels of each image, at least 0. Returns dB. An error below that of rounding to
    8 bits counts as this, so that no image has more than 58.9 dB, and means over images exist.
    """
    return -10 * np.log10(np.maximum(squared_error, ROUNDING))


def cross_entropy(restored: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mean binary cross-entropy of images per pixel, with restored pixels kept within 1e-6 of 0 and 1.

    restored, x: (N, D) in [0, 1]. Returns (N,) nats.
    """
    r = restored.astype(np.float64).clip(1e-6, 1 - 1e-6)
    return -(x * np.log(r) + (1 - x) * np.log1p(-r)).mean(1)
