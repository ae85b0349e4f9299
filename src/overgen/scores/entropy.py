"""Entropy of the softmax, negated (Steinhardt & Liang 2016; Chan et al. 2021)."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import log_sum_exp, rows
from overgen.scores.logits import OfLogits


class NegativeEntropy(OfLogits):
    """Σ_c p_c·log p_c with p = softmax(z), in nats: 0 where one class is certain, −log C where none is preferred.

    x: logits z, or log y, which give the same. Learns nothing but their number.
    """

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, C). Returns (N,), in −log C..0."""
        x = rows(x, self.width).astype(np.float64)
        log_p = x - log_sum_exp(x)[:, None]
        return np.minimum((np.exp(log_p) * log_p).sum(1), 0)
