"""Reconstruction error of principal components: the best linear autoencoder of so many units (Baldi & Hornik 1989)."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import blocks, rows
from overgen.scores.fitted import Fitted


class PcaError(Fitted):
    """−‖r(x) − x‖₂, r(x) the projection onto the plane of the leading components. x: pixels or features.

    components: dimensions of the plane, at most D.
    """

    mean: np.ndarray  # (D,)
    axes: np.ndarray  # (D, components)

    def __init__(self, *, components: int = 64) -> None:
        if components < 1:
            raise ValueError(f"components = {components}: must be at least 1")
        self.components = components

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> PcaError:
        """x: (N, D) with D ≥ components; labels are not used. Raises ValueError if there are fewer columns."""
        x = rows(x)
        if x.shape[1] < self.components:
            raise ValueError(f"{x.shape[1]} columns, fewer than components = {self.components}")
        self.mean = x.mean(0, dtype=np.float64)
        scatter = np.zeros((x.shape[1], x.shape[1]))
        for _, block in blocks(x, 2 * x.shape[1]):
            deviations = block - self.mean
            scatter += deviations.T @ deviations
        axes = np.linalg.eigh(scatter)[1][:, ::-1][:, : self.components]  # (D, components), largest first
        self.axes = np.ascontiguousarray(axes)  # as they are read back: numpy multiplies views in another order
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,), ≤ 0, in the unit of the inputs."""
        x = rows(x, len(self.mean))
        scores = np.zeros(len(x))
        for start, block in blocks(x, 3 * x.shape[1]):
            residuals = block - self.mean
            residuals -= residuals @ self.axes @ self.axes.T
            scores[start : start + len(block)] = -np.linalg.norm(residuals, axis=1)
        return scores
