"""Training with pools of adversarial examples (Szegedy et al. 2013, Section 4).

    mean of −log y_label(x)  +  weight · Σ over levels k of the mean of −log y_label(h′)

Level 0 is the pixels, level k the outputs of the first k layers, and h′ an example of a pool of level k: outputs h of a
training image, changed as little as found so that the layers above see another class, drawn at random. It keeps the
label of its image, and only the layers above level k learn from it. Training and attack take turns: before each epoch a
random part of each pool is made anew against the network as it is then. So examples of the levels above the pixels were
made of outputs of layers that have since changed.

Known from the paper: a pool for each layer, parts of which are replaced all the time, mixed into the training set all
the time, and that examples of the layers above the input did more than those of the input. How large a pool is, how
much of it is replaced and how often, what it weighs, which class an example is to be seen as, and how near to the
smallest its change is, stand there nowhere [?].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen.attacks.lbfgs import smallest_change
from overgen.data import floats
from overgen.models.perceptrons import Perceptron
from overgen.training.module import Training


class Pool(NamedTuple):
    """Examples of a level. values: (P, D) in [0, 1], P at most the pool's size; labels: (P,)."""

    values: Tensor
    labels: Tensor


def below(network: Perceptron, level: int, x: Tensor) -> Tensor:
    """x: (N, 1, 28, 28). Returns the outputs of the first `level` layers, (N, D) in [0, 1]: the pixels for 0."""
    h = x.flatten(1)
    for layer in network.layers[:level]:
        h = torch.sigmoid(layer(h))
    return h


def above(network: Perceptron, level: int, h: Tensor) -> Tensor:
    """log y, (N, C), from the outputs h (N, D) of the first `level` layers."""
    for layer in network.layers[level:-1]:
        h = torch.sigmoid(layer(h))
    return network.classify(h)


def examples(
    network: Perceptron, level: int, h: Tensor, target: Tensor, *, c: float, minimisations: int, iterations: int
) -> tuple[Pool, Tensor]:
    """Changed outputs of a level that the layers above see as their targets: those that were found, and which, (N,).

    h: (N, D) in [0, 1]; target: (N,). c, iterations: as in `attacks.lbfgs.smallest_change`; minimisations: those
    that it does, the last of them a bisection if c is bracketed by then. The labels of the pool are the targets.
    """

    def log_score(rows: Tensor, at: Tensor) -> Tensor:
        return above(network, level, at).gather(1, target[rows][:, None])[:, 0]

    def succeeds(rows: Tensor, at: Tensor) -> Tensor:
        return above(network, level, at).argmax(1) == target[rows]

    change = smallest_change(
        log_score, succeeds, h, c=c, brackets=minimisations - 1, bisections=1, iterations=iterations
    )
    return Pool(change.image[change.succeeded], target[change.succeeded]), change.succeeded


def renewed(pool: Pool | None, made: Pool, size: int, draws: torch.Generator) -> Pool:
    """A pool with examples that were made: added while there is room, then each in the place of a random older one.

    size: of a full pool; draws: on the CPU. Of more examples than that the first are taken.
    """
    made = Pool(made.values[:size], made.labels[:size])
    if pool is None:
        return made
    room = min(size - len(pool.labels), len(made.labels))
    places = torch.randperm(len(pool.labels), generator=draws)[: len(made.labels) - room].to(pool.labels.device)
    values, labels = pool.values.clone(), pool.labels.clone()
    values[places], labels[places] = made.values[room:], made.labels[room:]
    return Pool(torch.cat([values, made.values[:room]]), torch.cat([labels, made.labels[:room]]))


class PoolTraining(Training):
    """`Training` of a perceptron with pools of adversarial examples mixed in; of a network that reconstructs nothing.

    levels: those that have a pool; weight: of the examples of each beside the images.
    size, replaced: examples of a full pool, and those that are tried anew before each epoch (what fails is left out).
    share: examples of each pool in a step.
    c, minimisations, iterations: as in `examples`.
    Curves say of the lowest level what share of what was tried was `found`, and its `distortion`, √(Σ(h′ − h)²/D).
    Raises ValueError for a level that the network does not have.
    """

    def __init__(
        self,
        *arguments: Any,
        levels: Sequence[int],
        weight: float,
        size: int,
        replaced: int,
        share: int,
        c: float,
        minimisations: int,
        iterations: int,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        if wrong := [level for level in levels if not 0 <= level < len(self.network.layers)]:
            raise ValueError(f"levels {wrong}: a network of {len(self.network.layers)} layers has 0 for its pixels "
                             f"to {len(self.network.layers) - 1} for its top hidden layer")  # fmt: skip
        self.levels, self.weight, self.size, self.replaced, self.share = levels, weight, size, replaced, share
        self.search: dict[str, Any] = {"c": c, "minimisations": minimisations, "iterations": iterations}
        self.pools: dict[int, Pool] = {}
        self.made: dict[str, float] = {}

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        from overgen.run.streams import generator

        for level in self.levels:
            self.renew(level, generator(*self.key, "pool", self.current_epoch, level))
        self.mixing = generator(*self.key, "mixed", self.current_epoch)

    def renew(self, level: int, draws: torch.Generator) -> None:
        """Make a part of a level's pool anew against the network as it is. draws: on the CPU."""
        rows = torch.randperm(len(self.labels), generator=draws)[: self.replaced].to(self.labels.device)
        labels, classes = self.labels[rows], self.network.layers[-1].out_features
        steps = torch.randint(1, classes, (len(rows),), generator=draws).to(labels.device)
        with torch.no_grad():
            h = below(self.network, level, floats(self.images[rows]).to(self.dtype))
        found, succeeded = examples(self.network, level, h, (labels + steps) % classes, **self.search)
        made = Pool(found.values, labels[succeeded])
        self.pools[level] = renewed(self.pools.get(level), made, self.size, draws)
        if level == min(self.levels):
            rms = (made.values - h[succeeded]).square().mean(1).sqrt()
            self.made = {"found": len(rms) / len(rows), "distortion": float(rms.mean()) if len(rms) else float("nan")}

    def training_step(self, index: Tensor, batch_idx: int = 0) -> Tensor:
        loss = super().training_step(index, batch_idx)
        for level in self.levels:
            values, labels = self.pools[level]
            if len(labels):
                rows = torch.randint(len(labels), (self.share,), generator=self.mixing).to(labels.device)
                loss = loss + self.weight * F.nll_loss(above(self.network, level, values[rows]), labels[rows])
        return loss

    def tested(self) -> dict[str, float]:
        """What the last renewal of the lowest level's pool came to."""
        return super().tested() | self.made

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["pools"] = {level: tuple(pool) for level, pool in self.pools.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        device = self.labels.device
        self.pools = {level: Pool(*(part.to(device) for part in pool)) for level, pool in checkpoint["pools"].items()}
