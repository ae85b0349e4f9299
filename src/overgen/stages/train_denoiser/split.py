"""Which training images a denoiser sees."""

from __future__ import annotations

import torch
from torch import Tensor

from overgen import data
from overgen.run.streams import generator
from overgen.scores.views import held_out


def split(source: data.Dataset, count: int) -> tuple[Tensor, Tensor]:
    """The training images that a denoiser sees, and `count` held-out ones: indices, in random order."""
    draws = generator("denoiser", source.name, "held out")
    return held_out(torch.zeros(len(source.train_images), dtype=torch.int64), [0], draws, count)
