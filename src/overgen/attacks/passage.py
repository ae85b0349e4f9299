"""Trials of an attack and when they first pass each threshold: what FGN and gradient attacks have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.confidence import curvature, distance, log_gate, log_reconstruction
from overgen.run.trainer import Steps


@dataclass(frozen=True)
class Passage:
    """What a block of T trials came to. P threshold pairs (τ, α).

    step: (T, P) updates at the first passage of each pair, −1 where it never came; image: (T, P, D) at the first
    passage of each pair, else the last; log_y, distance, gamma: (T,) of the first pair's image.
    """

    step: Tensor
    image: Tensor
    log_y: Tensor
    distance: Tensor
    gamma: Tensor


class FirstPassage:
    """First passages of log ỹ_t > log τ by a block of T trials against one network.

    images: (T, D) first images, in [0, 1], flat; shape: their (C, H, W), D = C·H·W; targets: (T,); thresholds: P pairs
    (τ, α). A trial that has passed all of them has ended. γ, which costs most, is computed only where everything else
    has passed already: Γ ≤ 1. It holds T·(P + 1)·D numbers.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        targets: Tensor,
        *,
        shape: Sequence[int],
        thresholds: Sequence[tuple[float, float]],
        beta: float,
        probes: int,
    ) -> None:
        self.network, self.targets, self.shape = network, targets, tuple(shape)
        self.thresholds, self.beta, self.probes = list(thresholds), beta, probes
        self.first = torch.full((len(images), len(self.thresholds)), -1, device=images.device)
        self.last = images.detach().clone()
        self.image = self.last[:, None].repeat(1, len(self.thresholds), 1)

    @property
    def running(self) -> Tensor:
        """The trials (indices) that have not yet passed every threshold."""
        return (self.first < 0).any(1).nonzero()[:, 0]

    @torch.no_grad()
    def judge(self, update: int, rows: Tensor, x: Tensor, log_target: Tensor, distances: Tensor | None) -> None:
        """Note what passes after so many updates, and its images.

        rows: (R,) trials; x: (R, D) their images; log_target: (R,) log y_t; distances: (R,) ‖r(x) − x‖₂, None if the
        network does not reconstruct. Raises OvergenError if an image, a score, a distance or a γ is not finite: that
        must pass neither for "fooled" nor for "not fooled".
        """
        self.refuse(~x.isfinite(), "gradient, and with it an image,", update)
        self.refuse(~log_target.isfinite(), "score", update)
        if distances is not None:
            self.refuse(~distances.isfinite(), "distance to its reconstruction", update)
        self.last[rows] = x
        gamma: dict[int, float] = {}
        for pair, (tau, alpha) in enumerate(self.thresholds):
            bound = (
                log_target
                if distances is None
                else log_target + log_reconstruction(distances, alpha=alpha, pixels=x.shape[1])
            )
            passed = (self.first[rows, pair] < 0) & (bound > torch.tensor(tau).log().to(bound))
            if distances is not None:
                fresh = [i for i in passed.nonzero()[:, 0].tolist() if i not in gamma]
                if fresh:
                    values, _ = curvature(self.network, x[fresh].view(-1, *self.shape), probes=self.probes)
                    self.refuse(~values.isfinite(), "curvature", update)
                    gamma.update(zip(fresh, values.tolist(), strict=True))
                gate = torch.tensor([gamma.get(i, 0.0) for i in range(len(rows))], device=x.device)
                passed &= bound + log_gate(gate, beta=self.beta) > torch.tensor(tau).log().to(bound)
            self.first[rows[passed], pair] = update
            self.image[rows[passed], pair] = x[passed]

    def refuse(self, wrong: Tensor, name: str, update: int) -> None:
        """OvergenError if any number of what the network gives is marked as wrong."""
        if bool(wrong.any()):
            raise OvergenError(f"the attacked network's {name} is not finite after {update} updates")

    def outcome(self) -> Passage:
        """What the trials came to, with the scores of the first pair's images."""
        self.network.to(self.image.device)  # Lightning leaves it on the CPU
        image = torch.where(self.first[..., None] < 0, self.last[:, None], self.image)
        x = image[:, 0].reshape(-1, *self.shape)
        with torch.no_grad():
            log_y, reconstruction = self.network(x)
        distances = gamma = torch.full((len(x),), float("nan"))
        if reconstruction is not None:
            distances = distance(x, reconstruction)
            gamma, _ = curvature(self.network, x, probes=self.probes)
        log_target = of_target(log_y, self.targets)
        self.refuse(~log_target.isfinite(), "score", int(self.first.max()))
        return Passage(*(t.detach().cpu() for t in (self.first, image, log_target, distances, gamma)))


class Trials(pl.LightningModule):
    """A block of trials against one network; one training step is one update of every trial that is still running.

    network: attacked, frozen; targets: (T,); passage: of the same trials. An attack says what its images are and what
    it minimises; its optimiser moves what they are made of.
    """

    def __init__(self, network: nn.Module, targets: Tensor, passage: FirstPassage) -> None:
        super().__init__()
        self.network, self.targets, self.passage = network, targets, passage

    @abstractmethod
    def images(self, rows: Tensor) -> Tensor:
        """The images of some trials now, (R, D) in [0, 1], as a function of what the optimiser moves."""

    @abstractmethod
    def loss(self, update: int, rows: Tensor, x: Tensor, log_y: Tensor, distances: Tensor | None) -> Tensor:
        """What is minimised, (R,). x: images (R, D); log_y: (R, C); distances: ‖r(x) − x‖₂, (R,), or None."""

    def training_step(self, update: int) -> Tensor:
        """Judge the images after so many updates, then the loss of those that go on."""
        rows = self.passage.running
        x = self.images(rows)
        log_y, reconstruction = self.network(x.view(-1, *self.passage.shape))
        distances = None if reconstruction is None else distance(x, reconstruction)
        self.passage.refuse(log_y.isnan(), "score of some class", update)
        self.passage.judge(update, rows, x, of_target(log_y, self.targets[rows]), distances)
        # A trial that ended in this step takes no further part.
        return (self.loss(update, rows, x, log_y, distances) * (self.passage.first[rows] < 0).any(1)).sum()

    def told(self) -> str:
        """How many have ended, for who watches."""
        return f"fooled {len(self.targets) - len(self.passage.running)}/{len(self.targets)}"

    def on_train_batch_end(self, *_: Any) -> None:
        if len(self.passage.running) == 0:
            self.trainer.should_stop = True

    def run(self, trainer: pl.Trainer, updates: int) -> Passage:
        """Run the block for at most so many updates. trainer: for one epoch.

        After the last update the images are judged once more, so `step` lies in 0..updates.
        """
        trainer.fit(self, train_dataloaders=Steps(range(updates + 1)))
        return self.passage.outcome()


def of_target(log_y: Tensor, targets: Tensor) -> Tensor:
    """log y_t of each image. log_y: (R, C); targets: (R,). Returns (R,)."""
    return log_y.gather(1, targets[:, None])[:, 0]
