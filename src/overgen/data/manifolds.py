"""Clouds of points on manifolds whose dimension is known, for checks of what estimates it."""

from __future__ import annotations

import numpy as np


def cube(draw: np.random.Generator, count: int, dimension: int, width: int) -> np.ndarray:
    """Points of a linear subspace: uniform in a cube of some dimension, turned into `width` columns.

    Returns (count, width) float64. Raises ValueError where the cube has more dimensions than there are columns.
    """
    return _turned(draw, draw.random((count, dimension)), width)


def sphere(draw: np.random.Generator, count: int, dimension: int, width: int) -> np.ndarray:
    """Points uniform on the unit sphere of some dimension, which spans one more, turned into `width` columns.

    Returns (count, width) float64. Raises ValueError as `cube` does.
    """
    x = draw.normal(size=(count, dimension + 1))
    return _turned(draw, x / np.linalg.norm(x, axis=1, keepdims=True), width)


def swiss_roll(draw: np.random.Generator, count: int, width: int) -> np.ndarray:
    """Points of a plane rolled up in three dimensions, uniform on the plane, turned into `width` columns.

    The spiral (t·cos t, t·sin t) runs over t from 1.5π to 4.5π; its length up to t is near t²/2. Its turns are 2π
    apart, the roll is 21 high. Returns (count, width) float64. Raises ValueError for fewer than three columns.
    """
    t = np.pi * np.sqrt(1.5**2 + draw.random(count) * (4.5**2 - 1.5**2))
    x = np.stack([t * np.cos(t), t * np.sin(t), 21 * draw.random(count)], 1)
    return _turned(draw, x, width)


def _turned(draw: np.random.Generator, x: np.ndarray, width: int) -> np.ndarray:
    """Points (N, d) in a random d-dimensional subspace of R^width, without a change of distances."""
    if x.shape[1] > width:
        raise ValueError(f"{x.shape[1]} dimensions do not fit into {width} columns")
    axes, _ = np.linalg.qr(draw.normal(size=(width, x.shape[1])))
    return x @ axes.T
