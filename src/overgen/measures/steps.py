"""Mean updates until trials fool, with an interval over target classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import interval_over_groups
from overgen.run import results


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
