"""k nearest neighbours (for deep features: Sun et al. 2022): exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from overgen.scores.arrays import BLOCK, blocks, rows
from overgen.scores.fitted import Fitted

SPARE = 12  # candidates beyond the k asked for
GROUP = 16  # columns of which only the smallest counts at first
GATHERED = 1 << 23  # elements of the candidates of a block: 64 MiB in float64


class NearestNeighbours(Fitted):
    """−d_k(x): the distance (L2) to the k-th nearest of the inputs it was fitted on. x: pixels or features.

    neighbours: k. normalise: inputs are scaled to length 1 first, as Sun et al. do; one of length 0 stays as it is.

    Exact up to float64 rounding, at the speed of a float32 matrix product: that finds k + 12 candidates, of which the
    distances are computed in float64 as they are written. Where the product's rounding error (bounded as usual, by
    u·D·‖a‖·‖b‖) could hide another neighbour, the row is searched again in float64. Beside the inputs themselves (once
    as given, once centred in float32, and in float64 if need be) memory stays below 1 GiB whatever the number of rows.
    """

    x: np.ndarray  # (N, D)
    centre: np.ndarray  # (D,)

    def __init__(self, *, neighbours: int = 5, normalise: bool = False) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours = {neighbours}: must be at least 1")
        self.neighbours, self.normalise = neighbours, normalise

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> NearestNeighbours:
        """x: (N, D) with N ≥ neighbours; labels are not used. Raises ValueError if there are fewer."""
        x = rows(x)
        if len(x) < self.neighbours:
            raise ValueError(f"{len(x)} inputs to be fitted on, fewer than neighbours = {self.neighbours}")
        self.x = np.ascontiguousarray(self._scaled(x))
        self.centre = self.x.mean(0, dtype=np.float64)  # distances do not change, but rounding errors shrink
        self.centred = self._centred(self.x, np.float32)
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (M, D). Returns (M,), ≤ 0, in the unit of the inputs."""
        return -self.distances(x)[:, -1]

    def distances(self, x: np.ndarray) -> np.ndarray:
        """The distances of each row to its k nearest neighbours, rising. x: (M, D). Returns (M, k) float64."""
        x = self._scaled(rows(x, self.x.shape[1]))
        distances = np.full((len(x), self.neighbours), np.nan)
        left = np.arange(len(x))
        for kind in (np.float32, np.float64):
            if not len(left):
                break
            reference = self.centred if kind is np.float32 else self._centred(self.x, kind)
            norms = np.einsum("nd,nd->n", reference, reference)
            per_row = max(len(reference), (self.neighbours + SPARE) * x.shape[1] * (BLOCK // GATHERED))
            unsettled = []
            for start, places in blocks(left, per_row):
                distances[places], settled = self._nearest(x[places], reference, norms)
                unsettled.append(start + np.flatnonzero(~settled))
            left = left[np.concatenate(unsettled)]
        return distances

    def _nearest(self, x: np.ndarray, reference: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distances (B, k) of a block by candidates, and (B,) whether the candidates must hold the neighbours.

        reference: (N, D) centred, norms: (N,) its squared lengths, in the precision of the search.
        """
        query = self._centred(x, reference.dtype)
        approximate = (-2 * query) @ reference.T  # (B, N): ‖b‖² − 2ab, which ranks as the squared distance does
        approximate += norms
        count = min(self.neighbours + SPARE, len(reference))
        if count < len(reference):
            place = smallest(approximate, count)
        else:
            place = np.broadcast_to(np.arange(count), (len(x), count))
        gaps = self.x[place].astype(np.float64)  # (B, count, D)
        gaps -= x[:, None]
        exact = np.sort(np.sqrt(np.einsum("bcd,bcd->bc", gaps, gaps)), 1)[:, : self.neighbours]
        if count == len(reference):
            return exact, np.ones(len(x), dtype=bool)
        # Every one that is no candidate has an approximate value of at least the largest of the candidates'.
        lengths = np.einsum("bd,bd->b", query, query, dtype=np.float64)
        floor = np.take_along_axis(approximate, place, 1).max(1) + lengths
        unit = float(np.finfo(reference.dtype).eps) / 2
        error = 2 * (x.shape[1] + 8) * unit * (np.sqrt(lengths) + np.sqrt(float(norms.max()))) ** 2
        return exact, exact[:, -1] ** 2 <= floor - error

    def _centred(self, x: np.ndarray, kind: type | np.dtype) -> np.ndarray:
        made = np.empty(x.shape, kind)
        for start, block in blocks(x, x.shape[1]):
            made[start : start + len(block)] = block - self.centre
        return made

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        if not self.normalise:
            return x
        lengths = np.sqrt(np.einsum("nd,nd->n", x, x, dtype=np.float64))
        return x / np.where(lengths > 0, lengths, 1)[:, None]

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        made = super().from_state(state)
        made.centred = made._centred(made.x, np.float32)
        return made


def smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Where the `count` smallest values of each row are, in no order. values: (B, N), N > count. Returns (B, count).

    They lie in the `count` groups of columns with the smallest minima: what is partitioned is short.
    """
    columns = values.shape[1] // GROUP
    if columns <= count:
        return np.argpartition(values, count - 1, axis=1)[:, :count]
    whole = columns * GROUP  # a group: columns g, g + columns, g + 2·columns …
    minima = values[:, :whole].reshape(len(values), GROUP, columns).min(1)
    groups = np.argpartition(minima, count - 1, axis=1)[:, :count]
    place = (groups[:, :, None] + columns * np.arange(GROUP)).reshape(len(values), -1)
    rest = np.broadcast_to(np.arange(whole, values.shape[1]), (len(values), values.shape[1] - whole))
    place = np.concatenate([place, rest], 1)
    best = np.argpartition(np.take_along_axis(values, place, 1), count - 1, axis=1)[:, :count]
    return np.take_along_axis(place, best, 1)
