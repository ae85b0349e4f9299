"""Volumes by subset simulation, against sets whose volume is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma, gammaln
from torch import Tensor

from overgen.measures.volume import Volume, folded, log10_of_ball, log_volumes

CHAINS = {"chains": 20, "length": 10, "levels": 200}


def draws(runs: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 * seed + run) for run in range(runs)]


def inwards(points: Tensor) -> Tensor:
    return -(points - 0.5).norm(dim=1)


def test_the_volume_of_a_ball_is_that_by_the_gamma_function() -> None:
    for dimension, radius in ((1, 0.5), (2, 0.3), (3, 0.5), (784, 0.5)):
        log = dimension / 2 * math.log(math.pi) + dimension * math.log(radius) - gammaln(dimension / 2 + 1)
        assert log10_of_ball(radius, dimension) == pytest.approx(log / math.log(10), rel=1e-12)
    assert 10 ** log10_of_ball(0.5, 3) == pytest.approx(4 / 3 * math.pi / 8)


@pytest.mark.parametrize("dimension", [2, 10, 60])
def test_balls_of_any_dimension_are_met(dimension: int) -> None:
    found = [run[0] for run in log_volumes(inwards, dimension, [-0.5], draws(8), **CHAINS)]
    exact, values = log10_of_ball(0.5, dimension), np.array([volume.log10 for volume in found])
    assert abs(values.mean() - exact) < 0.04 * max(abs(exact), 3)  # log N/k alone, without ψ, is 5 % off in 60
    for volume in found:
        assert volume.reached
        assert bool(((volume.inside - 0.5).norm(dim=1) < 0.5).all())
        assert bool(((volume.inside >= 0) & (volume.inside <= 1)).all())
    assert np.std(values, ddof=1) < 4 * np.mean([volume.variation for volume in found])  # in powers of ten, and e


def test_a_corner_and_a_thin_slab_are_found_through_the_faces_of_the_cube() -> None:
    """A small cube in a corner, (1/10)⁵ of the whole, and a slab along one of 50 axes."""
    corner = log_volumes(lambda x: -x.max(dim=1).values, 5, [-0.1], draws(12), **CHAINS)
    assert np.mean([run[0].log10 for run in corner]) == pytest.approx(-5, abs=0.4)
    slab = log_volumes(lambda x: x[:, 7], 50, [1 - 1e-3], draws(12), **CHAINS)
    assert np.mean([run[0].log10 for run in slab]) == pytest.approx(-3, abs=0.4)


def test_a_set_that_plain_sampling_finds_has_its_share() -> None:
    points = torch.rand(20_000, 4, generator=torch.Generator().manual_seed(1))
    share = float((points.sum(1) > 3).double().mean())  # 1/24 exactly
    found = log_volumes(lambda x: x.sum(1), 4, [3.0], draws(8), chains=20, length=10, levels=20)
    assert np.mean([10 ** run[0].log10 for run in found]) == pytest.approx(share, rel=0.2)
    assert share == pytest.approx(1 / 24, rel=0.1)


def test_several_thresholds_of_one_run_are_nested() -> None:
    for near, far in log_volumes(inwards, 20, [-1.0, -0.6], draws(3), **CHAINS):
        assert near.log10 > far.log10
        assert near.levels <= far.levels
        assert near.evaluations <= far.evaluations


def test_a_run_whose_levels_end_is_a_bound() -> None:
    for (found,) in log_volumes(inwards, 100, [-0.5], draws(3), chains=10, length=10, levels=3):
        assert not found.reached
        assert log10_of_ball(0.5, 100) < found.log10 < -3
        assert len(found.inside) == 0


def test_points_that_no_chain_leaves_count_as_one_each() -> None:
    """Of 20 chains of 10 the 20 largest points are two starts, ten times each: ψ and the variance are those of 2 of 20.

    The first population is drawn independently: there the share is that of 20 of 200.
    """
    asked = []

    def stays(points: Tensor) -> Tensor:
        asked.append(len(points))
        return points[:, 0] if len(asked) == 1 else torch.full((len(points),), -1.0)

    ((first,),) = log_volumes(lambda x: x[:, 0], 3, [2.0], draws(1), chains=20, length=10, levels=0)
    ((second,),) = log_volumes(stays, 3, [2.0], draws(1), chains=20, length=10, levels=1)
    share, variance = digamma(21) - digamma(201), 1 / 20 - 1 / 200
    assert first.log10 == pytest.approx(share / math.log(10))
    assert first.variation == pytest.approx(math.sqrt(variance))
    assert second.log10 == pytest.approx((share + digamma(3) - digamma(21)) / math.log(10))
    assert second.variation == pytest.approx(math.sqrt(variance + 1 / 2 - 1 / 20))
    assert (second.levels, second.evaluations) == (2, 200 + 20 * 9)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_score_that_nothing_exceeds_ends_at_once(value: float) -> None:
    (found,) = log_volumes(lambda x: torch.full((len(x),), value), 3, [1.0], draws(1), **CHAINS)[0]
    assert not found.reached
    assert found.levels <= 1


def test_runs_hang_on_their_own_generators_alone() -> None:
    def first(runs: list[list[Volume]]) -> Volume:
        return runs[0][0]

    alone, together = (first(log_volumes(inwards, 30, [-0.6], draws(n), **CHAINS)) for n in (1, 3))
    assert alone.log10 == together.log10
    assert torch.equal(alone.inside, together.inside)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        log_volumes(inwards, 2, [-0.5, -0.6], draws(1), **CHAINS)
    with pytest.raises(ValueError, match="at least 2"):
        log_volumes(inwards, 2, [-0.5], draws(1), chains=1, length=10, levels=2)
    with pytest.raises(ValueError, match="NaN"):
        log_volumes(lambda x: torch.full((len(x),), math.nan), 2, [-0.5], draws(1), **CHAINS)


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=5))
def test_folding_reflects_at_the_faces(values: list[float]) -> None:
    points = torch.tensor(values, dtype=torch.float64)
    inside = folded(points)
    assert bool(((inside >= 0) & (inside <= 1)).all())
    assert torch.allclose(inside, folded(-points), atol=1e-12)
    assert torch.allclose(inside, folded(points + 2), atol=1e-12)
    assert torch.allclose(torch.cos(math.pi * inside), torch.cos(math.pi * points), atol=1e-9)
