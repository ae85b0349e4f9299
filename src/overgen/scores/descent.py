"""Adam on minibatches of arrays: what the scores share that are networks of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn


def descend(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    count: int,
    *,
    updates: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Draw the weights of a network and train it by so many updates; the learning rate falls to 0 on a line.

    loss: takes the indices of a batch, gives its mean loss. Passes over the `count` rows follow one another, each in a
    random order; the last batch of a pass may be smaller. seed: of the weights, Glorot-uniform, and of the orders. The
    network is in float64 afterwards, so that the score of a row does not depend on the rows beside it.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate)
    falling = torch.optim.lr_scheduler.LambdaLR(adam, lambda update: 1 - update / updates)
    batches: list[Tensor] = []
    for _ in range(updates):
        batches = batches or list(torch.randperm(count, generator=generator).split(batch_size))
        adam.zero_grad()
        loss(batches.pop()).backward()
        adam.step()
        falling.step()
    network.double()


def weights(network: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a network as arrays, by the names of `state_dict`."""
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def load(network: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Put arrays from `weights` back."""
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
