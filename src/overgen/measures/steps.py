"""Mean updates until trials fool, with an interval for trials that are alike within their target class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from overgen.measures.intervals import Interval
from overgen.run import results


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


def steps_row(
    experiment: str, metric: str, steps: pd.Series, classes: pd.Series, *, tau: float | None = None
) -> dict[str, Any]:
    """The mean updates over fooled trials as a row of a cell.

    steps: (n,) updates until a trial fooled; classes: (n,) its target class. How many updates a trial needs hangs on
    its class more than on anything else, so that the interval of independent trials is several times too narrow. There
    is none where all that fooled are of one class.
    """
    updates = steps.to_numpy(dtype=np.float64)
    groups = classes.nunique()
    interval = interval_over_groups(updates, classes.to_numpy()) if groups > 1 else None
    return results.row(
        experiment,
        metric,
        float(updates.mean()) if len(updates) else None,
        unit="updates",
        n=len(updates),
        tau=tau,
        interval=interval and (max(interval[0], 0.0), interval[1]),
        kind=f"95 % t interval of the mean over fooled trials, drawn by class: {groups} classes",
        note=("no trial was fooled", "all that fooled are of one class")[groups] if groups < 2 else "",
    )
