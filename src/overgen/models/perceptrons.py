"""The networks of Szegedy et al. 2013, Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.models import PIXELS, Output
from overgen.models.cnn import CNN


class Perceptron(nn.Module):
    """Fully connected layers of sigmoid units with a softmax on top (Szegedy et al. 2013, Section 4).

    hidden: the units of each hidden layer: none for FC10, which is linear, [100, 100] for FC100-100-10.
    """

    def __init__(self, hidden: Sequence[int] = (), classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*sizes) for sizes in pairwise([PIXELS, *hidden, classes]))

    def weights(self) -> list[Tensor]:
        """The weights of each layer, (units, inputs), the softmax last."""
        return [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns the top hidden layer, (N, H); the pixels, (N, 784), if there is none."""
        h = x.flatten(1)
        for layer in self.layers[:-1]:
            h = torch.sigmoid(layer(h))
        return h

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, H). Returns log y, (N, C)."""
        return F.log_softmax(self.layers[-1](h), dim=1)

    def forward(self, x: Tensor) -> Output:
        return Output(self.classify(self.encode(x)), None)

    initialise = CNN.initialise


class PerceptronAutoencoder(nn.Module):
    """A perceptron's hidden layers with a decoder of sigmoid pixels on top, which trains them before the softmax is.

    sparsity: the weight of a penalty that draws the mean activation of each unit of the top hidden layer to
    `activation`; it stands beside the error summed over the pixels.
    """

    def __init__(self, perceptron: Perceptron, sparsity: float = 0.0, activation: float = 0.1) -> None:
        super().__init__()
        self.perceptron = perceptron
        self.sparsity, self.activation = sparsity, activation
        self.decoder = nn.Linear(perceptron.layers[-1].in_features, PIXELS)  # type: ignore[arg-type]

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) to the activations of the top hidden layer (N, units)."""
        return self.perceptron.encode(x)

    def decode(self, code: Tensor) -> Tensor:
        """Activations (N, units) to pixels (N, 784) in [0, 1]."""
        return torch.sigmoid(self.decoder(code))

    def forward(self, x: Tensor) -> Output:
        return Output(None, self.decode(self.encode(x)))

    def penalty(self, x: Tensor) -> Tensor:
        """sparsity · Σ KL(activation ‖ mean of the unit over the batch) / 784, for an error that is a mean.

        x: (N, 1, 28, 28). Returns (). Of Bernoulli variables, as in Ng's notes on sparse autoencoders.
        """
        mean = self.perceptron.encode(x).mean(0).clamp(1e-6, 1 - 1e-6)
        wanted = torch.full_like(mean, self.activation)
        divergence = F.binary_cross_entropy(mean, wanted, reduction="sum")
        return self.sparsity * (divergence - F.binary_cross_entropy(wanted, wanted, reduction="sum")) / PIXELS
