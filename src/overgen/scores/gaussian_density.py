"""Latent density: a Gaussian for each class, mixed by how frequent the classes are (quadratic discriminant)."""

from __future__ import annotations

import math

import numpy as np

from overgen.scores.arrays import blocks, class_labels, log_sum_exp, rows
from overgen.scores.fitted import Fitted

LARGEST = 1 << 29  # numbers of all covariances together: 4 GiB


class GaussianDensity(Fitted):
    """log Σ_c π_c·N(x; μ_c, Σ_c), each class with a covariance of its own. x: features; π_c: share of the class.

    shrinkage: s of (1 − s)·S_c + s·tr(S_c)/D·I in place of the sample covariance S_c, in (0, 1]: a class has few
    inputs for its D² numbers.
    """

    means: np.ndarray  # (C, D)
    whitenings: np.ndarray  # (C, D, D)
    constants: np.ndarray  # (C,)

    def __init__(self, *, shrinkage: float = 0.1) -> None:
        if not 0 < shrinkage <= 1:
            raise ValueError(f"shrinkage = {shrinkage}: must lie in (0, 1]")
        self.shrinkage = shrinkage

    def fit(self, x: np.ndarray, labels: np.ndarray) -> GaussianDensity:
        """x: (N, D); labels: (N,). Raises ValueError naming a class whose inputs are all the same.

        And if the covariances would not fit into 4 GiB.
        """
        x, labels = rows(x), class_labels(labels, len(x))
        means, whitenings, constants = [], [], []
        classes = np.unique(labels)
        if len(classes) * x.shape[1] ** 2 > LARGEST:
            raise ValueError(
                f"{len(classes)} classes of {x.shape[1]} columns each: their covariances take more than 4 GiB; "
                "Mahalanobis has one for all"
            )
        for label in classes:
            of_class = x[labels == label].astype(np.float64)
            deviations = of_class - of_class.mean(0)
            covariance = (1 - self.shrinkage) * (deviations.T @ deviations) / len(of_class)
            variance = float((deviations**2).mean())
            if not variance > 0:
                raise ValueError(f"class {label}: its {len(of_class)} inputs are all the same, which has no density")
            covariance[np.diag_indices_from(covariance)] += self.shrinkage * variance
            lower = np.linalg.cholesky(covariance)
            means.append(of_class.mean(0))
            whitenings.append(np.linalg.inv(lower))
            log_root = np.log(np.diagonal(lower)).sum()  # log √det Σ
            constants.append(math.log(len(of_class) / len(x)) - log_root - x.shape[1] / 2 * math.log(2 * math.pi))
        self.means, self.whitenings, self.constants = np.stack(means), np.stack(whitenings), np.array(constants)
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,) log densities, in nats."""
        x = rows(x, self.means.shape[1])
        scores = np.zeros(len(x))
        for start, block in blocks(x, 2 * x.shape[1]):
            parts = np.zeros((len(block), len(self.means)))
            for c, (mean, whitening) in enumerate(zip(self.means, self.whitenings, strict=True)):
                white = (block - mean) @ whitening.T
                parts[:, c] = self.constants[c] - np.einsum("nd,nd->n", white, white) / 2
            scores[start : start + len(block)] = log_sum_exp(parts)
        return scores
