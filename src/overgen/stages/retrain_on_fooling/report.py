"""Tables of retraining on fooling images in the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from overgen.report.names import ENCODING_NAMES, model_name
from overgen.report.tables import Table, find, markdown_table, measured


def retraining(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What becomes of evolution when fooling images are a class of their own: one row a model, encoding and round."""
    rows = frame[frame["experiment"].str.startswith("retraining_") & frame["model"].isin(models)]
    names = ("fooling_images", "recognised_rate", "test_error", "median_confidence")
    lines = []
    groups: Any = rows.groupby(["model", "experiment"], sort=False)
    for (model, experiment), mine in groups:
        for k in sorted({int(metric.partition("=")[2]) for metric in mine["metric"]}):
            found = [find(mine, experiment, model, f"{name}@round={k}") for name in names]
            first = [f"**{model_name(model)}**", ENCODING_NAMES[experiment.partition("_")[2]]]
            shown = ["–" if row is None else measured(row) for row in found]
            lines.append([*(first if k == 0 else ["", ""]), str(k), *shown])
    header = ["", "encoding", "round", "fooling images in training", "of these recognised, %", "test error, %",
              "median confidence of new ones, %"]  # fmt: skip
    return Table("retraining", markdown_table(lines, header) if lines else "", rows)
