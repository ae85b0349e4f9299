"""Tables of open-set recognition in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.report.names import METRIC_NAMES, model_name
from overgen.report.tables import Table, at_tau, find, markdown_table, measured, reported


def open_set(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """F-measure for each number of known classes: the numbers behind Figure 4."""
    rows = frame[(frame["experiment"] == "open_set") & frame["metric"].str.fullmatch(r"f_measure@known=\d+")]
    known = sorted({int(metric.split("=")[1]) for metric in rows["metric"]}, reverse=True)
    thresholds = sorted(rows["tau"].unique(), key=float)
    has_reported = bool((rows["value"] != "").any())
    header = ["τ", "known", *(name for m in models for name in reported_and_measured(model_name(m), has_reported))]
    lines = []
    for tau in thresholds:
        for k in known:
            line = [tau, str(k)]
            for model in models:
                row = find(frame, "open_set", model, f"f_measure@known={k}", tau)
                shown = ["–", "–"] if row is None else [reported(row), measured(row)]
                line += shown if has_reported else shown[1:]
            lines.append(line)
    return Table("open_set", markdown_table(lines, header) if lines else "", rows)


def open_set_apart(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What open-set recognition comes to without a threshold, and balanced accuracy, at the largest τ's α."""
    names = ("auroc", "aupr", "fpr_at_95_tpr", "oscr", "balanced_accuracy")
    rows = frame[(frame["experiment"] == "open_set") & ~frame["metric"].str.contains("@alpha=")]
    rows = rows[rows["metric"].str.startswith(names)]
    if rows.empty:
        return Table("open_set_apart", "", rows)
    tau = max(rows["tau"], key=float)
    known = sorted({int(metric.partition("=")[2]) for metric in rows["metric"]}, reverse=True)
    lines, used = [], []
    for model in models:
        for k in known:
            found = [find(rows, "open_set", model, f"{name}@known={k}", tau) for name in names]
            used += [row for row in found if row]
            first = f"**{model_name(model)}**" if k == known[0] else ""
            lines.append([first, str(k), *("–" if row is None else measured(row) for row in found)])
    header = ["", "known", *(METRIC_NAMES[name] for name in names)]
    header[-1] += f", {at_tau(tau)}"
    return Table("open_set_apart", markdown_table(lines, header), pd.DataFrame(used, columns=frame.columns))


def open_set_longer(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What the same networks come to when they are trained for more epochs, and the difference, at the paper's α."""
    rows = frame[(frame["experiment"] == "open_set_longer") & ~frame["metric"].str.contains("@alpha=")]
    if rows.empty:
        return Table("open_set_longer", "", rows)
    known = rows["metric"].iloc[0].partition("=")[2]
    has_reported = bool((frame.loc[frame["experiment"] == "open_set", "value"] != "").any())
    names = ("f_measure", "auroc")
    lines = []
    for model in models:
        for tau in sorted(rows["tau"].unique(), key=float):
            first = find(frame, "open_set", model, f"f_measure@known={known}", tau)
            line = [f"**{model_name(model)}**", tau]
            line += [reported(first) if first else "–"] if has_reported else []
            for name in names:
                found = [find(frame, "open_set", model, f"{name}@known={known}", tau)]
                found += [
                    find(rows, "open_set_longer", model, f"{name}_{what}@known={known}", tau)
                    for what in ("longer", "gain")
                ]
                line += ["–" if row is None else measured(row) for row in found]
            lines.append(line)
    header = ["", "τ", *(["F reported"] if has_reported else [])]
    header += [f"{name}{part}" for name in ("F", "AUROC") for part in ("", ", longer", ": difference")]
    return Table("open_set_longer", markdown_table(lines, header), rows)


def reported_and_measured(name: str, has_reported: bool) -> list[str]:
    return [f"{name} reported", f"{name} measured"] if has_reported else [name]
