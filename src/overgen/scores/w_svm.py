"""Weibull-calibrated SVM (Scheirer, Jain & Boult 2014, "Probability models for open set recognition")."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import class_labels, rows
from overgen.scores.fitted import Fitted
from overgen.scores.kernels import Gamma, decisions, gamma_of, needed, one_against_rest, one_class, rbf
from overgen.scores.weibull import Weibull, fit_smallest

ONE_CLASS, INSIDE, OUTSIDE = range(3)  # the Weibull fits of a class


class WeibullSVM(Fitted):
    """max_c ι_c·P_η(c)·P_ψ(c): the chance to belong to a class and not to be one of the others. x: pixels or features.

    P_O(c) = F of the one-class machine's decision value, fitted to the smallest values of class c; the gate ι_c is 1
    where P_O(c) > gate, else 0. P_η(c) = F of the binary machine's value f_c, fitted to the smallest values of class c.
    P_ψ(c) = 1 − F of −f_c, fitted to the largest values f_c of the other classes. All machines have an RBF kernel. With
    a single known class there is no binary machine, and the score is ι·P_O.

    gate: δ_τ of the paper, which uses 0.001; nu, cost, gamma: of the machines; tail, translation: see `weibull`.
    """

    fitted_gamma: float  # γ as a number
    classes: np.ndarray  # (C,)
    vectors: np.ndarray  # (M, D)
    weights: np.ndarray  # (M, 2C), of the one-class machines first; (M, 1) for one class
    offsets: np.ndarray  # (2C,)
    tails: np.ndarray  # (3, 3C): the fits of `weibull.Weibull`

    def __init__(
        self,
        *,
        gate: float = 0.001,
        nu: float = 0.1,
        cost: float = 1.0,
        gamma: Gamma = "scale",
        tail: int = 20,
        translation: float = 1.0,
    ) -> None:
        if not 0 <= gate < 1 or not 0 < nu <= 1 or not cost > 0:
            raise ValueError(f"gate = {gate}, nu = {nu}, cost = {cost}: must lie in [0, 1), (0, 1], and be > 0")
        self.gate, self.nu, self.cost, self.gamma = gate, nu, cost, gamma
        self.tail, self.translation = tail, translation

    def fit(self, x: np.ndarray, labels: np.ndarray) -> WeibullSVM:
        """x: (N, D); labels: (N,). Memory and time grow with N²: fit some thousand inputs."""
        x = rows(x)
        labels = class_labels(labels, len(x))
        self.fitted_gamma, self.classes = gamma_of(x, self.gamma), np.unique(labels)
        kernel = rbf(x, x, self.fitted_gamma)
        single, single_offsets = one_class(kernel, labels, self.nu)
        if len(self.classes) > 1:
            binary, binary_offsets = one_against_rest(kernel, labels, self.cost)
        else:
            binary, binary_offsets = np.zeros((len(x), 0)), np.zeros(0)
        self.offsets = np.concatenate([single_offsets, binary_offsets])
        values = kernel @ np.concatenate([single, binary], 1) + self.offsets
        single_values, binary_values = values[:, : len(self.classes)], values[:, len(self.classes) :]
        groups = [single_values[labels == label, c] for c, label in enumerate(self.classes)]
        if len(self.classes) > 1:
            groups += [binary_values[labels == label, c] for c, label in enumerate(self.classes)]
            groups += [-binary_values[labels != label, c] for c, label in enumerate(self.classes)]
        self.tails = np.stack(fit_smallest(groups, tail=self.tail, translation=self.translation)[:3])
        self.vectors, self.weights = needed(x, np.concatenate([single, binary], 1))
        return self

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """ι·P_η·P_ψ of each class. x: (N, D). Returns (N, C) in [0, 1]; they do not sum to 1."""
        x, count = rows(x, self.vectors.shape[1]), len(self.classes)
        values = decisions(x, self.vectors, self.weights, self.offsets, self.fitted_gamma)
        binary_values = values[:, count:]
        shape, log_scale, smallest = self.tails
        weibull = Weibull(shape, log_scale, smallest, self.translation)
        fits = np.split(weibull.cdf(np.concatenate([values, -binary_values], 1)), 3 if count > 1 else 1, axis=1)
        open_gate = fits[ONE_CLASS] > self.gate
        return open_gate * (fits[INSIDE] * (1 - fits[OUTSIDE]) if count > 1 else fits[ONE_CLASS])

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,) in [0, 1]; 0 behind every gate."""
        return self.probabilities(x).max(1)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class of the largest probability. x: (N, D). Returns (N,)."""
        return self.classes[self.probabilities(x).argmax(1)]
