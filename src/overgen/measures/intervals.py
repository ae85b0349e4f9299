"""Intervals and verdicts: what a measured number says about a reported one.

Every interval is two-sided. Nothing here draws from a global random state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special  # scipy.stats, whose numbers these are, takes every stage a second to import

Interval = tuple[float, float]


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a rate (Wilson 1927).

    k: successes; n: trials; level: of the interval, in (0, 1).
    It stays inside [0, 1] and has a width at k = 0 and k = n: 0 of 200 gives (0, 0.019).
    Returns (low, high), fractions. Raises ValueError unless n >= 1, 0 <= k <= n and 0 < level < 1.
    """
    _check_level(level)
    if n < 1:
        raise ValueError(f"a rate needs at least one trial: n = {n}")
    if not 0 <= k <= n:
        raise ValueError(f"k = {k} successes of n = {n} trials: k must lie in 0..n")
    z = float(special.ndtri(0.5 + level / 2))
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

    values: (n,), one number a class subset or fooled trial, finite.
    level: of the interval, in (0, 1).
    bounds: the range of the quantity, e.g. (0, 1) for an F-measure; the interval is cut there.
    Returns (low, high), in the unit of the values. Raises ValueError on an empty, non-finite or not one-dimensional
    input.
    """
    return _t_interval(values, level, bounds, lambda n: math.sqrt(1 / n))


def prediction_interval(
    values: Sequence[float] | np.ndarray, level: float = 0.95, bounds: Interval | None = None
) -> Interval | None:
    """Student's t prediction interval: where one further seed is expected to fall; None for one value.

    values: (n,), one number a seed, finite.
    level, bounds: as in `mean_interval`, as are what is returned and the errors.
    A reported number is one run, so it is compared with this and not with the interval of the mean.
    """
    return _t_interval(values, level, bounds, lambda n: math.sqrt(1 + 1 / n))


def interval_over_groups(values: Sequence[float] | np.ndarray, groups: Sequence[Any] | np.ndarray) -> Interval | None:
    """95 % t interval of the mean of all values, where values of one group are alike; None for one group.

    values: (n,), finite; groups: (n,), what they share, such as a target class.
    Groups, not values, are what is drawn. The mean Σ S_g / Σ n_g, with S_g the sum and n_g the size of a group, is a
    ratio, with the variance G/(G−1) · Σ (S_g − mean · n_g)² / (Σ n_g)² of G groups and G − 1 degrees of freedom
    (Cochran 1977, chapter 6). With groups of equal sizes it is Student's interval of the mean of their means. A
    bootstrap of whole groups would be too narrow for as few as ten.
    Returns (low, high), in the unit of the values. Raises ValueError on an empty, non-finite or not one-dimensional
    input, and where the groups are not as many as the values.
    """
    array, names = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if array.ndim != 1 or array.size == 0 or array.shape != names.shape or not np.isfinite(array).all():
        raise ValueError(f"an interval needs finite values, each with its group: {array.shape} and {names.shape}")
    _, place = np.unique(names, return_inverse=True)
    sizes, sums = np.bincount(place), np.bincount(place, weights=array)
    count, mean = len(sizes), float(array.mean())
    if count < 2:
        return None
    spread = math.sqrt(count / (count - 1) * float(((sums - mean * sizes) ** 2).sum())) / len(array)
    half = float(special.stdtrit(count - 1, 0.975)) * spread
    return mean - half, mean + half


def deviation_interval(deviation: float, n: int) -> Interval:
    """95 % χ² interval of a standard deviation of n independent, normal values.

    deviation: with n − 1 in the denominator, at least 0; n: at least 2.
    Of 5 values the interval goes from 0.6 to 2.9 times the deviation. Returns (low, high), in its unit. Raises
    ValueError for a negative deviation and for fewer than two values.
    """
    if not deviation >= 0 or n < 2:
        raise ValueError(f"a deviation of {deviation} over {n} values: it is at least 0, of at least 2")
    scaled = deviation * math.sqrt(n - 1)
    return scaled / math.sqrt(special.chdtri(n - 1, 0.025)), scaled / math.sqrt(special.chdtri(n - 1, 0.975))


def bootstrap_over_seeds(
    values: Sequence[float] | np.ndarray, level: float = 0.95, *, resamples: int = 10_000, seed: int = 0
) -> Interval | None:
    """Percentile bootstrap of a mean whose trials share a network: whole seeds are drawn; None for one seed.

    values: (S,), one number a seed, or (S, ...), outcomes of each seed; finite.
    level: of the interval, in (0, 1); resamples: how many draws of S seeds.
    seed: of the draws, so that the same input gives the same interval.
    Returns (low, high), in the unit of the values. Raises ValueError on an empty or non-finite input.
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


