"""The network with dropout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen.models.perceptrons import Perceptron


class DroppingPerceptron(Perceptron):
    """A perceptron that in training drops pixels and hidden units at random; else, and by its weights, a `Perceptron`.

    dropout: the chance of the pixels, then of the outputs of each hidden layer. What stays is scaled by 1 / (1 − p)
    (Hinton et al. 2012 scale the weights afterwards, which is the same on average).
    """

    def __init__(self, hidden: Sequence[int], classes: int, dropout: Sequence[float]) -> None:
        super().__init__(hidden, classes)
        self.dropout = dropout

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns the top hidden layer, (N, H)."""
        first, *rest = self.dropout
        h = F.dropout(x.flatten(1), first, self.training)
        for layer, p in zip(self.layers[:-1], rest, strict=True):
            h = F.dropout(torch.sigmoid(layer(h)), p, self.training)
        return h
