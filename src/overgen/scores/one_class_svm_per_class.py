"""A one-class SVM for each known class (Schölkopf et al. 2001)."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import class_labels, rows
from overgen.scores.fitted import Fitted
from overgen.scores.kernels import Gamma, decisions, gamma_of, needed, one_class, rbf


class OneClassSVMPerClass(Fitted):
    """max_c f_c(x), f_c the decision value of class c's ν-SVM with an RBF kernel. x: pixels or features.

    nu: ν, an upper bound on the share of a class that falls outside; gamma: of the kernel, "scale" as in scikit-learn.
    """

    fitted_gamma: float  # γ as a number
    classes: np.ndarray  # (C,)
    vectors: np.ndarray  # (M, D)
    weights: np.ndarray  # (M, C)
    offsets: np.ndarray  # (C,)

    def __init__(self, *, nu: float = 0.1, gamma: Gamma = "scale") -> None:
        if not 0 < nu <= 1:
            raise ValueError(f"nu = {nu}: must lie in (0, 1]")
        self.nu, self.gamma = nu, gamma

    def fit(self, x: np.ndarray, labels: np.ndarray) -> OneClassSVMPerClass:
        """x: (N, D); labels: (N,). Memory and time grow with N²: fit some thousand inputs."""
        x = rows(x)
        labels = class_labels(labels, len(x))
        self.fitted_gamma, self.classes = gamma_of(x, self.gamma), np.unique(labels)
        weights, self.offsets = one_class(rbf(x, x, self.fitted_gamma), labels, self.nu)
        self.vectors, self.weights = needed(x, weights)
        return self

    def decisions(self, x: np.ndarray) -> np.ndarray:
        """f of each class. x: (N, D). Returns (N, C), positive inside."""
        x = rows(x, self.vectors.shape[1])
        return decisions(x, self.vectors, self.weights, self.offsets, self.fitted_gamma)

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,), positive inside some class."""
        return self.decisions(x).max(1)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class of the largest f. x: (N, D). Returns (N,)."""
        return self.classes[self.decisions(x).argmax(1)]
