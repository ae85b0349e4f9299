"""Rows of a cell that are means: over problems (classes, class subsets), and over seeds; each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overgen.measures.intervals import Interval, mean_interval, prediction_interval
from overgen.run import results


def mean_row(
    experiment: str,
    metric: str,
    values: np.ndarray,
    *,
    unit: str,
    over: str,
    bounds: Interval | None = None,
    mean: float | None = None,
    tau: float | None = None,
    note: str = "",
) -> dict[str, Any]:
    """A mean over problems, with Student's t interval; there is none for one problem.

    experiment, metric: names of the row.
    values: (n,), one number a problem, in `unit`; finite.
    over: what the problems are, in the plural: "subsets".
    bounds: the range of the quantity, in `unit`; the interval is cut there.
    mean: of the values, where the caller rounds it otherwise than `values.mean()` does.
    tau: the threshold on ỹ that the values are at, in [0, 1); None if they are at none.
    """
    return results.row(
        experiment,
        metric,
        float(values.mean()) if mean is None else mean,
        unit=unit,
        n=len(values),
        tau=tau,
        interval=mean_interval(values, bounds=bounds),
        kind=f"95 % t interval of the mean over {over}",
        note=note,
    )


def seeds_row(
    experiment: str,
    metric: str,
    values: Sequence[float],
    *,
    unit: str,
    n: int,
    bounds: Interval | None = None,
    tau: float | None = None,
) -> dict[str, Any]:
    """A mean over seeds, with the t prediction interval, where one more seed would fall; there is none for one seed.

    experiment, metric: names of the row.
    values: one number a seed, in `unit`; finite.
    n: images or points behind each of them.
    bounds, tau: as in `mean_row`.
    """
    return results.row(
        experiment,
        metric,
        float(np.mean(values)),
        unit=unit,
        n=n,
        tau=tau,
        interval=prediction_interval(values, bounds=bounds),
        kind=f"95 % t prediction interval over {len(values)} seeds",
        note="seed spread not measured" if len(values) == 1 else "",
    )
