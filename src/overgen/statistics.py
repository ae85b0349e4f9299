"""Intervals and verdicts: what a measured number says about a reported one.

Every interval is two-sided. Nothing here draws from a global random state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

Interval = tuple[float, float]

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


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a rate: k successes of n trials; (low, high) as fractions in [0, 1].

    Wilson 1927; it stays inside [0, 1] and has a width at k = 0 and k = n: 0 of 200 gives (0, 0.019).
    Raises ValueError unless n >= 1, 0 <= k <= n and 0 < level < 1.
    """
    _check_level(level)
    if n < 1:
        raise ValueError(f"a rate needs at least one trial: n = {n}")
    if not 0 <= k <= n:
        raise ValueError(f"k = {k} successes of n = {n} trials: k must lie in 0..n")
    z = float(stats.norm.ppf(0.5 + level / 2))
    p = k / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exact at k = 0 and k = n; rounding would leave 1e-17 there.
    low = 0.0 if k == 0 else (centre - half) / scale
    high = 1.0 if k == n else (centre + half) / scale
    return low, high


def mean_interval(
    values: Sequence[float] | np.ndarray, level: float = 0.95, bounds: Interval | None = None
) -> Interval | None:
    """Student's t interval of the mean of independent values; None for one value.

    values: (n,) such as class subsets or fooled trials, finite. bounds: the range of the quantity, e.g. (0,
    1) for an F-measure; the interval is cut there. Raises ValueError on an empty, non-finite or not
    one-dimensional input.
    """
    return _t_interval(values, level, bounds, lambda n: math.sqrt(1 / n))


def prediction_interval(
    values: Sequence[float] | np.ndarray, level: float = 0.95, bounds: Interval | None = None
) -> Interval | None:
    """Student's t prediction interval: where one further seed is expected to fall; None for one value.

    A reported number is one run, so it is compared with this and not with the interval of the mean.
    values: (n,) one number per seed, finite. bounds: as in `mean_interval`.
    Raises ValueError on an empty, non-finite or not one-dimensional input.
    """
    return _t_interval(values, level, bounds, lambda n: math.sqrt(1 + 1 / n))


