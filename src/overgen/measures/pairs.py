"""Rows of a cell that are means over what several seeds' networks were shown, each with an interval for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overgen.measures.intervals import bootstrap_over_seeds, mean_interval
from overgen.run import results


def over_seeds_row(
    experiment: str,
    metric: str,
    values: Sequence[np.ndarray],
    *,
    unit: str,
    of: str,
    note: str = "",
    model: str | None = None,
) -> dict[str, Any]:
    """The mean over seeds of the mean of each, with the bootstrap interval over seeds.

    The interval is never narrower than Student's over all values: few seeds that agree say little. With one seed it is
    that alone. values: of each seed (N,), finite: numbers of the images, or differences of pairs; of: what they are,
    in the plural. There is no number where a seed has no value.
    """
    counts = [len(each) for each in values]
    if not counts or not min(counts):
        return results.row(experiment, metric, None, unit=unit, n=sum(counts), note=note, model=model)
    means = [float(np.mean(each)) for each in values]
    over_images = mean_interval(np.concatenate(values))
    ends = [*(over_images or ()), *(bootstrap_over_seeds(means) or ())]
    kind = f"95 % bootstrap over {len(means)} seeds, no narrower than Student's over all {of}"
    if len(means) == 1:
        kind = f"95 % t interval over {of}; seed spread not measured"
    return results.row(
        experiment, metric, float(np.mean(means)), unit=unit, n=sum(counts),
        interval=(min(ends), max(ends)) if ends else None, kind=kind, note=note, model=model,
    )  # fmt: skip
