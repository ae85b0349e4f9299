"""A small colour network in place of ImageNet's: 12 classes, batch normalisations with statistics of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Small(nn.Module):
    """x (N, 3, H, W) to logits (N, 12)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn0 = nn.BatchNorm2d(8)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()) for _ in range(2)
        )
        self.fc = nn.Linear(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn0(self.stem(4 * x - 2)).relu()
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def small(seed: int = 0) -> Small:
    """Random weights and statistics, the same for the same seed."""
    network, stream = Small(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(0, 6 if name == "fc.weight" else 0.3, generator=stream)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return network.eval()
