"""Tables of one class against all others in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.report.names import METRIC_NAMES, method_name, metric_name, model_name
from overgen.report.tables import Table, find, markdown_table, measured, records, reported


def one_class(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Figure 5 in numbers: one class against all others, a row a model and score, means over the classes.

    The first score of a model, whose metrics have no suffix, is the one compared with the paper. models: also "pixels",
    the scores of pixels, of which none is.
    """
    rows = frame[frame["experiment"] == "one_class"]
    names = ("auroc", "aupr", "fpr_at_95_tpr")
    has_reported = bool((rows["value"] != "").any())
    lines, used = [], []
    for model in models:
        mine = rows[rows["model"] == model]
        suffixes = [m.removeprefix("auroc") for m in mine["metric"] if m.split("@")[0] == "auroc"]
        for suffix in suffixes:
            found = [find(mine, "one_class", model, name + suffix) for name in names]
            used += [row for row in found if row]
            line = ["" if suffix != suffixes[0] else f"**{model_name(model)}**", score_name(mine, suffix)]
            line += [reported(found[0]) if found[0] else "–"] if has_reported else []
            lines.append([*line, *(measured(row) if row else "–" for row in found)])
    header = ["", "score", *(["AUROC reported"] if has_reported else []), *(METRIC_NAMES[name] for name in names)]
    return Table("one_class", markdown_table(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def score_name(rows: pd.DataFrame, suffix: str) -> str:
    """What was swept, from the suffix of its metric: "@score=scaled@alpha=3" is "ỹ, α = 3".

    rows: of one model in the experiment one_class; they tell what its score without a suffix is.
    """
    parts = dict(part.split("=") for part in suffix.split("@")[1:])
    if "score" not in parts:
        there = set(rows["metric"].str.split("@").str[0])
        reconstructs = "gamma_positive_rate" in there
        return "c̃" if reconstructs else "y" if "elsewhere_rate" in there else "decision function"
    name = {"scaled": "ỹ", "distance": "−‖r(x) − x‖₂"}.get(parts["score"]) or method_name(parts["score"])
    return name + (f", α = {parts['alpha']}" if "alpha" in parts else "")


def one_class_checks(frame: pd.DataFrame) -> str:
    """Two shares of test images on which the choice of a score rests, a line a model; "" for none."""
    rows = frame[(frame["experiment"] == "one_class") & frame["metric"].isin(["elsewhere_rate", "gamma_positive_rate"])]
    lines = [[f"**{model_name(row['model'])}**", metric_name(row["metric"]), measured(row)] for row in records(rows)]
    return markdown_table(lines, ["", "test images on which", "%"]) if lines else ""
