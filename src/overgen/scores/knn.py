"""k nearest neighbours (for deep features: Sun et al. 2022): exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from overgen.measures.neighbours import Cloud
from overgen.scores.arrays import rows
from overgen.scores.fitted import Fitted


class NearestNeighbours(Fitted):
    """−d_k(x): the distance (L2) to the k-th nearest of the inputs it was fitted on. x: pixels or features.

    neighbours: k. normalise: inputs are scaled to length 1 first, as Sun et al. do; one of length 0 stays as it is.
    Exact up to float64 rounding, in bounded memory: see `measures.neighbours.Cloud`.
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
        self._cloud = Cloud(self.x)
        self.centre = self._cloud.centre
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (M, D). Returns (M,), ≤ 0, in the unit of the inputs."""
        return -self.distances(x)[:, -1]

    def distances(self, x: np.ndarray) -> np.ndarray:
        """The distances of each row to its k nearest neighbours, rising. x: (M, D). Returns (M, k) float64."""
        x = self._scaled(rows(x, self.x.shape[1]))
        return self._cloud.nearest(self.neighbours, x).distances

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        if not self.normalise:
            return x
        lengths = np.sqrt(np.einsum("nd,nd->n", x, x, dtype=np.float64))
        return x / np.where(lengths > 0, lengths, 1)[:, None]

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        made = super().from_state(state)
        made._cloud = Cloud(made.x)
        return made
