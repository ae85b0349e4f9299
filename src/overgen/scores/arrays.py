"""What every score does with its arrays: check them, cut them into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK = 1 << 25  # elements of the largest temporary array of a block: 256 MiB in float64


def rows(x: Any, width: int | None = None) -> np.ndarray:
    """x as a finite (N, D) array of float32, if it is so, else of float64.

    width: the D it must have; None where a score is fitted, which needs a row. Raises ValueError on another shape, or
    naming the row of the first NaN or infinity.
    """
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != (width or x.shape[1]) or (width is None and 0 in x.shape):
        wanted = f"(N, {width})" if width else "(N, D) with N, D >= 1"
        raise ValueError(f"x: shape {x.shape}, must be {wanted}")
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float64)
    if x.size and not (np.isfinite(x.max()) and np.isfinite(x.min())):
        row, column = next(
            (start + i, j) for start, block in blocks(x, x.shape[1]) for i, j in np.argwhere(~np.isfinite(block))[:1]
        )
        raise ValueError(f"x: {x[row, column]} at row {row}, column {column}")
    return x


def class_labels(labels: Any, count: int) -> np.ndarray:
    """labels as a (count,) integer array. Raises ValueError on another shape or kind."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels: shape {labels.shape}, {labels.dtype}: must be ({count},) integers, one a row of x")
    return labels


def blocks(x: np.ndarray, per_row: int) -> Iterator[tuple[int, np.ndarray]]:
    """x in blocks of rows, with the number of the first: `BLOCK` elements where each row takes `per_row` of them."""
    size = max(1, BLOCK // max(per_row, 1))
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def log_sum_exp(x: np.ndarray) -> np.ndarray:
    """log Σ exp over the columns, without overflow. x: (N, C). Returns (N,) float64."""
    top = x.max(1, keepdims=True).astype(np.float64)
    return np.log(np.exp(x - top).sum(1)) + top[:, 0]
