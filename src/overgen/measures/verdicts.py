"""What measured numbers say of reported ones.

Two numbers that are measured well enough always differ. So a verdict asks whether they differ by more than matters: by
more than the band of practical equality of their metric (`report.bands` in params.yaml). It is the logic of an
equivalence test (two one-sided tests, Schuirmann 1987) with the 95 % interval of the difference, each side at 2.5 %.
The bands were set when the study's numbers were known, but before a verdict was computed with them; only that a band
is never narrower than a unit of the last printed digit was added after a first look at the verdicts.


    the whole interval inside the band      reproduced
    the whole interval above, or below, it  differs (higher), differs (lower)
    anything else                           cannot tell: too few trials, images or subsets to say

The band may be wider or narrower than the interval. Where it is narrower nothing can be reproduced, only differ; and
where a difference straddles its edge, more trials would tell. A wider interval never turns "cannot tell" into one of
the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from overgen.measures.bands import half_width
from overgen.measures.intervals import Interval, deviation_interval, difference_interval, wilson

# Metrics that are k of n, in percent: both sides get a Wilson interval.
RATES = frozenset(
    {"fooling_rate", "thresholded_accuracy", "test_accuracy", "known_accuracy", "test_error", "train_error"}
)
# Every verdict begins with one of these, in the order in which a report counts them.
VERDICTS = (
    "reproduced",
    "differs (higher)",
    "differs (lower)",
    "agrees at reduced budget",
    "differs at reduced budget (higher)",
    "differs at reduced budget (lower)",
    "cannot tell",
    "not testable",
)


def judge(difference: Interval, band: float) -> str:
    """Where the interval of a difference lies: "equal" inside [−band, band], "higher", "lower", or "open".

    difference: (low, high) of measured − reported; band: half its width, at least 0; both in one unit.
    Raises ValueError for a band below 0 and for an interval that is none.
    """
    low, high = difference
    if not band >= 0 or not low <= high:
        raise ValueError(f"band {band}, interval {difference}: a band is at least 0, and low at most high")
    if low > band:
        return "higher"
    if high < -band:
        return "lower"
    return "equal" if -band <= low and high <= band else "open"


def reported_interval(
    metric: str,
    reported: float,
    *,
    n: int | None,
    rounding: float = 0.0,
    measured: tuple[float, float, float, int] | None = None,
) -> Interval:
    """The interval of a number that a paper gives without one.

    metric: its name; reported: the number, in percent for a rate.
    n: the trials, images or subsets behind it; None where the paper does not state them.
    rounding: half a unit of the last printed digit.
    measured: the measured value, its low, high and n.
    A rate in percent is k of its `n` (200 trials, 10,000 test images): Wilson. A mean over `n` (fooled trials, class
    subsets) has no deviation in the papers: the spread of the measured one is taken for it too, its width scaled by the
    square root of the counts. A deviation over `n` subsets has its χ² interval. Otherwise only the rounding of the
    printed number is left.
    Returns (low, high), in the unit of the number.
    """
    low, high = reported - rounding, reported + rounding
    if metric.split("@")[0] in RATES:
        if n is not None:
            rate_low, rate_high = wilson(round(reported / 100 * n), n)
            low, high = min(low, 100 * rate_low), max(high, 100 * rate_high)
        return max(low, 0.0), min(high, 100.0)
    if metric.split("@")[0].endswith("_deviation"):
        if n is not None:
            spread_low, spread_high = deviation_interval(reported, n)
            low, high = min(low, spread_low), max(high, spread_high)
    elif n is not None and measured is not None:
        value, measured_low, measured_high, measured_n = measured
        scale = math.sqrt(measured_n / n)
        low = min(low, reported - scale * (value - measured_low))
        high = max(high, reported + scale * (measured_high - value))
    return low, high


def verdict(
    metric: str,
    reported: float | None,
    reproduced: float | None,
    low: float | None,
    high: float | None,
    *,
    band: float | str,
    at_paper_budget: bool,
    reported_n: int | None = None,
    reproduced_n: int | None = None,
    rounding: float = 0.0,
    prediction: bool = False,
) -> str:
    """What a measured number says about the reported one (protocol §8, §11).

    metric: its name.
    reported, reproduced, low, high: the reported number, the measured one and its interval, in one unit (percent for
        rates).
    band: of practical equality, see `half_width`; it is never narrower than a unit of the last printed digit.
    at_paper_budget: whether the measurement spent what the papers did.
    reported_n: trials, images or subsets behind the reported number, None where not stated.
    reproduced_n: the same of the measured one.
    rounding: half a unit of the last printed digit.
    prediction: [low, high] already says where a further run falls (t prediction interval over seeds), so the reported
        number counts as a point.
    Returns "" without a reported number. At the papers' budget "reproduced" or "differs (higher)" or "(lower)"; below
    it "agrees at reduced budget" or "differs at reduced budget (higher)" or "(lower)"; "cannot tell" at either. "not
    testable: why" where there is no measured number, or no interval on either side.
    Both accuracies are over the same test images and are compared as if they were not: this leans to "cannot tell".
    """
    if reported is None:
        return ""
    if reproduced is None:
        if metric.split("@")[0] == "mean_steps_to_fool":
            return "not testable: no trial was fooled, so there is no mean"
        return "not testable: the measurement gave no number"
    measured_range = None if low is None or high is None else (low, high)
    spread = None if measured_range is None or reproduced_n is None else (reproduced, *measured_range, reproduced_n)
    reported_range = reported_interval(
        metric, reported, n=None if prediction else reported_n, rounding=rounding, measured=spread
    )
    if measured_range is None and reported_range[1] - reported_range[0] <= 2 * rounding * (1 + 1e-9):
        return "not testable: neither number has an interval"
    difference = difference_interval(reproduced, measured_range or (reproduced, reproduced), reported, reported_range)
    side = judge(difference, max(half_width(band, reported), 2 * rounding))
    if side == "open":
        return "cannot tell"
    if side == "equal":
        return "reproduced" if at_paper_budget else "agrees at reduced budget"
    return f"differs ({side})" if at_paper_budget else f"differs at reduced budget ({side})"


def claim_verdict(sign: int, numbers: Sequence[str], *, at_paper_budget: bool, refuted: bool = False) -> str:
    """Verdict of a claimed ordering "a is smaller than b".

    sign: of a - b by `differs`.
    numbers: the verdicts of a and b.
    at_paper_budget: whether both were measured at the papers' budget.
    refuted: the reported a - b lies outside the interval of the measured one.
    "reproduced" needs both numbers; where only the order holds it is "direction only", and a reduced budget is said. An
    order of which a number cannot be compared with the paper's cannot be compared either. One that the intervals do
    not settle is "cannot tell", unless it is refuted.
    """
    if without := next((text for text in numbers if text.startswith("not testable")), ""):
        return without.partition(" (")[0]
    if sign == 0 and refuted:
        return "no such difference" if at_paper_budget else "no such difference at reduced budget"
    if sign == 0:
        return "cannot tell: the intervals do not separate the two"
    if not at_paper_budget:
        return "direction agrees at reduced budget" if sign < 0 else "direction differs at reduced budget"
    if sign > 0:
        return "reversed"
    return "reproduced" if all(text == "reproduced" for text in numbers) else "direction only"


def by_chance(verdicts: Sequence[str], level: float = 0.95) -> tuple[int, int, float]:
    """How many verdicts rest on an interval, how many of them are of a difference, and how many may be by chance.

    level: of the intervals. Of m numbers that equal the reported ones, m · (1 − level) would be called different on
    average if the bands had no width; with a band fewer, so it is a bound. It is one for what the intervals are over:
    that every network was trained once is in none of them.
    """
    judged = [text for text in verdicts if text and not text.startswith("not testable")]
    different = sum(text.startswith("differs") for text in judged)
    return len(judged), different, (1 - level) * len(judged)
