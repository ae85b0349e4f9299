"""Tables of evolution in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.report.names import ENCODING_NAMES, metric_name, model_name
from overgen.report.tables import Table, at_tau, count_text, markdown_table, measured, records, reported


def evolution(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Confidence that evolution reaches (Nguyen et al. 2015): one row a model, encoding and measured number.

    For LeNet, whose error on the test images the paper gives, that comes first.
    """
    experiments = {"test_error": "–"} | {f"evolution_{encoding}": name for encoding, name in ENCODING_NAMES.items()}
    place = {name: i for i, name in enumerate(experiments)}
    rows = frame[frame["experiment"].isin(experiments) & frame["model"].isin(models)]
    has_reported = bool((rows["value"] != "").any())
    lines = []
    for model in models:
        before = ""
        mine = rows[rows["model"] == model]
        for row in records(mine.sort_values("experiment", key=lambda names: names.map(place), kind="stable")):
            encoding = experiments[row["experiment"]]
            line = ["" if before else f"**{model_name(model)}**", encoding if encoding != before else ""]
            name = metric_name(row["metric"]) + (f", {at_tau(row['tau'])}" if row["tau"] else "")
            line += [name, row["unit"], *([reported(row)] if has_reported else [])]
            lines.append([*line, measured(row), count_text(row["n"])])
            before = encoding
    header = ["", "encoding", "number", "unit", *(["reported"] if has_reported else []), "measured", "n"]
    return Table("evolution", markdown_table(lines, header) if lines else "", rows)
