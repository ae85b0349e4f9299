"""Networks that nobody here wrote, untrained, and what is known of them without overgen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# The classic two-convolution network for MNIST, with its two dropouts and its normalisation (mean .1307, std .3081).
CLASSIC = """
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)
"""
MEAN, STD = (0.1307,), (0.3081,)


def classic(folder: Path, seed: int = 0) -> nn.Module:
    """Write net.py and net.pt, its weights as they came from torch. Returns the network, in evaluation mode."""
    (folder / "net.py").write_text(CLASSIC)
    names: dict[str, Any] = {}
    exec(CLASSIC, names)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: nn.Module = names["Net"]()
    torch.save(network.state_dict(), folder / "net.pt")
    return network.eval()


def resnet(classes: int = 10) -> nn.Module:
    """torchvision's ResNet-18, untrained, in evaluation mode."""
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.resnet18(num_classes=classes).eval()


def images(count: int, *shape: int) -> Tensor:
    """Uniform noise, (count, C, H, W)."""
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))
