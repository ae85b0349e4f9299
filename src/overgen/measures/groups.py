"""Shares of images that are alike within groups: classes, animals, letters."""

from __future__ import annotations

from typing import Any

import numpy as np

from overgen.measures.intervals import mean_interval, wilson
from overgen.run import results


def share_row(
    experiment: str,
    metric: str,
    hits: np.ndarray,
    groups: np.ndarray,
    *,
    over: str,
    model: str | None = None,
    tau: float | None = None,
) -> dict[str, Any]:
    """The mean over groups of the share of images that are hits, in percent, with an interval over the groups.

    hits: (N,) bool; groups: (N,), of which group each image is; over: what the groups are, in the plural.
    Where all groups have the same share Student's t interval has no width, so the interval is never narrower than
    Wilson's over all images.
    """
    names = np.unique(groups)
    rates = np.array([100 * hits[groups == name].mean() for name in names])
    low, high = (100 * end for end in wilson(int(hits.sum()), len(hits)))
    ends = [low, high, *(mean_interval(rates, bounds=(0, 100)) or ())]
    return results.row(
        experiment, metric, float(rates.mean()), unit="percent", n=len(hits), tau=tau,
        interval=(min(ends), max(ends)), model=model,
        kind=f"95 % t interval over {len(names)} {over}, no narrower than Wilson over all images",
    )  # fmt: skip
