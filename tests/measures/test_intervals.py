"""Intervals against scipy's and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overgen.measures.intervals import (
    bootstrap_over_seeds,
    difference_interval,
    mean_interval,
    prediction_interval,
    wilson,
)

counts = st.integers(1, 12_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_is_scipys(count: tuple[int, int], level: float) -> None:
    k, n = count
    oracle = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    low, high = wilson(k, n, level)
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n, level) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_gives_the_protocols_numbers() -> None:
    assert [round(100 * x, 1) for x in wilson(69, 200)] == [28.3, 41.3]
    assert [round(100 * x, 1) for x in wilson(0, 200)] == [0.0, 1.9]
    low, high = wilson(9935, 10_000)
    assert 100 * (high - low) / 2 == pytest.approx(0.16, abs=0.005)


@pytest.mark.parametrize(("k", "n", "level"), [(1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_wilson_refuses(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"k = |trial|level"):
        wilson(k, n, level)


def test_t_intervals_on_a_hand_worked_sample() -> None:
    # mean 2, deviation 1, t(0.975, 2) = 4.302652729911275
    low, high = mean_interval([1, 2, 3]) or (0, 0)
    assert (low, high) == pytest.approx((2 - 4.302652729911275 / math.sqrt(3), 2 + 4.302652729911275 / math.sqrt(3)))
    low, high = prediction_interval([1, 2, 3]) or (0, 0)
    assert high - 2 == pytest.approx(4.302652729911275 * math.sqrt(4 / 3))
    assert mean_interval([0.9, 1.0], bounds=(0, 1)) == (pytest.approx(0.95 - 0.05 * 12.7062047), 1)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_mean_interval_is_scipys(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval is not None
    scale = stats.sem(values)
    if scale > 1e-9:
        oracle = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=scale)
        assert interval == pytest.approx(oracle, rel=1e-9, abs=1e-9)
    predicted = prediction_interval(values)
    assert predicted is not None
    assert predicted[0] <= interval[0] <= interval[1] <= predicted[1]


def test_one_value_has_no_spread() -> None:
    assert mean_interval([3.0]) is None
    assert prediction_interval([3.0]) is None
    assert bootstrap_over_seeds([[0, 1, 1, 0]]) is None


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [1.0, math.inf], [[1.0, 2.0]]])
def test_intervals_refuse(values: list) -> None:
    with pytest.raises(ValueError, match="finite values"):
        mean_interval(values)
    if np.ndim(values) == 1:
        with pytest.raises(ValueError, match="finite values"):
            bootstrap_over_seeds(values)


def test_bootstrap_draws_whole_seeds() -> None:
    # Two seeds, one always fooled and one never: half of the draws take the same seed twice.
    outcomes = [[1] * 100, [0] * 100]
    assert bootstrap_over_seeds(outcomes) == (0.0, 1.0)
    assert bootstrap_over_seeds([0.5, 0.5, 0.5]) == (0.5, 0.5)
    few = np.random.default_rng(1).normal(size=8)
    assert bootstrap_over_seeds(few) == bootstrap_over_seeds(few)
    assert bootstrap_over_seeds(few) != bootstrap_over_seeds(few, seed=1)
    low, high = bootstrap_over_seeds(few) or (0, 0)
    assert few.min() < low < few.mean() < high < few.max()


def test_interval_of_a_difference() -> None:
    """Newcombe 1998, Table II, (a) 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    found = difference_interval(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)