def bootstrap_over_seeds(
    values: Sequence[float] | np.ndarray, level: float = 0.95, *, resamples: int = 10_000, seed: int = 0
) -> Interval | None:
    """Percentile bootstrap of a mean whose trials share a network: whole seeds are drawn; None for one seed.

    values: (S,) one number per seed, or (S, ...) outcomes per seed, finite. seed: of the generator, so that
    the same input gives the same interval. Raises ValueError on an empty or non-finite input.
    """
    _check_level(level)
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"a bootstrap over seeds needs finite values, one row per seed: shape {array.shape}")
    means = array.reshape(len(array), -1).mean(axis=1)
    if len(means) < 2:
        return None
    draws = np.random.default_rng(seed).integers(len(means), size=(resamples, len(means)))
    low, high = np.quantile(means[draws].mean(axis=1), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def better_direction(metric: str, *, defended: bool) -> int:
    """+1 where a larger value is better, -1 where a smaller one is, 0 where neither is.

    metric: its name, with or without an `@` suffix. Rates and steps of an attack have a better side only for
    a network that is meant to resist it (`defended`): that a plain CNN is fooled less is a difference, not a
    merit.
    """
    name = metric.split("@")[0]
    if name in HIGHER_IS_BETTER or (defended and name in HIGHER_IS_BETTER_WHEN_DEFENDED):
        return 1
    if name in LOWER_IS_BETTER or (defended and name in LOWER_IS_BETTER_WHEN_DEFENDED):
        return -1
    return 0


def differs(first: float, first_interval: Interval | None, second: float, second_interval: Interval | None) -> int:
    """Sign of first - second where their intervals say that they differ, else 0.

    The interval of the difference is put together from the two intervals (Newcombe 1998, method 10, for
    rates; the same construction for any two): two 95 % intervals may overlap a little and still differ at the
    5 % level, so overlap alone is not asked. An interval of None counts as a point.
    """
    low, high = first_interval or (first, first)
    other_low, other_high = second_interval or (second, second)
    difference = first - second
    if difference > math.hypot(first - low, other_high - second):
        return 1
    if -difference > math.hypot(high - first, second - other_low):
        return -1
    return 0


def difference_interval(first: float, first_interval: Interval, second: float, second_interval: Interval) -> Interval:
    """The interval of first - second put together from theirs (Newcombe 1998, method 10)."""
    difference = first - second
    low = math.hypot(first - first_interval[0], second_interval[1] - second)
    high = math.hypot(first_interval[1] - first, second - second_interval[0])
    return difference - low, difference + high


def reported_interval(
    metric: str,
    reported: float,
    *,
    n: int | None,
    rounding: float = 0.0,
    measured: tuple[float, float, float, int] | None = None,
) -> Interval:
    """The interval of a number that a paper gives without one.

    A rate in percent is k of its `n` (200 trials, 10,000 test images): Wilson. A mean over `n` (fooled
    trials, class subsets) has no deviation in the papers: the spread of the `measured` (value, low, high, n)
    is taken for it too, its width scaled by the square root of the counts. Otherwise only the rounding of the
    printed number is left. rounding: half a unit of the last printed digit. Returns (low, high) in the unit
    of the number.
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

    metric: its name. reported, reproduced, low, high: in one unit (percent for rates). reported_n: trials,
    images or subsets behind the reported number, None where not stated. reproduced_n: the same of the
    measured one. rounding: half a unit of the last printed digit. prediction: [low, high] already says where
    a further run falls (t prediction interval over seeds), so the reported number counts as a point.
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
    own = None if low is None or high is None else (low, high)
    spread = None if own is None or reproduced_n is None else (reproduced, *own, reproduced_n)
    theirs = reported_interval(
        metric, reported, n=None if prediction else reported_n, rounding=rounding, measured=spread
    )
    if own is None and theirs[1] - theirs[0] <= 2 * rounding * (1 + 1e-9):
        return "not testable: neither number has an interval"
    sign = differs(reproduced, own, reported, theirs)
    if sign == 0:
        return "reproduced" if at_paper_budget else "agrees at reduced budget"
    better = sign == better_direction(metric, defended=defended)
    if at_paper_budget:
        return "better than reported" if better else "not reproduced"
    return "differs at reduced budget, better" if better else "differs at reduced budget"


def claim_verdict(sign: int, numbers: Sequence[str], *, at_paper_budget: bool, refuted: bool = False) -> str:
    """Verdict of a claimed ordering "a is smaller than b".

    sign: of a - b by `differs`. numbers: the verdicts of a and b. refuted: the reported a - b lies outside the
    interval of the measured one. "reproduced" needs both numbers; where only the order holds it is "direction only",
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


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: must lie between 0 and 1, e.g. 0.95")


def _t_interval(
    values: Sequence[float] | np.ndarray, level: float, bounds: Interval | None, width: Callable[[int], float]
) -> Interval | None:
    _check_level(level)
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"an interval needs a list of finite values: shape {array.shape}, {array.tolist()!r}")
    n = len(array)
    if n < 2:
        return None
    mean = float(array.mean())
    half = float(stats.t.ppf(0.5 + level / 2, n - 1) * array.std(ddof=1)) * width(n)
    low, high = mean - half, mean + half
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return low, high


def histograms(values: Mapping[str, np.ndarray], bins: int) -> pd.DataFrame:
    """How often each kind's values fall into `bins` equal bins from 0 to the largest of all.

    values: arrays of any shape, ≥ 0, by kind. Returns a row for each kind and bin: kind, low, high, count.
    """
    edges = np.linspace(0, max(float(array.max()) for array in values.values()), bins + 1)
    return pd.concat(
        [
            pd.DataFrame({"kind": kind, "low": edges[:-1], "high": edges[1:], "count": np.histogram(array, edges)[0]})
            for kind, array in values.items()
        ],
        ignore_index=True,
    )
