"""What the scores share that follow from logits alone: they learn nothing but the number of logits."""

from __future__ import annotations

from typing import Self

import numpy as np

from overgen.scores.arrays import rows
from overgen.scores.fitted import Fitted


class OfLogits(Fitted):
    """Base of these scores. x: logits z before the softmax, (N, C)."""

    width: int

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> Self:
        """x: (N, C) logits; labels are not used."""
        self.width = rows(x).shape[1]
        return self
