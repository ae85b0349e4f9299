"""What `train_openset` says of the members that it trained: a table, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.means import mean_row


def members(labels: np.ndarray, subsets: Sequence[Any], trained: Sequence[dict[str, np.ndarray]]) -> pd.DataFrame:
    """A row for each member: known, subset, classes, known_accuracy (a fraction) and final_loss.

    labels: (N,) of the test images; subsets: `run.Subset` of each member; trained: their `member_arrays`.
    """
    rows = []
    for subset, arrays in zip(subsets, trained, strict=True):
        is_known = np.isin(labels, subset.classes)
        is_right = arrays["output.log_y"].argmax(1)[is_known] == labels[is_known]
        rows.append(
            {
                "known": subset.known,
                "subset": subset.number,
                "classes": " ".join(map(str, subset.classes)),
                "known_accuracy": float(is_right.mean()),
                "final_loss": float(arrays["curve.loss"][-1]),
            }
        )
    return pd.DataFrame(rows)


def mean_rows(members: pd.DataFrame, experiment: str = "train_openset") -> list[dict[str, Any]]:
    """The mean accuracy on known classes, for each number of them. experiment: the name of the rows."""
    rows = []
    for known, group in members.groupby("known"):
        accuracy = group["known_accuracy"].to_numpy()
        rows.append(
            mean_row(
                experiment,
                f"known_accuracy@known={known}",
                100 * accuracy,
                unit="percent",
                over="subsets",
                bounds=(0, 100),
                mean=100 * float(accuracy.mean()),
            )
        )
    return rows
