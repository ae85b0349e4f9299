"""A curve in the plane with two classes on it, and the space around it.

Places on the curve are told by the share of its length before them, u in [0, 1].
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError

STEPS = 4000  # of the table between s and length


class Curve:
    """(width·s, height·sin(π·waves·s)) for s from −1 to 1. shape: the section `explore_curve.curve`."""

    def __init__(self, shape: Any) -> None:
        self.width, self.height, self.pace = shape.width, shape.height, math.pi * shape.waves
        self.parts: int = shape.parts

    def _at(self, s: np.ndarray) -> np.ndarray:
        return np.stack([self.width * s, self.height * np.sin(self.pace * s)], -1)

    def _speed(self, s: np.ndarray) -> np.ndarray:
        """Its derivative by s, (…, 2)."""
        return np.stack([np.full_like(s, self.width), self.height * self.pace * np.cos(self.pace * s)], -1)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """s, and the length up to it."""
        s = np.linspace(-1, 1, STEPS + 1)
        pieces = np.linalg.norm(self._speed((s[1:] + s[:-1]) / 2), axis=-1) * (2 / STEPS)
        return s, np.r_[0, pieces.cumsum()]

    @property
    def length(self) -> float:
        return float(self._table[1][-1])

    @cached_property
    def radius(self) -> float:
        """The smallest radius of curvature: a point less far off it has its own place as the nearest of the curve."""
        s, _ = self._table
        bend = self.width * self.height * self.pace**2 * np.abs(np.sin(self.pace * s))
        return float(1 / (bend / np.linalg.norm(self._speed(s), axis=-1) ** 3).max())

    def _s(self, u: np.ndarray) -> np.ndarray:
        s, length = self._table
        return np.interp(u * self.length, length, s)

    def points(self, u: np.ndarray) -> np.ndarray:
        """u: (…) in [0, 1]. Returns (…, 2)."""
        return self._at(self._s(u))

    def tangents(self, u: np.ndarray) -> np.ndarray:
        """Unit vectors along it, (…, 2)."""
        speed = self._speed(self._s(u))
        return speed / np.linalg.norm(speed, axis=-1, keepdims=True)

    def labels(self, u: np.ndarray) -> np.ndarray:
        """The class of each place, 0 or 1: parts of equal length alternate."""
        return np.minimum((u * self.parts).astype(int), self.parts - 1) % 2

    def distance(self, points: np.ndarray) -> np.ndarray:
        """How far points of the plane are from it, to about its length/STEPS. points: (N, 2). Returns (N,)."""
        s, _ = self._table
        curve = torch.from_numpy(self._at(s))
        parts = torch.from_numpy(points).split(1000)
        return torch.cat([torch.cdist(part, curve).amin(1) for part in parts]).numpy()

    def checked(self, near: float) -> Curve:
        """The curve itself. Raises OvergenError unless it lies in the unit disc, and `near` within its radius."""
        s, _ = self._table
        reach = float(np.linalg.norm(self._at(s), axis=1).max())
        if reach > 1:
            raise OvergenError(
                f"params.yaml, explore_curve.curve: the curve reaches {reach:.3g} from the origin and must stay within "
                "1, so that every rotation of it lies in the cube; make width or height smaller"
            )
        if near >= self.radius:
            raise OvergenError(
                f"params.yaml, explore_curve.near: {near:g} off the curve is no distance from it where it is bent with "
                f"a radius of {self.radius:.3g}; choose less"
            )
        return self


def embeddings(count: int, dimension: int, draws: torch.Generator) -> Tensor:
    """Random planes through the origin: (count, dimension, 2) with orthonormal columns, uniform over rotations."""
    q, r = torch.linalg.qr(torch.randn(count, dimension, 2, generator=draws, dtype=torch.float64))
    signs = torch.diagonal(r, dim1=-2, dim2=-1).sign()  # QR's own choice of sign would not be uniform
    return (q * signs[:, None]).float()


def directions_off(tangents: Tensor, planes: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """Random unit directions at right angles to the curve.

    tangents: (S, T, 2) in the plane; planes: (S, D, 2). Returns (S, T, count, D).
    """
    along = torch.einsum("std,sed->ste", tangents, planes)[:, :, None]  # (S, T, 1, D)
    drawn = torch.randn(*along.shape[:2], count, planes.shape[1], generator=draws)
    drawn = drawn - (drawn * along).sum(-1, keepdim=True) * along
    return drawn / drawn.norm(dim=-1, keepdim=True)


def directions_off_plane(planes: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """Random unit directions at right angles to the plane, for D > 2. planes: (S, D, 2). Returns (S, count, D)."""
    return off_plane(torch.randn(len(planes), count, planes.shape[1], generator=draws), planes)


def off_plane(vectors: Tensor, planes: Tensor) -> Tensor:
    """The part of vectors (S, N, D) that is at right angles to the planes (S, D, 2), brought to length 1."""
    left = vectors - vectors @ planes @ planes.transpose(1, 2)
    return left / left.norm(dim=-1, keepdim=True)