def median_interval(
    values: np.ndarray, groups: np.ndarray, *, resamples: int = 10_000, seed: int = 0
) -> Interval | None:
    """95 % percentile bootstrap of the median of all values, drawing whole groups of rows; None for one group.

    values: (R, C), infinite where an event never came; groups: (R,), which rows belong together, of equal sizes.
    """
    names = np.unique(groups)
    if len(names) < 2:
        return None
    blocks = np.stack([values[groups == name].ravel() for name in names])  # (groups, values of each)
    draws = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    medians = np.median(blocks[draws].reshape(resamples, -1), axis=1)
    # a quantile that is one of the medians: interpolating towards infinity gives NaN
    low, high = np.quantile(medians, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def differs(first: float, first_interval: Interval | None, second: float, second_interval: Interval | None) -> int:
    """Sign of first - second where their intervals say that they differ, else 0.

    first, second: two numbers in one unit; first_interval, second_interval: (low, high) of each, or None for a point.
    The interval of the difference is put together from the two intervals (Newcombe 1998, method 10, for
    rates; the same construction for any two): two 95 % intervals may overlap a little and still differ at the
    5 % level, so overlap alone is not asked.
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
    """The interval of first - second, put together from the intervals of both (Newcombe 1998, method 10).

    first, second: two numbers in one unit; first_interval, second_interval: (low, high) of each.
    Returns (low, high), in that unit.
    """
    difference = first - second
    low = math.hypot(first - first_interval[0], second_interval[1] - second)
    high = math.hypot(first_interval[1] - first, second - second_interval[0])
    return difference - low, difference + high


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
    half = float(special.stdtrit(n - 1, 0.5 + level / 2) * array.std(ddof=1)) * width(n)
    low, high = mean - half, mean + half
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return low, high


def stratified_mean(groups: Sequence[np.ndarray], bounds: Interval) -> tuple[float, Interval | None]:
    """The mean of the groups' means, and its 95 % t interval; None in its place if no group has two values.

    groups: (n,) values of each group, finite; bounds: the range of the quantity, where the interval is cut.
    Variances are pooled as Σ s²/n over the groups, with Satterthwaite's degrees of freedom; a group of one value says
    nothing of its spread and is taken to have the others' mean variance.
    """
    means = np.array([group.mean() for group in groups])
    spread = np.array([group.var(ddof=1) if len(group) > 1 else np.nan for group in groups])
    value = float(means.mean())
    if np.isnan(spread).all():
        return value, None
    counts = np.array([len(group) for group in groups])
    parts = np.where(np.isnan(spread), np.nanmean(spread), spread) / counts
    several = counts > 1
    weight = (parts[several] ** 2 / (counts[several] - 1)).sum()
    freedom = parts[several].sum() ** 2 / weight if weight > 0 else float((counts[several] - 1).sum())
    half = float(special.stdtrit(freedom, 0.975)) * math.sqrt(parts.sum()) / len(groups)
    return value, (max(value - half, bounds[0]), min(value + half, bounds[1]))
