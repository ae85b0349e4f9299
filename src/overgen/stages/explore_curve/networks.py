"""Small classifiers, many at once: a stack of multilayer perceptrons, one a seed, trained side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen import OvergenError


class Stack:
    """S networks D-hidden-hidden-classes of rectified units, each with weights of its own.

    Glorot-uniform weights and biases of 0, as the networks of the study have, drawn by `draws`.
    """

    def __init__(self, count: int, dimension: int, hidden: int, classes: int, draws: torch.Generator) -> None:
        sizes = [dimension, hidden, hidden, classes]
        self.weights, self.biases = [], []
        for fan_in, fan_out in pairwise(sizes):
            limit = math.sqrt(6 / (fan_in + fan_out))
            drawn = torch.rand(count, fan_in, fan_out, generator=draws)
            self.weights.append((2 * drawn - 1).mul_(limit).requires_grad_())
            self.biases.append(torch.zeros(count, 1, fan_out, requires_grad=True))

    def first(self, x: Tensor) -> Tensor:
        """What the first layer makes of points, before its bias: (S, N, D) or, for all the same, (N, D)."""
        return x @ self.weights[0]

    def first_of_plane(self, plane: Tensor, planes: Tensor) -> Tensor:
        """`first` of points of embedded planes, x = planes·plane, without ever forming x.

        plane: (S, N, 2) or (N, 2); planes: (S, D, 2).
        """
        return plane @ (planes.transpose(1, 2) @ self.weights[0])

    def rest(self, first: Tensor) -> Tensor:
        """Logits from what the first layer made: (S, N, hidden) to (S, N, classes)."""
        h = F.relu(first + self.biases[0])
        h = F.relu(torch.baddbmm(self.biases[1], h, self.weights[1]))
        return torch.baddbmm(self.biases[2], h, self.weights[2])

    def __call__(self, x: Tensor) -> Tensor:
        """Logits of points (S, N, D): (S, N, classes)."""
        return self.rest(self.first(x))

    def train(self, loss: Callable[[int], Tensor], *, steps: int, learning_rate: float) -> None:
        """Adam with a rate that falls to 0 on a line. loss: step → (S,), each of its own network; then frozen.

        Raises OvergenError for a loss that is not finite.
        """
        parameters = [*self.weights, *self.biases]
        adam = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
        for step in range(steps):
            adam.param_groups[0]["lr"] = learning_rate * (1 - step / steps)
            total = loss(step).sum()
            adam.zero_grad()
            total.backward()
            adam.step()
        if not bool(total.isfinite()):
            raise OvergenError(f"explore_curve: the loss is {float(total)}; lower explore_curve.learning_rate")
        for parameter in parameters:
            parameter.requires_grad_(False)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the points of each network. logits: (S, N, C); labels: (S, N). Returns (S,)."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)
