"""How much of the cube [0, 1]ᴰ a score accepts, by subset simulation: shares far too small for plain sampling.

    P(score > threshold) = Π P(score > level k | score > level k − 1)

Each level is the one that a fixed share of the images reaches. Those are the starts of Markov chains, which fill the
next population inside the set above the level (Au & Beck 2001). Chains move by Gaussian steps in all pixels that are
folded back into the cube: that keeps the uniform measure, so a move is taken if its score lies above the level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor

ACCEPTED = 0.4  # of the moves: the size of the steps of the next level is brought towards it
FIRST_STEP, LARGEST_STEP = 0.5, 1.0  # length of the first step; standard deviation of any step in each pixel


class Volume(NamedTuple):
    """One run's estimate for one threshold.

    log10: of the share of the cube; where `reached` is false, of the set of the last level, which holds the one that
    was asked for. variation: the coefficient of variation of the share as Au & Beck estimate it from the chains.
    levels, evaluations: what was spent. inside: (k, D) images of the set, uniform in it; empty if it was not reached.
    """

    log10: float
    reached: bool
    variation: float
    levels: int
    evaluations: int
    inside: Tensor


def log_volumes(
    log_score: Callable[[Tensor], Tensor],
    dimension: int,
    thresholds: Sequence[float],
    generators: Sequence[torch.Generator],
    *,
    chains: int,
    length: int,
    levels: int,
) -> list[list[Volume]]:
    """The share of [0, 1]ᴰ in which a score lies above each threshold, by several runs that are independent.

    log_score: of points (n, D) float32, (n,); any increasing function of the score. It is asked for all runs together.
    thresholds: in rising order. generators: one a run. chains, length: of each level, whose population has
    chains × length points; a level is that which 1 / length of them exceed. levels: at most; then a run ends with what
    it reached.
    Returns for each run one `Volume` a threshold. Of N points drawn independently the mean of log P(score > the
    (k + 1)th largest) is ψ(k + 1) − ψ(N + 1), which is added up in place of log k/N: over hundreds of levels the latter
    is far too small. k and N are divided by how many points of a chain count as one.
    Raises ValueError for thresholds that do not rise, fewer than two chains or a length below 2, and a NaN score.
    """
    if list(thresholds) != sorted(set(thresholds)) or not thresholds:
        raise ValueError(f"thresholds must rise: {list(thresholds)}")
    if chains < 2 or length < 2 or levels < 0:
        raise ValueError(f"chains = {chains}, length = {length}, levels = {levels}: at least 2, 2 and 0")

    def scored(points: Tensor) -> np.ndarray:
        values = log_score(points.flatten(0, -2)).double().cpu().numpy().reshape(points.shape[:-1])
        if np.isnan(values).any():
            raise ValueError("a score is NaN")
        return values

    points = torch.stack([torch.rand(chains, length, dimension, generator=draws) for draws in generators])
    runs = [_Run(list(thresholds), chains * length, FIRST_STEP / math.sqrt(dimension)) for _ in generators]
    scores = scored(points)
    active = list(range(len(runs)))
    for level in range(levels + 1):
        for i in active:
            runs[i].look(points[i], scores[i], last=level == levels)
        active = [i for i in active if runs[i].waiting]
        if not active:
            break
        _walk(scored, points, scores, [(i, runs[i], generators[i]) for i in active])
    return [run.found for run in runs]


class _Run:
    """Where one run stands. waiting: thresholds that it has not reached; floor: the level that all points exceed."""

    def __init__(self, thresholds: list[float], evaluations: int, step: float) -> None:
        self.waiting, self.evaluations, self.step = thresholds, evaluations, step
        self.found: list[Volume] = []
        self.floor, self.log_share, self.variance, self.levels = -math.inf, 0.0, 0.0, 0

    def look(self, points: Tensor, scores: np.ndarray, *, last: bool) -> None:
        """Answer the thresholds that enough points exceed, then rise by a level, or end. points: (chains, length, D)"""
        chains, count = len(scores), scores.size
        floor = float(np.sort(scores, axis=None)[-chains - 1])
        while self.waiting and floor > self.waiting[0]:
            above = scores > self.waiting.pop(0)
            log_share = self.log_share + math.log(above.mean())
            variance = self.variance + self._alike(above) * (1 / above.sum() - 1 / scores.size)
            self._end(log_share, variance, reached=True, inside=points[torch.from_numpy(above)])
        stuck = floor <= self.floor  # on a plateau of the score
        if not stuck:
            self.starts = np.argsort(-scores, axis=None, kind="stable")[:chains]
            alike = self._alike(np.isin(np.arange(count), self.starts).reshape(scores.shape))
            self.log_share += float(digamma(chains / alike + 1) - digamma(count / alike + 1))
            self.variance += alike * (1 / chains - 1 / count)
            self.floor, self.levels = floor, self.levels + 1
        if last or stuck:
            while self.waiting:
                self.waiting.pop(0)
                self._end(self.log_share, self.variance, reached=False, inside=points[:0, 0])

    def _end(self, log_share: float, variance: float, *, reached: bool, inside: Tensor) -> None:
        values = (log_share / math.log(10), reached, math.sqrt(variance), self.levels, self.evaluations)
        self.found.append(Volume(*values, inside.clone()))

    def _alike(self, above: np.ndarray) -> float:
        """1 + γ of Au & Beck 2001, Eq. 29: how many points of a chain count as one; at least 1.

        above: bool (chains, length), which points exceed a level.
        """
        share, (_, length) = above.mean(), above.shape
        if share == 1 or not self.levels:  # the first population is drawn independently
            return 1.0
        centred = above - share
        lags = np.arange(1, length)
        products = [(centred[:, lag:] * centred[:, :-lag]).mean() for lag in lags]
        return float(max(1 + 2 * (1 - lags / length) @ products / (share * (1 - share)), 1))


def _walk(
    scored: Callable[[Tensor], np.ndarray],
    points: Tensor,
    scores: np.ndarray,
    runs: Sequence[tuple[int, _Run, torch.Generator]],
) -> None:
    """Fill the populations of some runs, in place, by chains that start at the points above their levels."""
    _, chains, length, dimension = points.shape
    which = [i for i, _, _ in runs]
    floors = np.array([run.floor for _, run, _ in runs])[:, None]
    here = torch.stack([points[i].view(-1, dimension)[torch.from_numpy(run.starts)] for i, run, _ in runs])
    now = np.stack([scores[i].ravel()[run.starts] for i, run, _ in runs])
    points[which, :, 0], scores[which, :, 0] = here, now
    taken = np.zeros(len(runs))
    for place in range(1, length):
        steps = [run.step * torch.randn(chains, dimension, generator=draws) for _, run, draws in runs]
        there = folded(here + torch.stack(steps))
        then = scored(there)
        accept = then > floors
        here = torch.where(torch.from_numpy(accept)[..., None], there, here)
        now = np.where(accept, then, now)
        points[which, :, place], scores[which, :, place] = here, now
        taken += accept.mean(1) / (length - 1)
    for (_, run, _), share in zip(runs, taken, strict=True):
        # Never within a level: steps that hang on where the chains stand would draw them there, which biases the share.
        run.step = min(LARGEST_STEP, run.step * math.exp(share - ACCEPTED))
        run.evaluations += chains * (length - 1)


def folded(points: Tensor) -> Tensor:
    """Points reflected at the faces of the cube [0, 1]ᴰ, as often as it takes."""
    rest = points.remainder(2)
    return torch.where(rest > 1, 2 - rest, rest)


def log10_of_ball(radius: float, dimension: int) -> float:
    """log10 of the volume πᴰᐟ²·rᴰ / Γ(D/2 + 1) of a ball."""
    log = dimension / 2 * math.log(math.pi) + dimension * math.log(radius) - math.lgamma(dimension / 2 + 1)
    return log / math.log(10)
