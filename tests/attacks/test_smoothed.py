"""Attacks on a smoothed score: what they follow, whom they ask, and that trials do not depend on each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from overgen.attacks.autopgd import autopgd
from overgen.attacks.on_scores import ANY, SLACK, OnView
from overgen.attacks.search import Ball
from overgen.attacks.smoothed import OnSmoothed
from overgen.models import Output
from overgen.scores.tensors import plain

SIGMA = 0.3


class Brightness(nn.Module):
    """log y of three classes: 0 where dark, 2 where bright, 1 between."""

    def forward(self, x: Tensor) -> Any:
        mean = x.flatten(1).mean(1, keepdim=True)
        return Output((-((mean - torch.tensor([[0.1, 0.5, 0.9]])) ** 2) * 40).log_softmax(1), None)


def mean_of(x: Tensor) -> Tensor:
    return x.double().mean(1)


def first_of(x: Tensor) -> Tensor:
    return x[:, 0].double()


def objective(
    score: Any, direction: Any, targets: Tensor, threshold: float, *, draws: int = 8, verdict: Any = None
) -> OnSmoothed:
    """Known images have means, and all pixels, from 0.2 to 0.8. Unless told, a score decides without noise."""

    def without_noise(rows: Tensor, x: Tensor) -> Tensor:
        accepted = score(x) >= threshold
        return ~accepted if direction == "reject" else accepted

    attackable = OnView(Brightness(), plain(score), "pixels", (1, 4, 4))
    known = torch.linspace(0.2, 0.8, 60)[:, None].expand(60, 16)
    return OnSmoothed(
        attackable, threshold, known, direction, targets, sigma=SIGMA, draws=draws, verdict=verdict or without_noise,
        generators=[torch.Generator().manual_seed(i) for i in range(len(targets))],
    )  # fmt: skip


def test_the_guide_is_the_mean_over_the_draws_of_each_draws_own() -> None:
    x = torch.full((1, 16), 0.3)
    guide, _ = objective(first_of, "accept", torch.tensor([ANY]), 0.6)(torch.tensor([0]), x)
    noise = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    above = (0.3 + SIGMA * noise[:, 0] - 0.6) / 0.54
    assert len({bool(a > 0) for a in above}) == 2
    torch.testing.assert_close(guide, -torch.log1p((SLACK - above).relu()).mean()[None].double(), rtol=1e-6, atol=1e-6)
    guide, _ = objective(first_of, "reject", torch.tensor([ANY]), 0.6)(torch.tensor([0]), x)
    torch.testing.assert_close(guide, -torch.log1p((above + SLACK).relu()).mean()[None].double(), rtol=1e-6, atol=1e-6)


def test_every_update_has_fresh_draws_and_a_trial_its_own() -> None:
    x = torch.full((3, 16), 0.3)
    both = objective(first_of, "accept", torch.full((3,), ANY), 0.6)
    first, _ = both(torch.arange(3), x)
    second, _ = both(torch.arange(3), x)
    assert len(set(first.tolist() + second.tolist())) == 6
    alone = objective(first_of, "accept", torch.full((3,), ANY), 0.6)
    assert torch.equal(alone(torch.tensor([1]), x[:1])[0], first[1:2])  # whoever stands beside it
    assert torch.equal(alone(torch.tensor([1]), x[:1])[0], second[1:2])


def test_the_score_as_it_is_used_is_asked_where_most_draws_have_passed_and_decides() -> None:
    asked: list[tuple[list[int], list[float]]] = []

    def verdict(rows: Tensor, x: Tensor) -> Tensor:
        asked.append((rows.tolist(), x[:, 0].tolist()))
        return x[:, 0] > 0.95

    x = torch.tensor([0.0, 0.9, 1.0])[:, None].repeat(1, 16)
    _, done = objective(mean_of, "accept", torch.full((4,), ANY), 0.5, verdict=verdict)(torch.tensor([3, 0, 2]), x)
    assert asked == [([0, 2], pytest.approx([0.9, 1.0]))]
    assert done.tolist() == [False, False, True]


@pytest.mark.parametrize("direction", ["accept", "reject"])
def test_half_of_the_draws_are_not_most(direction: Any) -> None:
    asked: list[int] = []

    def verdict(rows: Tensor, x: Tensor) -> Tensor:
        asked.extend(rows.tolist())
        return torch.ones(len(rows), dtype=torch.bool)

    x = torch.full((1, 16), 0.5)
    drawn = 0.5 + SIGMA * torch.randn(2, 16, generator=torch.Generator().manual_seed(0))[:, 0]
    between = float(drawn.double().mean())  # one of the two draws lies above it
    _, done = objective(first_of, direction, torch.tensor([ANY]), between, draws=2, verdict=verdict)(
        torch.tensor([0]), x
    )
    assert asked == []
    assert done.tolist() == [False]


@pytest.mark.parametrize(("target", "asks"), [(ANY, True), (2, True), (1, False)])
def test_draws_pass_under_the_label_that_is_asked_for(target: int, asks: bool) -> None:
    asked: list[int] = []

    def verdict(rows: Tensor, x: Tensor) -> Tensor:
        asked.extend(rows.tolist())
        return torch.ones(len(rows), dtype=torch.bool)

    bright = torch.full((1, 16), 0.95)  # of class 2
    guide, done = objective(mean_of, "accept", torch.tensor([target]), 0.5, verdict=verdict)(torch.tensor([0]), bright)
    assert (asked == [0]) == asks
    assert done.tolist() == [asks]
    assert (guide < -0.01).tolist() == [not asks]


@pytest.mark.parametrize("direction", ["accept", "reject"])
def test_an_attack_passes_the_threshold_of_the_score_that_decides(direction: Any) -> None:
    """The median over fixed draws of a score that a single draw hardly tells: noise is as large as the way."""
    noise = SIGMA * torch.randn(101, 16, generator=torch.Generator().manual_seed(99))

    def median(x: Tensor) -> Tensor:
        return torch.stack([mean_of(image + noise).median() for image in x])

    def verdict(rows: Tensor, x: Tensor) -> Tensor:
        return median(x) >= 0.6 if direction == "accept" else median(x) < 0.6

    start = torch.full((3, 16), 0.4 if direction == "accept" else 0.8)
    attacked = objective(mean_of, direction, torch.full((3,), ANY), 0.6, verdict=verdict)
    found = autopgd(attacked, start, start, Ball("linf", 0.25), updates=30)
    assert (found.step > 0).all()
    assert verdict(torch.arange(3), found.image).all()
    too_small = autopgd(attacked, start, start, Ball("linf", 0.15), updates=30)
    assert (too_small.step == -1).all()
