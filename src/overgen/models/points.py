"""The denoising autoencoder of points in the plane (Spigler 2019, Figure 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.models import Output
from overgen.models.cnn import CNN


class PointAutoencoder(nn.Module):
    """The denoising autoencoder of points in the plane (Spigler 2019, Figure 2): 2-200-200, a classifier on the top.

    The decoder uses the encoder's weights, transposed, and its own biases; its output is linear. 41,605 parameters for
    200 units in each of the two hidden layers and 3 classes. x is (N, 2) here, not an image.
    """

    def __init__(self, hidden: int = 200, classes: int = 3) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, classes)
        self.decoder_bias1 = nn.Parameter(torch.zeros(hidden))
        self.decoder_bias2 = nn.Parameter(torch.zeros(2))

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 2). Returns h, (N, hidden)."""
        return F.relu(self.fc2(F.relu(self.fc1(x))))

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, hidden). Returns log y, (N, C)."""
        return F.log_softmax(self.fc3(h), dim=1)

    def decode(self, h: Tensor) -> Tensor:
        """h: (N, hidden). Returns the reconstruction, (N, 2)."""
        h = F.relu(F.linear(h, self.fc2.weight.t(), self.decoder_bias1))
        return F.linear(h, self.fc1.weight.t(), self.decoder_bias2)

    def forward(self, x: Tensor) -> Output:
        h = self.encode(x)
        return Output(self.classify(h), self.decode(h))

    initialise = CNN.initialise
