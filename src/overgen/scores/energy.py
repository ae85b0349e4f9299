"""Free energy of the logits (Liu et al. 2020, Eq. 4), negated."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import log_sum_exp, rows
from overgen.scores.logits import OfLogits


class Energy(OfLogits):
    """−E(z) = T·log Σ_c exp(z_c / T). x: logits z before the softmax; of log y it would be 0 for every input.

    temperature: T > 0. Learns nothing but the number of logits.
    """

    def __init__(self, *, temperature: float = 1.0) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature = {temperature}: must be > 0")
        self.temperature = temperature

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, C). Returns (N,), in the unit of the logits."""
        return self.temperature * log_sum_exp(rows(x, self.width).astype(np.float64) / self.temperature)
