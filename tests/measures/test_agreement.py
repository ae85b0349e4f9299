"""Agreement beyond chance, against libraries, worked examples and slower ways to the same numbers."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from overgen.measures.agreement import MISSING, cohens_kappa, krippendorffs_alpha
from overgen.measures.intervals import wilson

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): four observers, twelve units; 0 where none was made
OBSERVED = [[1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
            [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0]]  # fmt: skip


@given(PAIRS)
def test_kappa_is_scikit_learns_and_does_not_depend_on_names_or_sides(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    found = cohens_kappa(first, second)
    if len({*first.tolist(), *second.tolist()}) == 1:
        assert found is None
        return
    kappa, interval = found or pytest.fail("no κ")
    assert kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert -1 <= interval[0] <= kappa <= interval[1] <= 1
    assert interval[0] < interval[1]
    renamed = (["dcab"[i] for i in side] for side in (second, first))
    for other in (cohens_kappa(second, first), cohens_kappa(*renamed)):
        assert other == (pytest.approx(kappa), pytest.approx(interval))


def test_the_interval_of_kappa_holds_that_of_the_delta_method_and_wilsons() -> None:
    """By a numerical gradient of κ in the shares, which are multinomial, and their covariance."""
    counts = np.array([[40, 9, 3], [6, 25, 8], [1, 2, 30]])
    n = counts.sum()
    first, second = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))

    def of(shares: np.ndarray) -> float:
        square = shares.reshape(3, 3)
        expected = float(square.sum(1) @ square.sum(0))
        return float((square.trace() - expected) / (1 - expected))

    shares = counts.ravel() / n
    step = 1e-6 * np.eye(9)
    gradient = np.array([(of(shares + h) - of(shares - h)) / 2e-6 for h in step])
    spread = gradient @ (np.diag(shares) - np.outer(shares, shares)) @ gradient / n
    kappa, interval = cohens_kappa(first, second) or pytest.fail("no κ")
    assert kappa == pytest.approx(of(shares))
    expected = float(shares.reshape(3, 3).sum(1) @ shares.reshape(3, 3).sum(0))
    low, high = ((end - expected) / (1 - expected) for end in wilson(95, 124))
    half = 1.959964 * math.sqrt(spread)
    assert low < kappa - half  # either end comes from the other
    assert kappa + half > high
    assert interval == pytest.approx((low, kappa + half))


def test_the_interval_of_kappa_covers_where_that_of_large_samples_does_not() -> None:
    """Of 20 images on which two nearly always agree: 4 of 5 intervals of large samples would miss κ."""
    shares = np.array([0.94, 0.02, 0.01, 0.03])
    square = shares.reshape(2, 2)
    expected = square.sum(1) @ square.sum(0)
    kappa = (square.trace() - expected) / (1 - expected)
    held = [
        cohens_kappa(np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts))
        for counts in np.random.default_rng(0).multinomial(20, shares, 300)
    ]
    assert np.mean([found[1][0] <= kappa <= found[1][1] for found in held if found]) >= 0.93


def test_where_all_is_alike_the_interval_of_kappa_is_wilsons() -> None:
    same = np.repeat([0, 1], [3, 7])
    expected = 0.3**2 + 0.7**2
    assert cohens_kappa(same, same) == (1, pytest.approx(((wilson(10, 10)[0] - expected) / (1 - expected), 1)))
    assert cohens_kappa([], []) is None
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        cohens_kappa([1, 2], [1])


def test_alpha_of_a_worked_example() -> None:
    answers = np.where(np.array(OBSERVED).T == 0, MISSING, np.array(OBSERVED).T)
    alpha, interval, things = krippendorffs_alpha(answers)
    assert alpha == pytest.approx(0.743, abs=5e-4)
    assert interval is not None
    assert interval[0] < alpha < interval[1] <= 1
    assert things == 11  # the last unit has one observation
    assert krippendorffs_alpha(answers) == (alpha, interval, things)


@given(st.lists(st.lists(st.integers(MISSING, 2), min_size=3, max_size=3), min_size=1, max_size=15))
@settings(max_examples=50)
def test_alpha_is_one_minus_differing_pairs_within_things_against_all_pairs(answers: list[list[int]]) -> None:
    """Pair by pair, and whatever the order of judges and things."""
    within, pool = 0.0, []
    for thing in answers:
        made = [answer for answer in thing if answer != MISSING]
        if len(made) > 1:
            pool += made
            within += sum(a != b for a, b in permutations(made, 2)) / (len(made) - 1)
    alpha, interval, things = krippendorffs_alpha(np.array(answers), resamples=20)
    assert things == sum(sum(answer != MISSING for answer in thing) > 1 for thing in answers)
    if len(set(pool)) < 2:
        assert (alpha, interval) == (None, None)
        return
    between = sum(a != b for a, b in permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    assert alpha == pytest.approx(1 - within / len(pool) / between)
    assert (interval is None) == (within == 0)
    turned = krippendorffs_alpha(np.array(answers)[::-1, [2, 0, 1]], resamples=20)
    assert (turned[0], turned[2]) == (pytest.approx(alpha), things)


def test_answers_of_another_form_are_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        krippendorffs_alpha(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        krippendorffs_alpha(np.zeros(3, int))
