"""Verdicts on reported numbers, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overgen.measures.intervals import (
    differs,
    wilson,
)
from overgen.measures.verdicts import VERDICTS, better_direction, claim_verdict, reported_interval, verdict


@given(st.integers(0, 200), st.integers(0, 200))
def test_rates_differ_roughly_as_fishers_test_says(first: int, second: int) -> None:
    def interval(k: int) -> tuple[float, float]:
        return wilson(k, 200)

    sign = differs(first / 200, interval(first), second / 200, interval(second))
    assert sign == -differs(second / 200, interval(second), first / 200, interval(first))
    p = stats.fisher_exact([[first, 200 - first], [second, 200 - second]]).pvalue
    if p < 0.01:
        assert sign == np.sign(first - second)
    if p > 0.15:
        assert sign == 0


def test_differs_finds_what_overlap_would_hide() -> None:
    # 3.0 % and 0.0 % of 200: the Wilson intervals overlap, the rates differ (p = 0.03).
    assert differs(0.03, wilson(6, 200), 0.0, wilson(0, 200)) == 1
    assert differs(2.0, None, 1.0, None) == 1
    assert differs(2.0, (0.0, 3.0), 1.0, None) == 0


def test_reported_interval() -> None:
    low, high = reported_interval("fooling_rate", 34.5, n=200)
    assert (round(low, 1), round(high, 1)) == (28.3, 41.3)
    assert reported_interval("mean_bce", 0.105, n=None, rounding=0.0005) == pytest.approx((0.1045, 0.1055))
    # A mean over four times as many trials: half the width, on either side.
    assert reported_interval("mean_steps_to_fool", 60.0, n=200, measured=(50, 46, 56, 50)) == pytest.approx((58, 63))


@pytest.mark.parametrize(
    ("metric", "defended", "direction"),
    [
        ("fooling_rate", True, -1),
        ("fooling_rate", False, 0),
        ("generations_to_0.9999", True, 1),
        ("generations_to_0.9999", False, 0),
        ("mean_steps_to_fool", True, 0),  # over fooled trials only: who resists more may have fewer
        ("f_measure@known=3", False, 1),
        ("thresholded_accuracy@alpha=2", True, 1),
        ("test_error", False, -1),
        ("gamma_positive_rate@test", True, 0),
    ],
)
def test_better_direction(metric: str, defended: bool, direction: int) -> None:
    assert better_direction(metric, defended=defended) == direction


def rate_verdict(k: int, *, reported: float = 34.5, paper: bool = True, defended: bool = True) -> str:
    low, high = wilson(k, 200)
    return verdict(
        "fooling_rate",
        reported,
        k / 2,
        100 * low,
        100 * high,
        at_paper_budget=paper,
        reported_n=200,
        reproduced_n=200,
        defended=defended,
    )


def test_verdicts_of_a_fooling_rate() -> None:
    assert rate_verdict(69) == "reproduced"
    assert rate_verdict(75) == "reproduced"
    assert rate_verdict(120) == "not reproduced"
    assert rate_verdict(10) == "better than reported"
    assert rate_verdict(10, defended=False) == "not reproduced"
    assert rate_verdict(69, paper=False) == "agrees at reduced budget"
    assert rate_verdict(120, paper=False) == "differs at reduced budget"
    assert rate_verdict(10, paper=False) == "differs at reduced budget, better"
    assert rate_verdict(200, reported=100) == "reproduced"
    assert rate_verdict(0, reported=0) == "reproduced"


@given(st.integers(0, 200), st.sampled_from([0.0, 4.5, 34.5, 99.0, 100.0]), st.booleans())
def test_a_reduced_budget_never_says_reproduced(k: int, reported: float, defended: bool) -> None:
    full = rate_verdict(k, reported=reported, defended=defended)
    reduced = rate_verdict(k, reported=reported, paper=False, defended=defended)
    assert full in VERDICTS
    assert reduced in VERDICTS
    assert "reproduced" not in reduced
    assert "reported" not in reduced
    assert (full == "reproduced") == reduced.startswith("agrees")
    assert ("better" in full) == ("better" in reduced)


def test_verdict_of_accuracies() -> None:
    def of(value: float, paper: bool = True) -> str:
        low, high = wilson(round(value * 100), 10_000)
        return verdict(
            "thresholded_accuracy",
            99.35,
            value,
            100 * low,
            100 * high,
            at_paper_budget=paper,
            reported_n=10_000,
        )

    assert of(99.30) == "reproduced"
    assert of(98.9) == "not reproduced"
    assert of(99.7) == "better than reported"
    # A prediction interval over seeds already says where another run falls.
    assert (
        verdict(
            "test_accuracy",
            99.35,
            99.2,
            99.0,
            99.36,
            at_paper_budget=True,
            reported_n=10_000,
            prediction=True,
        )
        == "reproduced"
    )
    assert (
        verdict("test_accuracy", 99.35, 99.2, 99.1, 99.3, at_paper_budget=True, reported_n=10_000, prediction=True)
        == "not reproduced"
    )


def test_verdict_without_one_of_the_numbers() -> None:
    assert verdict("fooling_rate", None, 3.0, 1.0, 5.0, at_paper_budget=True) == ""
    missing = verdict("mean_steps_to_fool", 238.8, None, None, None, at_paper_budget=True, reported_n=69)
    assert missing == "not testable: no trial was fooled, so there is no mean"
    assert verdict("std_bce", 0.036, None, None, None, at_paper_budget=True).startswith("not testable: ")
    assert verdict("std_bce", 0.036, 0.04, None, None, at_paper_budget=True, rounding=0.0005).startswith(
        "not testable: "
    )


def test_verdict_of_a_mean_uses_both_counts() -> None:
    def of(reported_n: int | None) -> str:
        return verdict(
            "mean_steps_to_fool", 313.4, 200.0, 180.0, 220.0, at_paper_budget=True,
            reported_n=reported_n, reproduced_n=200, rounding=0.05, defended=True,
        )  # fmt: skip

    # 313.4 over 9 fooled trials is much less certain than over 180.
    assert of(180) == "not reproduced"
    assert of(9) == "not reproduced"
    assert of(5) == "reproduced"
    assert of(None) == "not reproduced"


def test_claims() -> None:
    assert claim_verdict(-1, ["reproduced", "reproduced"], at_paper_budget=True) == "reproduced"
    assert claim_verdict(-1, ["reproduced", "not reproduced"], at_paper_budget=True) == "direction only"
    assert claim_verdict(1, ["reproduced", "reproduced"], at_paper_budget=True) == "not reproduced"
    assert claim_verdict(-1, [], at_paper_budget=False) == "direction agrees at reduced budget"
    assert claim_verdict(1, [], at_paper_budget=False) == "direction differs at reduced budget"
    assert claim_verdict(0, [], at_paper_budget=True).startswith("not testable")
    assert claim_verdict(0, [], at_paper_budget=True, refuted=True) == "not reproduced: no such difference"
    assert claim_verdict(0, [], at_paper_budget=False, refuted=True) == "no such difference at reduced budget"
