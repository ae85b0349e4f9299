"""The network of the lecture's detector, as far as it can be told: that of the tutorials of its time.

One hidden layer, 784-`hidden`-784, ReLU units, sigmoid pixels, trained by Adam on the binary cross-entropy (F. Chollet,
"Building autoencoders in Keras", 2016, has 32 units, batches of 256 and 50 epochs). The slides give a mean error of
.105 and a deviation of .036, and neither data, loss, size nor epochs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from overgen.run.streams import generator
from overgen.training.module import binary_cross_entropy


def curve(train: Tensor, test: Tensor, settings: Any, *key: object) -> pd.DataFrame:
    """The errors of test images after each epoch: epoch, mean and deviation over images of their mean cross-entropy.

    train, test: (N, D) in [0, 1]; settings: of `params.Tutorial`; key: of the random streams. Returns a row an epoch.
    """
    network = made(train.shape[1], settings.hidden, generator(*key, "weights"))
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
    order, rows = generator(*key, "order"), []
    for epoch in range(1, settings.epochs + 1):
        for batch in torch.randperm(len(train), generator=order).split(settings.batch_size):
            optimiser.zero_grad()
            binary_cross_entropy(network(train[batch]), train[batch]).mean().backward()
            optimiser.step()
        with torch.no_grad():
            errors = binary_cross_entropy(network(test), test).mean(1).double()
        rows.append({"epoch": epoch, "mean": float(errors.mean()), "deviation": float(errors.std())})
    return pd.DataFrame(rows)


def made(pixels: int, hidden: int, draws: torch.Generator) -> nn.Sequential:
    """The network with Glorot's uniform weights and biases of 0, as Keras has them."""
    network = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, pixels), nn.Sigmoid())
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=draws)
            nn.init.zeros_(layer.bias)
    return network


def nearest(curves: pd.DataFrame, mean: float) -> pd.DataFrame:
    """Of each seed the epoch whose mean error is nearest to one. curves: with a column `seed`. A row a seed."""
    gaps = (curves["mean"] - mean).abs()
    return curves.loc[gaps.groupby(curves["seed"]).idxmin()]


def as_arrays(curves: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: curves[name].to_numpy() for name in ("epoch", "mean", "deviation")}
