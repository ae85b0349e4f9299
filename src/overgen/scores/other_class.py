"""A classifier with one more class, "other", trained on negatives: what it has seen there it knows to be unknown.

The obvious remedy, and the one that is said not to be feasible, since no pool of negatives stands for all that is not
of a class (Nguyen, Yosinski & Clune 2015 retrain on their fooling images and evolve new ones). How far it carries is a
matter of the pool, so fit it on one and score the unknowns of another.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from overgen.scores.arrays import blocks, class_labels, log_sum_exp, rows
from overgen.scores.descent import OfNetwork, descend


class OtherClass(OfNetwork):
    """The log-odds that x is of a known class, log Σ_c P(c) − log P(other). x: features or pixels.

    A softmax on one hidden layer of `hidden` ReLU units, or, with 0, on x itself. Trained by Adam on the cross-entropy
    of known inputs and negatives together. seed: of the first weights and of the order of rows.
    """

    classes: np.ndarray

    def __init__(
        self,
        *,
        hidden: int = 400,
        updates: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        if min(updates, batch_size) < 1 or hidden < 0:
            raise ValueError(f"hidden = {hidden}, updates = {updates}, batch_size = {batch_size}: too small")
        self.hidden, self.updates, self.batch_size = hidden, updates, batch_size
        self.learning_rate, self.seed = learning_rate, seed

    def fit(self, x: np.ndarray, labels: np.ndarray, negatives: np.ndarray) -> OtherClass:
        """x: (N, D); labels: (N,); negatives: (M, D), of no class. Raises ValueError if there is no negative."""
        x, labels = rows(x), class_labels(labels, len(x))
        negatives = rows(negatives, x.shape[1])
        if not len(negatives):
            raise ValueError(f"negatives: shape {negatives.shape}, must have a row")
        self.classes, targets = np.unique(labels, return_inverse=True)
        self.network = self._built(x.shape[1])
        both = torch.from_numpy(np.concatenate([x, negatives]).astype(np.float32))
        wanted = torch.from_numpy(np.concatenate([targets, np.full(len(negatives), len(self.classes))]))

        def loss(batch: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(self.network(both[batch]), wanted[batch])

        descend(self.network, loss, len(both), updates=self.updates, batch_size=self.batch_size,
                learning_rate=self.learning_rate, seed=self.seed)  # fmt: skip
        return self

    def _logits(self, x: np.ndarray) -> np.ndarray:
        """(N, C + 1), the last of "other"."""
        x = rows(x, self.network[0].in_features)  # type: ignore[arg-type]
        logits = np.zeros((len(x), len(self.classes) + 1))
        with torch.no_grad():
            for start, block in blocks(x, 3 * max(x.shape[1], self.hidden)):
                inputs = torch.from_numpy(np.ascontiguousarray(block, dtype=np.float64))
                logits[start : start + len(block)] = self.network(inputs).numpy()
        return logits

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,) log-odds."""
        logits = self._logits(x)
        return log_sum_exp(logits[:, :-1]) - logits[:, -1]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns the likeliest of the known classes, (N,)."""
        return self.classes[self._logits(x)[:, :-1].argmax(1)]

    def _built(self, width: int) -> nn.Sequential:
        outputs = len(self.classes) + 1
        if not self.hidden:
            return nn.Sequential(nn.Linear(width, outputs))
        return nn.Sequential(nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, outputs))
