"""Convolutional classifiers: the CNN and COOL of Spigler 2019 and Kardan & Stanley 2017, and Caffe's LeNet."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.models import Output


class CNN(nn.Module):
    """The convolutional classifier (Spigler 2019, Section 4.1): 1,310,906 parameters for 10 classes.

    units: "relu" as in the paper, or "sigmoid" for its variant. initial: of the weights, "glorot" or
    "truncated_normal", see `initialise`.
    """

    omega = 1  # units per class in the last layer

    def __init__(self, classes: int = 10, units: str = "relu", initial: str = "glorot") -> None:
        super().__init__()
        self.classes = classes
        self.units = units
        self.initial = initial
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.fc1 = nn.Linear(3136, 400)
        self.fc2 = nn.Linear(400, classes * self.omega)

    def activate(self, x: Tensor) -> Tensor:
        return F.relu(x) if self.units == "relu" else torch.sigmoid(x)

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns h, (N, 400)."""
        x = self.activate(F.max_pool2d(self.conv1(x), 2))  # (N, 32, 14, 14)
        x = self.activate(F.max_pool2d(self.conv2(x), 2))  # (N, 64, 7, 7)
        return self.activate(self.fc1(x.flatten(1)))

    def active(self, h: Tensor) -> Tensor:
        """Where ∂h/∂x can differ from 0. h: (N, 400). Returns bool (N, 400)."""
        return h > 0 if self.units == "relu" else torch.ones_like(h, dtype=torch.bool)

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, 400). Returns log y, (N, C)."""
        return F.log_softmax(self.fc2(h), dim=1)

    def forward(self, x: Tensor) -> Output:
        return Output(self.classify(self.encode(x)), None)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the initial weights; the paper does not say how.

        "glorot": Glorot-uniform weights and zero biases, TensorFlow's defaults. "truncated_normal": weights of
        deviation 0.1 cut at two deviations and biases of 0.1, as in TensorFlow's tutorial, whose network is much alike.
        """
        glorot = getattr(self, "initial", "glorot") == "glorot"  # other networks borrow this method
        for parameter in self.parameters():
            if parameter.dim() == 1:
                nn.init.constant_(parameter, 0.0 if glorot else 0.1)
            elif glorot:
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                nn.init.trunc_normal_(parameter, std=0.1, a=-0.2, b=0.2, generator=generator)


class COOL(CNN):
    """Competitive overcomplete output layer (Kardan & Stanley 2017): ω units a class, 1,346,996 parameters at ω = 10.

    One softmax p over all C·ω units; the score of class c is the product over its units of ω·p, at most 1. Training
    on the target 1/ω for each unit of the true class is the negative log score divided by ω, up to a constant.
    """

    def __init__(
        self, classes: int = 10, units: str = "relu", initial: str = "glorot", omega: int = 10, output_std: float = 1.0
    ) -> None:
        self.omega = omega
        super().__init__(classes, units, initial)
        self.output_std = output_std

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, 400). Returns log ỹ, (N, C): it does not sum to one over the classes."""
        log_p = F.log_softmax(self.fc2(h), dim=1).view(-1, self.classes, self.omega)
        return log_p.sum(2) + self.omega * math.log(self.omega)

    def initialise(self, generator: torch.Generator) -> None:
        """As the CNN, but for normal weights of deviation `output_std` in the last layer."""
        super().initialise(generator)
        nn.init.normal_(self.fc2.weight, std=self.output_std, generator=generator)


class LeNet(nn.Module):
    """LeNet as Caffe ships it for MNIST (attacked by Nguyen, Yosinski & Clune 2015): 431,080 parameters for 10 classes.

    No padding, and a ReLU after the first fully connected layer only.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, x: Tensor) -> Output:
        """x: (N, 1, 28, 28)."""
        x = F.max_pool2d(self.conv1(x), 2)  # (N, 20, 12, 12)
        x = F.max_pool2d(self.conv2(x), 2)  # (N, 50, 4, 4)
        return Output(F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), dim=1), None)

    initialise = CNN.initialise
