"""A linear classifier of two classes of images, and a plane on which to look at it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh


class Linear(NamedTuple):
    """y = σ(w·x + b) of the second class. weight: (D,), of pixels in [0, 1]; bias: b."""

    weight: np.ndarray
    bias: float

    def distance(self, x: np.ndarray) -> np.ndarray:
        """The signed distance of images (N, D) from the boundary, (N,), in pixels: above 0 is the second class."""
        return (x @ self.weight + self.bias) / np.linalg.norm(self.weight)

    def score(self, x: np.ndarray) -> np.ndarray:
        """y of whichever class is the likelier, (N,), at least 0.5. x: (N, D)."""
        return 1 / (1 + np.exp(-np.abs(x @ self.weight + self.bias)))


def logistic_regression(x: np.ndarray, second: np.ndarray, inverse_decay: float) -> Linear:
    """The classifier that maximises the likelihood less ‖w‖²/2C, by scikit-learn.

    x: (N, D) in [0, 1]; second: (N,) bool; inverse_decay: C. The bias has no decay.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=inverse_decay, max_iter=5000).fit(x, second)
    return Linear(fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0]))


def across(classifier: Linear, x: np.ndarray) -> np.ndarray:
    """The first principal direction of images within the boundary, a unit vector (D,) orthogonal to w. x: (N, D)."""
    normal = classifier.weight / np.linalg.norm(classifier.weight)
    centred = x - x.mean(0)
    within = centred - np.outer(centred @ normal, normal)
    size = len(normal)
    _, vectors = eigh(within.T @ within, subset_by_index=(size - 1, size - 1))
    direction = vectors[:, 0]
    return direction * np.sign(direction[np.abs(direction).argmax()])
