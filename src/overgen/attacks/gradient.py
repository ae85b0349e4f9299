"""Gradient attacks on what a defence reports: they minimise −log ỹ_t = −log c̃ − log y_t over the pixels themselves.

The attack of the paper follows y, which the confidence c̃ protects; an attack that is to tell whether a defence holds
has to go for c̃ too (Athalye et al. 2018, Tramèr et al. 2020). All is in log space, where a score of e⁻³⁰⁰ still has
a gradient. Two forms: cross-entropy, and the margin to the best other class (Carlini & Wagner 2017), which does not
stop where y saturates. Adam moves the pixels, which are put back into [0, 1] after every step. Several such attacks, of
other forms and rates, are tried in turn on the trials that the ones before did not fool (as in AutoAttack, Croce & Hein
2020): the rate is that of all of them, and an image that fell at once costs no further updates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.attacks.passage import FirstPassage, Passage, Trials, of_target
from overgen.confidence import CLEAR, estimated_curvature, log_gate, log_reconstruction, probe_vectors

STARTS = ("noise", "mean_image", "other_class")
MEAN_DEVIATION = 0.1  # of the normal noise by which restarts from the mean image differ
COMPARED = 5_000  # training images at a time in `nearest`, at most
BLOCK = 2**23  # and their pixels: 64 MB in float64
WHOLE = 2**26  # pixels that are averaged at once


def starts(
    kinds: Sequence[str], generators: Sequence[torch.Generator], targets: Sequence[int], images: Tensor, labels: Tensor
) -> tuple[Tensor, list[int]]:
    """First images of T trials, (T, D) in [0, 1], from a generator a trial; and which image each was, −1 for none.

    kinds: for each trial one of `STARTS`: uniform noise; the mean of `images` with a little noise; one of `images` that
    is not labelled with the trial's target, or not at all. images: (N, C, H, W) uint8; labels: (N,).
    Raises OvergenError if all images are labelled with a target.
    """
    pixels = images[0].numel()
    mean = mean_image(images).flatten() / 255  # 0.2 s for 60,000 images: once for all trials
    chosen, indices = [], []
    for kind, generator, target in zip(kinds, generators, targets, strict=True):
        index = -1
        if kind == "noise":
            x = torch.rand(pixels, generator=generator, dtype=torch.float64)
        elif kind == "mean_image":
            x = (mean + MEAN_DEVIATION * torch.randn(pixels, generator=generator, dtype=torch.float64)).clamp(0, 1)
        else:
            candidates = (labels != target).nonzero()[:, 0]
            if not len(candidates):
                raise OvergenError(
                    f"start other_class: all {len(labels)} training images are labelled {target}, the target itself; "
                    "leave that start out, or add images of another class"
                )
            index = int(candidates[torch.randint(len(candidates), (), generator=generator)])
            x = images[index].double().flatten() / 255
        chosen.append(x.float())
        indices.append(index)
    return torch.stack(chosen), indices


def mean_image(images: Tensor) -> Tensor:
    """The mean of images (N, C, H, W) uint8, (C, H, W) float64; in blocks where they are more than `WHOLE` pixels."""
    if images.numel() <= WHOLE:
        return images.double().mean(0)
    total = torch.zeros(images.shape[1:], dtype=torch.float64)
    for block in images.split(max(1, BLOCK // images[0].numel())):
        total += block.double().sum(0)
    return total / len(images)


class GradientAttack(Trials):
    """A block of trials on the pixels against one network.

    network: attacked, frozen; images: (T, D) first images, of the shape (C, H, W); targets: (T,).
    threshold: the (τ, α) that ỹ is judged at.
    objective: "cross_entropy" or "margin". check: every so many updates γ is estimated for each trial; where the
    estimate is not clearly below 0, Γ may act, and −log Γ joins the loss until the next check.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        targets: Tensor,
        *,
        shape: Sequence[int],
        threshold: tuple[float, float],
        beta: float,
        probes: int,
        learning_rate: float,
        objective: str,
        check: int,
    ) -> None:
        passage = FirstPassage(network, images, targets, shape=shape, thresholds=[threshold], beta=beta, probes=probes)
        super().__init__(network, targets, passage)
        self.x = nn.Parameter(images.clone())
        self.alpha, self.beta, self.objective = threshold[1], beta, objective
        self.learning_rate, self.check = learning_rate, check
        self.vectors = probe_vectors(probes, images.shape[1]).to(images)
        self.curved = torch.zeros(len(images), dtype=torch.bool, device=images.device)

    def images(self, rows: Tensor) -> Tensor:
        return self.x[rows]

    def loss(self, update: int, rows: Tensor, x: Tensor, log_y: Tensor, distances: Tensor | None) -> Tensor:
        targets = self.targets[rows]
        loss = -of_target(log_y, targets)
        if self.objective == "margin":
            loss = loss + log_y.scatter(1, targets[:, None], -torch.inf).amax(1)
        if distances is not None:
            loss = loss - log_reconstruction(distances, alpha=self.alpha, pixels=x.shape[1])
            loss = loss + self.beta * self.curvature(update, rows, x).relu()
        return loss

    def curvature(self, update: int, rows: Tensor, x: Tensor) -> Tensor:
        """The estimate of γ, with its gradient, of the trials where Γ may act; 0 for the others. Returns (R,)."""
        images = x.view(-1, *self.passage.shape)
        if update % self.check == 0:
            gamma, error = estimated_curvature(self.network, images, self.vectors)
            self.curved[rows] = gamma + CLEAR * error > 0
        estimate = x.new_zeros(len(x))
        acts = self.curved[rows].nonzero()[:, 0]
        if len(acts):
            gamma, _ = estimated_curvature(self.network, images[acts], self.vectors, differentiable=True)
            estimate = estimate.index_put((acts,), gamma)
        return estimate

    def on_train_batch_end(self, *_: Any) -> None:
        with torch.no_grad():
            self.x.clamp_(0, 1)
        super().on_train_batch_end()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([self.x], lr=self.learning_rate)


