"""Verdicts on reported numbers, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overgen.measures.bands import half_width
from overgen.measures.intervals import deviation_interval, differs, wilson
from overgen.measures.verdicts import VERDICTS, by_chance, claim_verdict, judge, reported_interval, verdict

ends = st.floats(-1e3, 1e3)
widths = st.floats(0, 1e3)
bands = st.floats(0, 500)
DECIDED = {"equal", "higher", "lower"}


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


@pytest.mark.parametrize(
    ("difference", "side"),
    [
        ((-1, 1), "equal"),
        ((-5, 5), "equal"),  # the band's own ends belong to it
        ((6, 9), "higher"),
        ((-9, -6), "lower"),
        ((4, 9), "open"),  # it straddles an end
        ((-9, 9), "open"),  # wider than the band
        ((5, 9), "open"),
    ],
)
def test_where_the_interval_of_a_difference_lies(difference: tuple[float, float], side: str) -> None:
    assert judge(difference, 5) == side


@given(ends, widths, bands)
def test_the_other_way_round_is_the_mirror_image(low: float, width: float, band: float) -> None:
    mirror = {"higher": "lower", "lower": "higher"}
    side = judge((low, low + width), band)
    assert judge((-low - width, -low), band) == mirror.get(side, side)


@given(ends, widths, bands, st.floats(0, 100), st.floats(0, 100))
def test_a_wider_interval_decides_nothing_new(low: float, width: float, band: float, left: float, right: float) -> None:
    """What it cannot tell it cannot tell when it is wider either, and what it still tells is the same."""
    side, wider = judge((low, low + width), band), judge((low - left, low + width + right), band)
    assert wider in {side, "open"}


@given(ends, widths, bands, st.floats(0, 100))
def test_a_wider_band_only_makes_more_equal(low: float, width: float, band: float, more: float) -> None:
    """A difference outside the wider band was outside the narrower one; what was equal stays so."""
    side, wider = judge((low, low + width), band), judge((low, low + width), band + more)
    if side == "equal":
        assert wider == "equal"
    if wider in {"higher", "lower"}:
        assert side == wider


@given(ends, widths, bands, st.floats(0, 100))
def test_a_larger_difference_is_never_lower(low: float, width: float, band: float, shift: float) -> None:
    order = {"lower": 0, "equal": 1, "open": 1, "higher": 2}
    assert order[judge((low + shift, low + shift + width), band)] >= order[judge((low, low + width), band)]


@pytest.mark.parametrize(("difference", "band"), [((0, 1), -1), ((1, 0), 1), ((math.nan, 1), 1), ((0, 1), math.nan)])
def test_what_is_no_interval_or_band_is_refused(difference: tuple[float, float], band: float) -> None:
    with pytest.raises(ValueError, match="a band is at least 0"):
        judge(difference, band)


def test_bands_are_absolute_or_a_share_of_the_reported_number() -> None:
    assert half_width(5, 34.5) == 5
    assert half_width("25 %", 200.0) == 50
    assert half_width("0.5%", 200.0) == 1
    for wrong in ("25", "a %", "-5 %", "% 5"):
        with pytest.raises(ValueError, match="give a number in the metric's unit"):
            half_width(wrong, 1.0)


def test_reported_interval() -> None:
    low, high = reported_interval("fooling_rate", 34.5, n=200)
    assert (round(low, 1), round(high, 1)) == (28.3, 41.3)
    assert reported_interval("mean_bce", 0.105, n=None, rounding=0.0005) == pytest.approx((0.1045, 0.1055))
    # A mean over four times as many trials: half the width, on either side.
    assert reported_interval("mean_steps_to_fool", 60.0, n=200, measured=(50, 46, 56, 50)) == pytest.approx((58, 63))
    assert reported_interval("train_error", 0.0, n=None, rounding=0.5) == (0, 0.5)  # no rate is below 0
    assert reported_interval("f_measure_deviation@known=2", 0.02, n=10) == pytest.approx(deviation_interval(0.02, 10))


def rate_verdict(k: int, *, reported: float = 34.5, paper: bool = True, band: float = 5, n: int = 200) -> str:
    low, high = wilson(k, n)
    return verdict("fooling_rate", reported, 100 * k / n, 100 * low, 100 * high, band=band, at_paper_budget=paper,
                   reported_n=200, reproduced_n=n)  # fmt: skip


def test_verdicts_of_a_fooling_rate() -> None:
    assert rate_verdict(69) == "cannot tell"  # 200 trials a side tell ±9 points, not ±5
    assert rate_verdict(69, band=10) == "reproduced"
    assert rate_verdict(120) == "differs (higher)"
    assert rate_verdict(10) == "differs (lower)"
    assert rate_verdict(69, paper=False, band=10) == "agrees at reduced budget"
    assert rate_verdict(120, paper=False) == "differs at reduced budget (higher)"
    assert rate_verdict(10, paper=False) == "differs at reduced budget (lower)"
    assert rate_verdict(69, paper=False) == "cannot tell"
    assert rate_verdict(200, reported=100) == "reproduced"
    assert rate_verdict(0, reported=0) == "reproduced"
    assert rate_verdict(0, reported=0, n=20) == "cannot tell"  # none of 20 may be 16 %


@given(st.integers(0, 200), st.sampled_from([0.0, 4.5, 34.5, 99.0, 100.0]), st.floats(0, 30))
def test_a_reduced_budget_never_says_reproduced(k: int, reported: float, band: float) -> None:
    full, reduced = (rate_verdict(k, reported=reported, band=band, paper=paper) for paper in (True, False))
    assert full in VERDICTS
    assert reduced in VERDICTS
    assert "reproduced" not in reduced
    assert (full == "reproduced") == (reduced == "agrees at reduced budget")
    assert (full == "cannot tell") == (reduced == "cannot tell")
    assert full.endswith("(higher)") == reduced.endswith("(higher)")


@given(st.floats(0, 100), st.floats(0.1, 99.9), st.floats(0, 20), st.floats(0, 20), st.floats(0, 10), st.floats(0, 10))
def test_less_certain_numbers_tell_no_more(
    measured: float, reported: float, low: float, high: float, left: float, right: float
) -> None:
    def of(low: float, high: float) -> str:
        return verdict("error", reported, measured, measured - low, measured + high, band=5, at_paper_budget=True)

    assert of(low + left, high + right) in {of(low, high), "cannot tell"}


def test_verdict_of_accuracies() -> None:
    def of(value: float, n: int = 10_000, **more: Any) -> str:
        low, high = wilson(round(value * n / 100), n)
        return verdict("thresholded_accuracy", 99.35, value, 100 * low, 100 * high, band=0.5, at_paper_budget=True,
                       reported_n=n, **more)  # fmt: skip

    assert of(99.30) == "reproduced"
    assert of(98.9) == "cannot tell"
    assert of(98.0) == "differs (lower)"
    assert of(99.30, 1_000) == "cannot tell"
    # A prediction interval over seeds already says where another run falls.
    one = {"band": 0.2, "at_paper_budget": True, "reported_n": 10_000, "prediction": True}
    assert verdict("test_accuracy", 99.35, 99.3, 99.25, 99.36, **one) == "reproduced"
    assert verdict("test_accuracy", 99.35, 99.2, 99.0, 99.36, **one) == "cannot tell"
    assert verdict("test_accuracy", 99.35, 99.0, 98.9, 99.1, **one) == "differs (lower)"


def test_no_number_is_reproduced_more_closely_than_it_is_printed() -> None:
    """ "0" may be 0.4: a band of half a unit is one of a whole unit."""
    common = {"low": 0.0, "high": 0.01, "at_paper_budget": True, "rounding": 0.5}
    assert verdict("train_error", 0.0, 0.0, band=0.5, **common) == "reproduced"  # type: ignore[arg-type]
    assert verdict("train_error", 0.0, 0.0, band=0.5, **(common | {"high": 0.6})) == "reproduced"  # type: ignore[arg-type]
    assert verdict("train_error", 0.0, 0.0, band=0.5, **(common | {"high": 1.6})) == "cannot tell"  # type: ignore[arg-type]


def test_verdict_without_one_of_the_numbers() -> None:
    def of(metric: str, reported: float | None, measured: float | None, **more: Any) -> str:
        return verdict(metric, reported, measured, None, None, band=5, at_paper_budget=True, **more)

    assert verdict("fooling_rate", None, 3.0, 1.0, 5.0, band=5, at_paper_budget=True) == ""
    missing = of("mean_steps_to_fool", 238.8, None, reported_n=69)
    assert missing == "not testable: no trial was fooled, so there is no mean"
    assert of("std_bce", 0.036, None).startswith("not testable: ")
    assert of("std_bce", 0.036, 0.04, rounding=0.0005).startswith("not testable: ")


def test_verdict_of_a_mean_uses_both_counts() -> None:
    def of(reported_n: int | None) -> str:
        return verdict("mean_steps_to_fool", 313.4, 200.0, 180.0, 220.0, band="25 %", at_paper_budget=True,
                       reported_n=reported_n, reproduced_n=200, rounding=0.05)  # fmt: skip

    # 313.4 over 9 fooled trials is much less certain than over 180.
    assert of(180) == "differs (lower)"
    assert of(9) == "cannot tell"
    assert of(None) == "differs (lower)"


def test_claims() -> None:
    assert claim_verdict(-1, ["reproduced", "reproduced"], at_paper_budget=True) == "reproduced"
    assert claim_verdict(-1, ["reproduced", "differs (lower)"], at_paper_budget=True) == "direction only"
    assert claim_verdict(-1, ["reproduced", "cannot tell"], at_paper_budget=True) == "direction only"
    assert claim_verdict(1, ["reproduced", "reproduced"], at_paper_budget=True) == "reversed"
    assert claim_verdict(-1, [], at_paper_budget=False) == "direction agrees at reduced budget"
    assert claim_verdict(1, [], at_paper_budget=False) == "direction differs at reduced budget"
    assert claim_verdict(0, [], at_paper_budget=True).startswith("cannot tell")
    assert claim_verdict(0, [], at_paper_budget=True, refuted=True) == "no such difference"
    assert claim_verdict(0, [], at_paper_budget=False, refuted=True) == "no such difference at reduced budget"
    unknown = ["reproduced", "not testable: what y is (they are two)"]
    assert claim_verdict(-1, unknown, at_paper_budget=True) == "not testable: what y is"


@given(st.lists(st.sampled_from([*VERDICTS, "not testable: why", ""])))
def test_how_many_differences_chance_alone_may_make(verdicts: list[str]) -> None:
    judged, different, chance = by_chance(verdicts)
    assert different <= judged <= len(verdicts)
    assert chance == pytest.approx(0.05 * judged)
    assert by_chance([*verdicts, "not testable: why", ""]) == (judged, different, chance)
    assert by_chance([*verdicts, "differs (lower)"])[:2] == (judged + 1, different + 1)


def test_equal_numbers_differ_by_chance_no_more_often_than_said() -> None:
    """Two rates of 200 trials each from one truth: without a band at most 5 % are called different, with one fewer."""
    draw = np.random.default_rng(1)
    truth, pairs = 0.3, 2_000
    counts = draw.binomial(200, truth, (pairs, 2))
    for band, most in ((0.0, 0.06), (5.0, 0.01)):
        found = [rate_verdict(int(k), reported=float(r) / 2, band=band) for k, r in counts]
        assert np.mean([text.startswith("differs") for text in found]) <= most
