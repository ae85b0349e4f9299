"""Softmax threshold: the largest class probability (Hendrycks & Gimpel 2017)."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import rows
from overgen.scores.logits import OfLogits


class Softmax(OfLogits):
    """max_c log softmax(z)_c: what a classifier with a threshold rejects by. x: logits z, or log y: they give the same.

    In log space, where values beyond the 16th nine still differ. Learns nothing but the number of logits.
    """

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, C). Returns (N,), ≤ 0."""
        x = rows(x, self.width).astype(np.float64)
        top = np.sort(x, 1)
        # log p of the largest is −log(1 + Σ of the others' odds): no digit is lost where p is nearly 1
        return -np.log1p(np.exp(top[:, :-1] - top[:, -1:]).sum(1))
