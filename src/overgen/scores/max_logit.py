"""Maximum logit (Hendrycks et al. 2022, "Scaling out-of-distribution detection for real-world settings")."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import rows
from overgen.scores.logits import OfLogits


class MaxLogit(OfLogits):
    """max_c z_c: as the softmax threshold, but the size of the logits counts, not only their differences.

    x: logits z before the softmax. Learns nothing but their number.
    """

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, C). Returns (N,), in the unit of the logits."""
        return rows(x, self.width).max(1).astype(np.float64)
