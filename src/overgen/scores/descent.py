"""What the scores share that are networks of their own: Adam on minibatches of arrays, and weights as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from overgen.scores.fitted import Fitted


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


class OfNetwork(Fitted):
    """Base of the scores that are networks of their own."""

    network: nn.Sequential

    def state(self) -> dict[str, np.ndarray]:
        """As of every score; the weights as `network.<name>`, by the names of `state_dict`."""
        state = super().state()
        del state["network"]
        return state | {f"network.{name}": tensor.numpy() for name, tensor in self.network.state_dict().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """The score whose `state` this is."""
        prefix = "network."
        arrays = {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
        made = super().from_state({**state, "network": np.zeros(1)})
        made.network = made._built(arrays["0.weight"].shape[1]).double()
        made.network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        return made

    def _built(self, width: int) -> nn.Sequential:
        """The network for inputs of a width, its weights not yet drawn."""
        raise NotImplementedError
