"""Mean updates until trials fool: intervals for trials that are alike within their class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overgen.measures.intervals import mean_interval
from overgen.measures.steps import interval_over_groups, steps_row


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


def test_by_hand() -> None:
    """Sums 4 and 12 of 2 and 1 trials: mean 16/3, residuals 4 − 32/3 and 12 − 16/3."""
    low, high = interval_over_groups([1, 3, 12], ["a", "a", "b"]) or (0, 0)
    half = 12.7062047 * np.sqrt(2 * (2 * (20 / 3) ** 2)) / 3
    assert (low, high) == pytest.approx((16 / 3 - half, 16 / 3 + half))


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0, 2.0]], [1.0]])
def test_what_has_no_interval_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite values, each with its group"):
        interval_over_groups(values, [0, 1])


def row(steps: list[float], classes: list[int]) -> dict[str, object]:
    return steps_row("fgn", "mean_steps_to_fool", pd.Series(steps, dtype="Int64"), pd.Series(classes), tau=0.9)


def test_a_row_says_what_its_interval_is_over() -> None:
    found = row([10, 20, 60, 70], [0, 0, 1, 1])
    assert (found["reproduced"], found["n"], found["low"], found["note"]) == (40, 4, 0, "")  # no step is below 0
    assert found["interval"] == "95 % t interval of the mean over fooled trials, drawn by class: 2 classes"
    one = row([10, 20], [3, 3])
    assert (one["low"], one["interval"], one["note"]) == (None, "none", "all that fooled are of one class")
    none = row([], [])
    assert (none["reproduced"], none["n"], none["note"]) == (None, 0, "no trial was fooled")
