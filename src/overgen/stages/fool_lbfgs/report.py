"""Tables of the smallest changes in the report."""

from __future__ import annotations

import pandas as pd

from overgen.report.names import model_name, number
from overgen.report.tables import Table, count_text, find, markdown_table, measured, reported


def smallest(frame: pd.DataFrame) -> Table:
    """Table 1 of Szegedy et al. 2013, and what noise does: a row a network."""
    rows = frame[frame["experiment"].isin(["lbfgs", "lbfgs_noise"])]
    noise = sorted({metric for metric in rows["metric"] if metric.startswith("label_changed")}, key=len)
    columns = [("lbfgs", "test_error", "test error %"), ("lbfgs", "train_error", "training error %"),
               ("lbfgs", "mean_distortion", "smallest distortion"), ("lbfgs", "least_distortion", "least there is"),
               ("lbfgs", "fooling_rate", "succeeded %"),
               *(("lbfgs_noise", metric, noise_name(metric)) for metric in noise)]  # fmt: skip
    lines, used = [], []
    for model in dict.fromkeys(rows["model"]):
        line = [f"**{model_name(model)}**"]
        for experiment, metric, _ in columns:
            row = find(rows, experiment, model, metric)
            used += [row] if row else []
            ours = "–" if row is None else measured(row, between="<br>")
            line.append(f"{reported(row)} → {ours}" if row and row["value"] != "" else ours)
        lines.append(line)
    header = ["", *(name for *_, name in columns)]
    return Table("smallest", markdown_table(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def noise_name(metric: str) -> str:
    """What noise of some norm did, as the head of a column."""
    rms = metric.partition("=")[2]
    return f"label changed by noise of rms {rms}, %" if rms else "label changed by noise as large, %"


def transfer(frame: pd.DataFrame) -> Table:
    """Errors of each network on the examples made for each: a row a network that they were made for and distortion."""
    rows = frame[(frame["experiment"] == "lbfgs_transfer") & ~frame["metric"].str.endswith("@rms=0")]
    judges = list(dict.fromkeys(rows["model"]))
    lines = []
    for metric in sorted(dict.fromkeys(rows["metric"]), key=lambda m: "@rms=" in m):
        found = {judge: find(rows, "lbfgs_transfer", judge, metric) for judge in judges}
        made_for, _, rms = metric.removeprefix("error@made_for=").partition("@rms=")
        cells = ["–" if row is None else number(row["reproduced"], metric, row["unit"]) for row in found.values()]
        lines.append(
            [model_name(made_for), rms or "smallest", *cells, count_text(max(r["n"] for r in found.values() if r))]
        )
    header = ["made for", "distortion", *(f"{model_name(judge)}, error %" for judge in judges), "n"]
    return Table("transfer", markdown_table(lines, header) if lines else "", rows)


def stability(frame: pd.DataFrame) -> Table:
    """(1 − ε)ⁿ fitted to how many labels outlive noise on n pixels, and what it leaves unexplained."""
    rows = frame[frame["experiment"] == "stability"]
    lines = []
    for model in dict.fromkeys(rows["model"]):
        found = [find(rows, "stability", model, metric) for metric in ("epsilon", "unexplained", "largest_gap")]
        numbers = [row for row in found if row]
        if len(numbers) == len(found):
            cells, gap = [measured(row) for row in numbers[:2]], numbers[2]
            lines.append([f"**{model_name(model)}**", *cells, f"{measured(gap)} {gap['note']}", count_text(gap["n"])])
    header = ["", "ε", "variance unexplained, %", "largest gap, counted − fitted, percentage points", "images"]
    return Table("stability", markdown_table(lines, header) if lines else "", rows)
