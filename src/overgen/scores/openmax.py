"""OpenMax (Bendale & Boult 2016, Algorithms 1 and 2)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from overgen.scores.arrays import class_labels, log_sum_exp, rows
from overgen.scores.fitted import Fitted
from overgen.scores.weibull import Weibull, fit_largest


class OpenMax(Fitted):
    """Logits recalibrated by how far they lie from their class's mean, with a class "unknown". x: logits z.

    For the r-th largest logit, r = 1..alpha, of class c: ω_c = 1 − (alpha + 1 − r)/alpha · F_c(‖z − μ_c‖), and 1 for
    the others; ẑ_c = z_c·ω_c, ẑ_0 = Σ_c z_c·(1 − ω_c); P = softmax(ẑ_0, ẑ). μ_c is the mean and F_c the Weibull fit of
    the largest distances of the training inputs of class c that are labelled right. z are the logits of the classes
    that have such inputs: outputs of classes that never occurred, or never were the answer to them, are left out.

    tail: distances in a fit; alpha: ranks that are revised, at most all; translation: see `weibull`.
    by: "unknown" for a score from P_0, or "max" for one from the largest P of a class. As published, ẑ_0 falls where
    revised logits are negative.
    """

    width: int
    classes: np.ndarray  # (K,)
    means: np.ndarray  # (K, K)
    tails: np.ndarray  # (3, K): the fits of `weibull.Weibull`

    def __init__(
        self,
        *,
        tail: int = 20,
        alpha: int = 10,
        translation: float = 10_000.0,
        by: Literal["unknown", "max"] = "unknown",
    ) -> None:
        if alpha < 1:
            raise ValueError(f"alpha = {alpha}: must be at least 1")
        if by not in ("unknown", "max"):
            raise ValueError(f"by = {by!r}: must be 'unknown' or 'max'")
        self.tail, self.alpha, self.translation, self.by = tail, alpha, translation, by

    def fit(self, x: np.ndarray, labels: np.ndarray) -> OpenMax:
        """x: (N, C) logits; labels: (N,), columns of x. Raises ValueError if no answer is right."""
        x = rows(x)
        labels = class_labels(labels, len(x))
        if labels.min() < 0 or labels.max() >= x.shape[1]:
            raise ValueError(f"labels: {labels.min()} to {labels.max()}, but x has {x.shape[1]} columns")
        right = x.argmax(1) == labels
        if not right.any():
            raise ValueError(f"none of the {len(x)} inputs is labelled right: the largest of its row of x is another")
        self.width, self.classes = x.shape[1], np.unique(labels[right])
        z, means, distances = x[:, self.classes].astype(np.float64), [], []
        for label in self.classes:
            of_class = z[right & (labels == label)]
            means.append(of_class.mean(0))
            distances.append(np.linalg.norm(of_class - means[-1], axis=1))
        self.means = np.stack(means)
        self.tails = np.stack(fit_largest(distances, tail=self.tail, translation=self.translation)[:3])
        return self

    def revised(self, x: np.ndarray) -> np.ndarray:
        """(ẑ_0, ẑ). x: (N, C). Returns (N, 1 + K), K the number of fitted classes, in the order of their numbers."""
        z = rows(x, self.width)[:, self.classes].astype(np.float64)
        distances = np.stack([np.sqrt(((z - mean) ** 2).sum(1)) for mean in self.means], 1)
        alpha = min(self.alpha, len(self.classes))
        order = np.argsort(-z, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(self.classes)), order.shape), 1)
        shape, log_scale, smallest = self.tails
        weibull = Weibull(shape, log_scale, smallest, self.translation)
        taken = z * np.maximum(alpha - rank, 0) / alpha * weibull.cdf(distances)  # z_c·(1 − ω_c)
        return np.concatenate([taken.sum(1, keepdims=True), z - taken], 1)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """P: of "unknown", then of each fitted class. x: (N, C). Returns (N, 1 + K)."""
        revised = self.revised(x)
        return np.exp(revised - log_sum_exp(revised)[:, None])

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, C). Returns (N,): log (1 − P_0)/P_0, or log max P, which is ≤ 0; both without rounding to 0 or 1."""
        revised = self.revised(x)
        if self.by == "unknown":
            return log_sum_exp(revised[:, 1:]) - revised[:, 0]
        return revised[:, 1:].max(1) - log_sum_exp(revised)
