"""Reconstruction error of an autoencoder trained on the known inputs alone (Hawkins et al. 2002): an anomaly score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from overgen.scores.arrays import blocks, rows
from overgen.scores.descent import OfNetwork, descend

WIDTH = 400  # units of the layers outside the code, as in the study's plain autoencoder


class AutoencoderError(OfNetwork):
    """−‖r(x) − x‖₂, r a network D-400-`hidden`-400-D with ReLU units and sigmoid outputs. x: pixels in [0, 1].

    Trained by Adam on the mean squared error over the pixels. seed: of the first weights and of the order of rows.
    """

    def __init__(
        self,
        *,
        hidden: int = 64,
        updates: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        if min(hidden, updates, batch_size) < 1:
            raise ValueError(f"hidden = {hidden}, updates = {updates}, batch_size = {batch_size}: must be at least 1")
        self.hidden, self.updates, self.batch_size = hidden, updates, batch_size
        self.learning_rate, self.seed = learning_rate, seed

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> AutoencoderError:
        """x: (N, D) in [0, 1]; labels are not used. Raises ValueError if a value lies outside."""
        x = rows(x)
        if x.min() < 0 or x.max() > 1:
            raise ValueError(f"x: values from {x.min():g} to {x.max():g}, must lie in [0, 1]")
        self.network = self._built(x.shape[1])
        inputs = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        descend(self.network, self._loss(inputs), len(x), updates=self.updates, batch_size=self.batch_size,
                learning_rate=self.learning_rate, seed=self.seed)  # fmt: skip
        return self

    def _loss(self, inputs: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """The mean loss of a batch, of its indices among the inputs (N, D)."""
        return lambda batch: F.mse_loss(self.network(inputs[batch]), inputs[batch])

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,), ≤ 0, in the unit of the inputs."""
        x = rows(x, self.network[0].in_features)  # type: ignore[arg-type]
        scores = np.zeros(len(x))
        with torch.no_grad():
            for start, block in blocks(x, 4 * max(x.shape[1], WIDTH)):
                inputs = torch.from_numpy(np.ascontiguousarray(block, dtype=np.float64))
                errors = torch.linalg.vector_norm(self.network(inputs) - inputs, dim=1)
                scores[start : start + len(block)] = -errors.numpy()
        return scores

    def _built(self, width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(width, WIDTH), nn.ReLU(), nn.Linear(WIDTH, self.hidden), nn.ReLU(),
            nn.Linear(self.hidden, WIDTH), nn.ReLU(), nn.Linear(WIDTH, width), nn.Sigmoid(),
        )  # fmt: skip
