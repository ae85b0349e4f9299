"""Search by distance: the nearest of a base to each query, and how many of them are of its class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BLOCK = 1 << 24  # distances that are held together


def nearest(base: np.ndarray, queries: np.ndarray, count: int) -> np.ndarray:
    """Which rows of a base are nearest (L2) to each query, the nearest first.

    base: (N, D); queries: (M, D), float32 or float64; count: at most N. Of equally near ones the base's first is first.
    Returns (M, count) integers. Raises ValueError on another shape, or where the base is smaller than `count`.
    Distances are compared to the rounding of a matrix product in the type that is given, around the base's mean.
    """
    if base.ndim != 2 or queries.ndim != 2 or base.shape[1] != queries.shape[1] or not 1 <= count <= len(base):
        raise ValueError(f"the {count} nearest of a base {base.shape} to queries {queries.shape}")
    centre = base.mean(0)
    base, queries = base - centre, queries - centre
    norms = np.einsum("nd,nd->n", base, base)
    found = [np.zeros((0, count), dtype=np.int64)]
    size = max(1, BLOCK // len(base))
    for start in range(0, len(queries), size):
        ranks = norms - 2 * queries[start : start + size] @ base.T  # the squared distance but for the query's own norm
        reach = np.partition(ranks, count - 1, axis=1)[:, count - 1 : count]
        for row, limit in zip(ranks, reach, strict=True):
            near = np.flatnonzero(row <= limit)
            found.append(near[np.argsort(row[near], kind="stable")[:count]][None])
    return np.concatenate(found)


def precision(answers: np.ndarray, base_labels: np.ndarray, labels: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """The share of the first k answers that are of the query's class, of each query and k.

    answers: (M, K) rows of the base, of `nearest`; base_labels: (N,); labels: (M,), of the queries; at: each k in 1..K.
    Returns (M, len(at)) fractions. Raises ValueError for another k.
    """
    if not at or min(at) < 1 or max(at) > answers.shape[1]:
        raise ValueError(f"precision at {list(at)}: there are {answers.shape[1]} answers")
    right = base_labels[answers] == labels[:, None]
    return np.stack([right[:, :k].mean(1) for k in at], axis=1)
