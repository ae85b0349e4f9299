"""What the scores share that follow from logits alone: they learn nothing but the number of logits."""

from __future__ import annotations

from typing import Self

import numpy as np

from overgen.scores.arrays import pack, rows


class OfLogits:
    """Base of these scores. x: logits z before the softmax, (N, C)."""

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> Self:
        """x: (N, C) logits; labels are not used."""
        self.width = rows(x).shape[1]
        return self

    def state(self) -> dict[str, np.ndarray]:
        return pack(width=self.width)

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Self:
        made = cls()
        made.width = int(state["width"])
        return made
