"""What measured numbers say of reported ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overgen.measures.intervals import Interval, differs, wilson

# Metrics that are k of n, in percent: both sides get a Wilson interval.
RATES = frozenset(
    {"fooling_rate", "thresholded_accuracy", "test_accuracy", "known_accuracy", "test_error", "train_error"}
)
# Which side is better. The last two measure an attack: they speak for a network only where it is meant to
# resist.
HIGHER_IS_BETTER = frozenset({"thresholded_accuracy", "test_accuracy", "known_accuracy", "f_measure", "auroc", "oscr"})
LOWER_IS_BETTER = frozenset({"test_error", "train_error", "mean_bce", "std_bce", "mean_reconstruction_distance"})
HIGHER_IS_BETTER_WHEN_DEFENDED = frozenset({"generations_to_0.9999", "mean_distortion"})
LOWER_IS_BETTER_WHEN_DEFENDED = frozenset({"fooling_rate", "median_confidence"})
# Every verdict begins with one of these, in the order in which a report counts them.
VERDICTS = (
    "reproduced",
    "better than reported",
    "not reproduced",
    "agrees at reduced budget",
    "differs at reduced budget, better",
    "differs at reduced budget",
    "not testable",
)


def better_direction(metric: str, *, defended: bool) -> int:
    """+1 where a larger value is better, -1 where a smaller one is, 0 where neither is.

    metric: its name, with or without an `@` suffix.
    defended: whether the network is meant to resist attacks. Rates and steps of an attack have a better side only for
        such a one: that a plain CNN is fooled less is a difference, not a merit.
    """
    name = metric.split("@")[0]
    if name in HIGHER_IS_BETTER or (defended and name in HIGHER_IS_BETTER_WHEN_DEFENDED):
        return 1
    if name in LOWER_IS_BETTER or (defended and name in LOWER_IS_BETTER_WHEN_DEFENDED):
        return -1
    return 0


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
    square root of the counts. Otherwise only the rounding of the printed number is left.
    Returns (low, high), in the unit of the number.
    """
    low, high = reported - rounding, reported + rounding
    if metric.split("@")[0] in RATES:
        if n is not None:
            rate_low, rate_high = wilson(round(reported / 100 * n), n)
            return min(low, 100 * rate_low), max(high, 100 * rate_high)
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
    at_paper_budget: bool,
    reported_n: int | None = None,
    reproduced_n: int | None = None,
    rounding: float = 0.0,
    prediction: bool = False,
    defended: bool = True,
) -> str:
    """What a measured number says about the reported one (protocol §8).

    metric: its name.
    reported, reproduced, low, high: the reported number, the measured one and its interval, in one unit (percent for
        rates).
    at_paper_budget: whether the measurement spent what the papers did.
    reported_n: trials, images or subsets behind the reported number, None where not stated.
    reproduced_n: the same of the measured one.
    rounding: half a unit of the last printed digit.
    prediction: [low, high] already says where a further run falls (t prediction interval over seeds), so the reported
        number counts as a point.
    defended: see `better_direction`.
    Returns "" without a reported number. At the papers' budget "reproduced", "not reproduced" or "better than
    reported"; below it "agrees at reduced budget", "differs at reduced budget" or "differs at reduced budget,
    better". "not testable: why" where there is no measured number, or no interval on either side.
    Both accuracies are over the same test images and are compared as if they were not: this leans to
    "agrees".
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
    sign = differs(reproduced, measured_range, reported, reported_range)
    if sign == 0:
        return "reproduced" if at_paper_budget else "agrees at reduced budget"
    better = sign == better_direction(metric, defended=defended)
    if at_paper_budget:
        return "better than reported" if better else "not reproduced"
    return "differs at reduced budget, better" if better else "differs at reduced budget"


def claim_verdict(sign: int, numbers: Sequence[str], *, at_paper_budget: bool, refuted: bool = False) -> str:
    """Verdict of a claimed ordering "a is smaller than b".

    sign: of a - b by `differs`.
    numbers: the verdicts of a and b.
    at_paper_budget: whether both were measured at the papers' budget.
    refuted: the reported a - b lies outside the interval of the measured one.
    "reproduced" needs both numbers; where only the order holds it is "direction only",
    and a reduced budget is said. An order that the intervals do not settle is "not testable", unless it is refuted.
    """
    if sign == 0 and refuted:
        return "not reproduced: no such difference" if at_paper_budget else "no such difference at reduced budget"
    if sign == 0:
        return "not testable: the intervals do not separate the two"
    if not at_paper_budget:
        return "direction agrees at reduced budget" if sign < 0 else "direction differs at reduced budget"
    if sign > 0:
        return "not reproduced"
    return "reproduced" if all(text == "reproduced" for text in numbers) else "direction only"
