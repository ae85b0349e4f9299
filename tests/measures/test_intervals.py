"""Intervals against scipy's and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overgen.measures.intervals import (
    bootstrap_over_seeds,
    deviation_interval,
    difference_interval,
    interval_over_groups,
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


@pytest.mark.parametrize("values", [[10.0, 55.0, 90.0], [0.0, 20.0, 20.0, 95.0], [3.0, 1.0, 4.0, 1.0, 5.0]])
def test_bootstrap_is_the_quantiles_of_all_draws_of_seeds(values: list[float]) -> None:
    """Against every draw of so many seeds, each as likely, and against SciPy's percentile bootstrap."""
    found = bootstrap_over_seeds(values)
    means = np.sort([np.mean(draw) for draw in itertools.product(values, repeat=len(values))])
    exact = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    assert found == pytest.approx(exact, abs=1e-9)
    peer = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, random_state=1)
    assert found == pytest.approx(tuple(peer.confidence_interval), abs=1e-9)


@pytest.mark.parametrize(("seeds", "least", "most"), [(3, 0.68, 0.82), (5, 0.78, 0.91)])
def test_of_few_seeds_a_bootstrap_is_too_narrow(seeds: int, least: float, most: float) -> None:
    """What reports say of it: how often it holds the mean of which seeds are drawn, here rates from 0 to 1."""
    rates = np.random.default_rng(0).beta(2, 2, size=(400, seeds))
    found = [bootstrap_over_seeds(of, resamples=1000) or (0, 0) for of in rates]
    assert least < np.mean([low <= 0.5 <= high for low, high in found]) < most


def test_interval_of_a_difference() -> None:
    """Newcombe 1998, Table II, (a) 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    found = difference_interval(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(st.lists(st.lists(st.floats(1, 1e4), min_size=3, max_size=3), min_size=2, max_size=8))
def test_groups_of_equal_sizes_have_the_interval_of_their_means(groups: list[list[float]]) -> None:
    values, names = np.array(groups), np.repeat(np.arange(len(groups)), 3)
    found = interval_over_groups(values.ravel(), names)
    assert found == pytest.approx(mean_interval(values.mean(1)), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(st.floats(1, 1e4), st.integers(0, 3)), min_size=2), st.randoms())
def test_neither_order_nor_names_of_groups_matter(trials: list[tuple[float, int]], random: object) -> None:
    values, groups = zip(*trials, strict=True)
    found = interval_over_groups(values, groups)
    assert (found is None) == (len(set(groups)) == 1)
    random.shuffle(shuffled := list(trials))  # type: ignore[attr-defined]
    again = interval_over_groups([value for value, _ in shuffled], [f"class {group}" for _, group in shuffled])
    assert again == (None if found is None else pytest.approx(found, rel=1e-9, abs=1e-6))


def test_trials_that_are_alike_within_their_class_hold_the_mean_as_often_as_said() -> None:
    """Ten classes of 20 trials, most of the spread between classes: 95 % hold it, of the interval of trials few do."""
    draw = np.random.default_rng(0)
    classes = np.repeat(np.arange(10), 20)
    held = {"classes": 0, "trials": 0}
    for _ in range(600):
        steps = 100 + draw.normal(0, 30, 10)[classes] + draw.normal(0, 10, 200)
        for name, interval in (("classes", interval_over_groups(steps, classes)), ("trials", mean_interval(steps))):
            assert interval is not None
            held[name] += interval[0] <= 100 <= interval[1]
    assert held["classes"] / 600 == pytest.approx(0.95, abs=0.03)
    assert held["trials"] / 600 < 0.6


def test_an_interval_over_groups_by_hand() -> None:
    """Sums 4 and 12 of 2 and 1 trials: mean 16/3, residuals 4 − 32/3 and 12 − 16/3."""
    low, high = interval_over_groups([1, 3, 12], ["a", "a", "b"]) or (0, 0)
    half = 12.7062047 * np.sqrt(2 * (2 * (20 / 3) ** 2)) / 3
    assert (low, high) == pytest.approx((16 / 3 - half, 16 / 3 + half))


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0, 2.0]], [1.0]])
def test_groups_that_have_no_interval_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite values, each with its group"):
        interval_over_groups(values, [0, 1])


def test_a_deviation_has_the_interval_of_a_variance() -> None:
    low, high = deviation_interval(2.0, 5)
    assert (low, high) == pytest.approx(tuple(2 * math.sqrt(4 / stats.chi2.ppf(p, 4)) for p in (0.975, 0.025)))
    draws = np.random.default_rng(0).normal(0, 1, (4_000, 5)).std(axis=1, ddof=1)
    held = [deviation_interval(float(s), 5)[0] <= 1 <= deviation_interval(float(s), 5)[1] for s in draws]
    assert np.mean(held) == pytest.approx(0.95, abs=0.01)
    with pytest.raises(ValueError, match="at least 2"):
        deviation_interval(1.0, 1)
