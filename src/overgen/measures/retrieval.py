"""How good a search by distance is: how many of the answers are of the query's class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def precision(answers: np.ndarray, base_labels: np.ndarray, labels: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """The share of the first k answers that are of the query's class, of each query and k.

    answers: (M, K) rows of the base, the nearest first, as `neighbours.nearest` has their places; base_labels: (N,);
    labels: (M,), of the queries; at: each k in 1..K.
    Returns (M, len(at)) fractions. Raises ValueError for another k.
    """
    if not at or min(at) < 1 or max(at) > answers.shape[1]:
        raise ValueError(f"precision at {list(at)}: there are {answers.shape[1]} answers")
    right = base_labels[answers] == labels[:, None]
    return np.stack([right[:, :k].mean(1) for k in at], axis=1)
