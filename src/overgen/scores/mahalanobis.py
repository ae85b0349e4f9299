"""Mahalanobis distance to the nearest class mean, one covariance for all classes (Lee et al. 2018, Eq. 1-2)."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import blocks, class_labels, rows
from overgen.scores.fitted import Fitted

MANY = 50  # classes; beyond, inputs are whitened once for all of them, which costs a hundredth and rounds otherwise


class Mahalanobis(Fitted):
    """−min_c (x − μ_c)ᵀ Σ⁻¹ (x − μ_c), Σ the covariance within classes. x: features.

    ridge: times the mean variance, added to Σ's diagonal: features that never vary within a class (idle units) would
    otherwise make it singular. An input that moves one of them is far from every class.
    """

    means: np.ndarray  # (C, D)
    whitening: np.ndarray  # (D, D)

    def __init__(self, *, ridge: float = 1e-6) -> None:
        if not ridge >= 0:
            raise ValueError(f"ridge = {ridge}: must be >= 0")
        self.ridge = ridge

    def fit(self, x: np.ndarray, labels: np.ndarray) -> Mahalanobis:
        """x: (N, D); labels: (N,). Raises ValueError if no feature varies within a class, or Σ is singular."""
        x = rows(x)
        classes, place = np.unique(class_labels(labels, len(x)), return_inverse=True)
        self.means = np.stack([x[place == c].mean(0, dtype=np.float64) for c in range(len(classes))])
        scatter = np.zeros((x.shape[1], x.shape[1]))
        for start, block in blocks(x, x.shape[1]):
            deviations = block - self.means[place[start : start + len(block)]]
            scatter += deviations.T @ deviations
        covariance = scatter / len(x)
        covariance[np.diag_indices_from(covariance)] += self.ridge * np.trace(covariance) / len(covariance)
        try:  # Σ = L Lᵀ: whitened by L⁻¹, distances are Euclidean
            self.whitening = np.linalg.inv(np.linalg.cholesky(covariance))
        except np.linalg.LinAlgError:
            raise ValueError(
                f"the covariance of {len(x)} inputs in {len(classes)} classes is singular: raise ridge = {self.ridge}"
            ) from None
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,), ≤ 0: squared distances, negated."""
        x = rows(x, self.means.shape[1])
        scores = np.full(len(x), -np.inf)
        centre, white_means = self.means.mean(0), None
        if len(self.means) > MANY:
            white_means = (self.means - centre) @ self.whitening.T
        for start, block in blocks(x, 2 * x.shape[1]):
            part = slice(start, start + len(block))
            if white_means is not None:
                white_block = (block - centre) @ self.whitening.T
                for mean in white_means:
                    white = white_block - mean
                    scores[part] = np.maximum(scores[part], -np.einsum("nd,nd->n", white, white))
                continue
            for mean in self.means:
                white = (block - mean) @ self.whitening.T
                scores[part] = np.maximum(scores[part], -np.einsum("nd,nd->n", white, white))
        return scores
