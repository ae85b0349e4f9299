"""Support vector machines on a kernel matrix that their classes share: a matrix product serves them all."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from overgen.scores.arrays import blocks

Gamma = float | Literal["scale"]


def gamma_of(x: np.ndarray, gamma: Gamma) -> float:
    """γ as a number; "scale" is scikit-learn's 1/(D·variance of x). Raises ValueError if it is not > 0 and finite."""
    if gamma == "scale":
        variance = float(x.var(dtype=np.float64))
        gamma = 1 / (x.shape[1] * variance) if variance > 0 else 1.0
    if not 0 < float(gamma) < np.inf:
        raise ValueError(f"gamma = {gamma}: must be > 0, or 'scale'")
    return float(gamma)


def rbf(x: np.ndarray, y: np.ndarray, gamma: float) -> np.ndarray:
    """exp(−γ‖x − y‖²). x: (N, D), y: (M, D). Returns (N, M) float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    return np.exp(-gamma * np.maximum(squares, 0))


def decisions(x: np.ndarray, vectors: np.ndarray, weights: np.ndarray, offsets: np.ndarray, gamma: float) -> np.ndarray:
    """Decision values of C machines: k(x, vectors)·weights + offsets.

    x: (N, D); vectors: (M, D); weights: (M, C); offsets: (C,). Returns (N, C) float64; memory is bounded.
    """
    values = np.zeros((len(x), weights.shape[1]))
    for start, block in blocks(x, 4 * max(len(vectors), x.shape[1])):
        values[start : start + len(block)] = rbf(block, vectors, gamma) @ weights + offsets
    return values


def dual(machine: Any, count: int) -> tuple[np.ndarray, float]:
    """A fitted machine's weight of each of its `count` training inputs, (count,), and its offset."""
    weights = np.zeros(count)
    weights[machine.support_] = machine.dual_coef_[0]
    return weights, float(machine.intercept_[0])


def one_class(kernel: np.ndarray, labels: np.ndarray, nu: float) -> tuple[np.ndarray, np.ndarray]:
    """A ν one-class machine for each class. kernel: (N, N); labels: (N,). Returns weights (N, C), offsets (C,)."""
    from sklearn.svm import OneClassSVM

    classes = np.unique(labels)
    weights, offsets = np.zeros((len(labels), len(classes))), np.zeros(len(classes))
    for c, label in enumerate(classes):
        of_class = np.flatnonzero(labels == label)
        machine = OneClassSVM(kernel="precomputed", nu=nu).fit(kernel[np.ix_(of_class, of_class)])
        weights[of_class, c], offsets[c] = dual(machine, len(of_class))
    return weights, offsets


def one_against_rest(kernel: np.ndarray, labels: np.ndarray, cost: float) -> tuple[np.ndarray, np.ndarray]:
    """A binary machine for each class, C = cost. kernel: (N, N); labels: (N,). Returns weights (N, C), offsets (C,).

    Needs two classes.
    """
    from sklearn.svm import SVC

    classes = np.unique(labels)
    machines = [dual(SVC(kernel="precomputed", C=cost).fit(kernel, labels == label), len(labels)) for label in classes]
    return np.stack([weights for weights, _ in machines], 1), np.array([offset for _, offset in machines])


def needed(vectors: np.ndarray, *weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Vectors and weights without the rows that no machine uses."""
    used = np.any([(w != 0).any(1) for w in weights], axis=0)
    return vectors[used], *(w[used] for w in weights)
