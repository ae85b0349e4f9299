"""Maximum logit (Hendrycks et al. 2022, "Scaling out-of-distribution detection for real-world settings")."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import pack, rows


class MaxLogit:
    """max_c z_c: as the softmax threshold, but the size of the logits counts, not only their differences.

    x: logits z before the softmax. Learns nothing but their number.
    """

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> MaxLogit:
        """x: (N, C) logits; labels are not used."""
        self.width = rows(x).shape[1]
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, C). Returns (N,), in the unit of the logits."""
        return rows(x, self.width).max(1).astype(np.float64)

    def state(self) -> dict[str, np.ndarray]:
        return pack(width=self.width)

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> MaxLogit:
        made = cls()
        made.width = int(state["width"])
        return made
