"""Smoothed scores and their certificates: against closed forms, a count of all cases, and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overgen.measures.smoothing import certified_radius, reach, score_bounds, smoothed

SIGMA = 0.5


def linear(weight: float, offset: float, draws: int, seed: int = 0) -> np.ndarray:
    """s = weight·x + offset at x = 0 in one dimension, under noise: the distance to s = 0 is |offset / weight|."""
    return weight * SIGMA * np.random.default_rng(seed).standard_normal(draws) + offset


def test_the_certificate_of_a_linear_score_is_its_distance_to_the_boundary() -> None:
    for offset in (0.3, 0.8):
        values = linear(2.0, offset, 400_000)
        radius = certified_radius(np.array([(values >= 0).sum()]), len(values), SIGMA, 0.001)[0]
        assert radius < offset / 2  # at 99.9 %, from below
        assert radius == pytest.approx(offset / 2, rel=0.03)
        low, high = score_bounds(values[None], offset / 2, SIGMA, 0.001)
        assert low[0] == pytest.approx(0, abs=0.02)
        assert high[0] == pytest.approx(2 * offset, abs=0.02)
        assert smoothed(values[None])[0] == pytest.approx(offset, abs=0.01)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7])
def test_a_linear_scores_quantile_moves_as_far_as_the_image(share: float) -> None:
    values = linear(1.0, 0.0, 400_000)
    exact = SIGMA * stats.norm.ppf(share)
    low, high = score_bounds(values[None], 0.4, SIGMA, 0.001, share)
    assert smoothed(values[None], share)[0] == pytest.approx(exact, abs=0.01)
    assert low[0] == pytest.approx(exact - 0.4, abs=0.03)
    assert high[0] == pytest.approx(exact + 0.4, abs=0.03)


def test_the_median_of_an_even_number_is_the_lower_one() -> None:
    assert smoothed(np.array([[4.0, 1.0, 3.0, 2.0], [1, 1, 1, 0]])).tolist() == [2, 1]
    assert smoothed(np.array([[5.0, 1.0, 3.0]])).tolist() == [3]
    assert smoothed(np.array([[3.0, 1.0, 2.0, 4.0]]), 0.75).tolist() == [3]
    assert smoothed(np.array([[3.0, 1.0]]), 0.01).tolist() == [1]


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_order_statistics_are_those_that_a_count_of_all_cases_allows(count: int) -> None:
    """All 2ⁿ patterns of draws below and above the quantile, with their probabilities."""
    values, error, radius = np.arange(1.0, count + 1)[None], 0.2, 0.15
    quantiles = [stats.norm.cdf(sign * radius / SIGMA) for sign in (-1, 1)]
    chances = [
        [sum(math.prod(q if below else 1 - q for below in pattern)
             for pattern in itertools.product([True, False], repeat=count) if sum(pattern) == k)
         for k in range(count + 1)]
        for q in quantiles
    ]  # fmt: skip
    low = max((k for k in range(1, count + 1) if sum(chances[0][:k]) <= error), default=-math.inf)
    high = min((k for k in range(1, count + 1) if sum(chances[1][k:]) <= error), default=math.inf)
    found = score_bounds(values, radius, SIGMA, error)
    assert (found[0][0], found[1][0]) == (low, high)


@given(st.integers(1, 300), st.data(), st.floats(0.001, 0.3), st.floats(0, 2))
def test_radius_and_bounds_are_one_certificate(count: int, data: st.DataObject, error: float, radius: float) -> None:
    """The upper bound of the median within r is below the threshold exactly where r is certified."""
    below = data.draw(st.integers(0, count))
    values = np.where(np.arange(count) < below, -1.0, 1.0)[None]
    low, high = score_bounds(values, radius, SIGMA, error)
    certified = certified_radius(np.array([below, count - below]), count, SIGMA, error)
    if abs(certified[0] - radius) > 1e-6:
        assert (high[0] < 0) == (radius < certified[0])
    if abs(certified[1] - radius) > 1e-6:
        assert (low[0] >= 0) == (radius < certified[1])


@given(st.integers(1, 400), st.floats(1e-4, 0.4))
def test_more_hits_and_more_error_certify_more(count: int, error: float) -> None:
    radii = certified_radius(np.arange(count + 1), count, SIGMA, error)
    assert radii[0] == -math.inf
    assert (np.diff(radii) > 0).all()
    assert radii[-1] == pytest.approx(SIGMA * stats.norm.ppf(error ** (1 / count)), abs=1e-9)
    assert radii[-1] == reach(count, SIGMA, error)
    assert (certified_radius(np.arange(1, count + 1), count, SIGMA, error / 2) < radii[1:]).all()
    assert (certified_radius(np.arange(1, count + 1), count, 2 * SIGMA, error) == 2 * radii[1:]).all()


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.floats(0, 2), st.floats(0, 2))
def test_a_larger_ball_has_wider_bounds_around_the_median(draws: list[float], one: float, other: float) -> None:
    values, near, far = np.array([draws]), min(one, other), max(one, other)
    low, high = score_bounds(values, near, SIGMA, 0.1)
    wider_low, wider_high = score_bounds(values, far, SIGMA, 0.1)
    assert wider_low[0] <= low[0] <= smoothed(values)[0] <= high[0] <= wider_high[0]


def test_what_the_docstring_says_of_the_reach() -> None:
    said = {(100, 0.001): 1.50, (200, 0.001): 1.83, (1000, 0.001): 2.46, (10_000, 0.001): 3.20, (200, 0.05): 2.17}
    for (count, error), sigmas in said.items():
        assert reach(count, 1.0, error) == pytest.approx(sigmas, abs=0.005)


@pytest.mark.parametrize("true", [0.55, 0.8, 0.97])
def test_a_radius_is_too_large_no_more_often_than_its_error_says(true: float) -> None:
    """Of 20,000 images whose score hits with a known chance: radius too large, or bounds that miss."""
    error, count, images = 0.05, 100, 20_000
    draw = np.random.default_rng(7)
    hits = draw.binomial(count, true, images)
    wrong = certified_radius(hits, count, SIGMA, error) > SIGMA * stats.norm.ppf(true)
    most = stats.binom.ppf(0.9999, images, error)
    assert 0 < wrong.sum() <= most
    values, radius = draw.standard_normal((images, count)), 0.2  # the score is the noise itself, in units of σ
    low, high = score_bounds(values, radius, SIGMA, error)
    assert 0 < (low > -radius / SIGMA).sum() <= most
    assert 0 < (high < radius / SIGMA).sum() <= most


def test_bad_input_is_named() -> None:
    for values in (np.zeros(3), np.zeros((2, 0)), np.array([[np.nan]])):
        with pytest.raises(ValueError, match="draws of a score"):
            smoothed(values)
    with pytest.raises(ValueError, match=r"share = 1"):
        smoothed(np.zeros((1, 2)), 1)
    with pytest.raises(ValueError, match=r"error = 0"):
        certified_radius(np.array([1]), 2, 1.0, 0)
    with pytest.raises(ValueError, match=r"hits \[3\] of 2 draws"):
        certified_radius(np.array([3]), 2, 1.0, 0.1)
    with pytest.raises(ValueError, match="sigma = 0"):
        certified_radius(np.array([1]), 2, 0.0, 0.1)
    with pytest.raises(ValueError, match=r"radius -1"):
        score_bounds(np.zeros((1, 2)), -1.0, 1.0, 0.1)