@dataclass(frozen=True)
class Outcome:
    """What attacks in turn came to on T trials.

    attack: (T,) index of the one that fooled, else of the one that ended at the highest score; step: (T,) updates spent
    until the trial was fooled, those of earlier attacks included, −1 where none did; image: (T, D) of that attack;
    score: (T,) its log ỹ_t; distance, gamma: (T,) of the image, NaN where the network does not reconstruct.
    """

    attack: Tensor
    step: Tensor
    image: Tensor
    score: Tensor
    distance: Tensor
    gamma: Tensor


def in_turn(
    attacks: Sequence[tuple[Callable[[Tensor], Passage], int]], *, trials: int, pixels: int, alpha: float, beta: float
) -> Outcome:
    """Attack so many trials on images of D pixels, each with one attack after the other until one fools it.

    attacks: each takes the trials (indices) that are left and gives their `Passage`, of one (τ, α); with it, after how
    many updates at most. alpha, beta: of the score. Raises OvergenError if a score is NaN.
    """
    nan = torch.full((trials,), torch.nan)
    outcome = Outcome(
        attack=torch.zeros(trials, dtype=torch.long),
        step=torch.full((trials,), -1),
        image=torch.zeros(trials, pixels),
        score=torch.full((trials,), -torch.inf, dtype=torch.float64),
        distance=nan,
        gamma=nan.clone(),
    )
    left, spent = torch.arange(trials), 0
    for i, (attack, updates) in enumerate(attacks):
        passage = attack(left)
        score = passage.log_y.double()
        if bool(passage.distance.isfinite().all()):
            score = score + log_reconstruction(passage.distance.double(), alpha=alpha, pixels=pixels)
            score = score + log_gate(passage.gamma.double(), beta=beta)
        if bool(score.isnan().any()):
            raise OvergenError(f"attack {i} in turn: the score of trial {int(left[score.isnan()][0])} is NaN")
        fooled = passage.step[:, 0] >= 0
        chosen = fooled | (score > outcome.score[left])
        rows = left[chosen]
        outcome.attack[rows], outcome.score[rows] = i, score[chosen]
        for values, of_passage in (
            (outcome.image, passage.image[:, 0]),
            (outcome.distance, passage.distance),
            (outcome.gamma, passage.gamma),
        ):
            values[rows] = of_passage[chosen].to(values)
        outcome.step[left[fooled]] = spent + passage.step[fooled, 0].to(outcome.step)
        left, spent = left[~fooled], spent + updates
        if not len(left):
            break
    return outcome


class Attempt(Protocol):
    """One of the attacks that are tried in turn: "cross_entropy" or "margin", Adam's rate, at most so many updates."""

    objective: str
    learning_rate: float
    updates: int


def attack(
    network: nn.Module,
    start: Tensor,
    targets: Tensor,
    attempts: Sequence[Attempt],
    trainer: Callable[[], pl.Trainer],
    *,
    threshold: tuple[float, float],
    beta: float,
    **options: Any,
) -> Outcome:
    """Attack a network from T images, with one attempt after the other on the trials that none has fooled yet.

    network: frozen, differentiable; start: (T, D) in [0, 1] and targets: (T,), on the trainer's device; trainer: makes
    a new one, for one epoch. threshold: the (τ, α) to pass. options: of `GradientAttack`, with the shape (C, H, W) of
    the images.
    """

    def run(attempt: Attempt, rows: Tensor) -> Passage:
        rows = rows.to(start.device)
        module = GradientAttack(
            network,
            start[rows],
            targets[rows],
            threshold=threshold,
            beta=beta,
            learning_rate=attempt.learning_rate,
            objective=attempt.objective,
            **options,
        )
        return module.run(trainer(), attempt.updates)

    attacks = [(partial(run, attempt), attempt.updates) for attempt in attempts]
    return in_turn(attacks, trials=len(start), pixels=start.shape[1], alpha=threshold[1], beta=beta)


def nearest(images: Tensor, training_images: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The training image nearest to each of T images, and the nearest of its target class, by L2 over the pixels.

    images: (T, D) in [0, 1]; training_images: (N, C, H, W) uint8; labels: (N,), −1 for none; targets: (T,).
    Returns the label of the nearest (T,), its distance (T,), and the distance to the target class (T,), NaN where no
    training image is of that class. Training images are compared in blocks of at most `BLOCK` pixels.
    """
    x = images.double()
    best = torch.full((len(x),), torch.inf, dtype=x.dtype, device=x.device)
    of_target, label = best.clone(), torch.full((len(x),), -1, device=x.device)
    size = max(1, min(COMPARED, BLOCK // x.shape[1]))
    for block, names in zip(training_images.split(size), labels.split(size), strict=True):
        distances = torch.cdist(x, block.to(x.device).flatten(1).double() / 255)
        distance, index = distances.min(1)
        closer = distance < best
        best, label = torch.where(closer, distance, best), torch.where(closer, names.to(x.device)[index], label)
        same = names.to(x.device)[None, :] == targets[:, None]
        of_target = torch.minimum(of_target, distances.masked_fill(~same, torch.inf).amin(1))
    return label, best, of_target.masked_fill(of_target.isinf(), torch.nan)
