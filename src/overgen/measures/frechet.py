"""The Fréchet distance of two clouds of features, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) of the means and covariances (Heusel et al. 2017, Eq. 6).

    first, second: (N, D) and (M, D) features, N, M ≥ 2, finite. It is 0 of a cloud and itself, symmetric, and in the
    unit of the features squared. Few images overestimate it: compare such of equally many only.
    The trace of (Σ₁Σ₂)^½ is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose eigenvalues are those of a symmetric matrix, so that
    covariances without full rank do no harm.
    Raises ValueError on another shape and on values that are not finite.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2:
        raise ValueError(f"features: shapes {a.shape} and {b.shape}: must be (N, D) and (M, D) with N, M >= 2")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features: some are not finite")
    gap = a.mean(0) - b.mean(0)
    one, two = (np.atleast_2d(np.cov(values, rowvar=False)) for values in (a, b))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ two @ root).clip(0)).sum()
    return float(gap @ gap + np.trace(one) + np.trace(two) - 2 * shared)
