"""Points of the averaged ROC curve, as the paper's were read off its Figure 5."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from overgen.run import results

RATES = (0.01, 0.05, 0.1, 0.2)  # false positive rates


def point_rows(roc: pd.DataFrame, problems: int) -> list[dict[str, Any]]:
    """The share of the class that is accepted where so much of the others is, of the score taken for the paper's.

    roc: of `summary.averaged_roc`; problems: how many it averages. A rate that is not on its grid gets no row.
    """
    rows = []
    for _, point in roc[roc["score"] == ""].iterrows():
        at = next((rate for rate in RATES if math.isclose(rate, point["fpr"], abs_tol=1e-9)), None)
        if at is None:
            continue
        rows.append(
            results.row(
                "one_class",
                results.metric("tpr", fpr=at),
                float(point["tpr"]),
                unit="fraction",
                n=problems,
                interval=None if math.isnan(point["low"]) else (float(point["low"]), float(point["high"])),
                kind="95 % t interval of the mean over classes",
            )
        )
    return rows
