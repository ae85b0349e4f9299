"""Tables of gradient attacks in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.measures.intervals import differs
from overgen.measures.verdicts import reported_interval
from overgen.report.names import START_NAMES, model_name, number
from overgen.report.reported import FGN_TRIALS
from overgen.report.tables import (
    OVER_CLASSES,
    Table,
    at_tau,
    find,
    markdown_table,
    measured,
    over_classes,
    records,
    reported,
    taus,
)


def robustness(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What stands of the reported fooling rates when gradients of ỹ attack: a row a model and τ, strongest start."""
    header = [
        "",
        "τ",
        "reported, FGN on y",
        "measured, FGN on y",
        "gradients of ỹ",
        "from",
        "against the reported rate",
    ]
    words = {1: "fooled more often", 0: "does not differ", -1: "fooled less often"}
    lines, used = [], []
    gradients = frame[(frame["experiment"] == "gradient") & ~frame["metric"].str.contains("@alpha=")]
    gradients = gradients[gradients["metric"].str.startswith("fooling_rate@start=")]
    for model in models:
        for tau in taus(frame, "fgn", "fooling_rate"):
            row = find(frame, "fgn", model, "fooling_rate", tau)
            attacks = records(gradients[(gradients["model"] == model) & (gradients["tau"] == tau)])
            if row is None or row["value"] == "" or not attacks:
                continue
            strongest = max(attacks, key=lambda attack: attack["reproduced"])
            value = float(row["value"])
            theirs = reported_interval("fooling_rate", value, n=FGN_TRIALS)
            sign = differs(strongest["reproduced"], (strongest["low"], strongest["high"]), value, theirs)
            start = strongest["metric"].partition("=")[2]
            lines.append([
                f"**{model_name(model)}**", tau, reported(row), measured(row), measured(strongest),
                START_NAMES.get(start, start), words[sign],
            ])  # fmt: skip
            used += [row, strongest]
    rows = pd.DataFrame(used, columns=frame.columns)
    return Table("robustness", markdown_table(lines, header) if lines else "", rows)


def gradient(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Gradient attacks on ỹ: one row a model and start; at each τ, with the paper's α, the rate and what fooled."""
    rows = frame[(frame["experiment"] == "gradient") & ~frame["metric"].str.contains("@alpha=")]
    starts = list(
        dict.fromkeys(rows.loc[rows["metric"].str.startswith("fooling_rate@"), "metric"].str.split("=").str[1])
    )
    at = sorted(set(rows["tau"]), key=float)
    header = ["", "start"]
    for tau in at:
        header += [f"fooled %, {at_tau(tau)}", "in 8 bits", "updates", "of these nearest to the class, %",
                   "distance to it"]  # fmt: skip
    lines, used = [], []
    for model in models:
        for start in starts:
            line = [f"**{model_name(model)}**" if start == starts[0] else "", START_NAMES.get(start, start)]
            for tau in at:
                over = find(rows, "gradient", model, f"{OVER_CLASSES}@start={start}", tau)
                used += [over] if over else []
                for name in ("fooling_rate", "fooling_rate_in_8_bits", "mean_steps_to_fool", "nearest_is_target_rate",
                             "mean_distance_to_target_class"):  # fmt: skip
                    row = find(rows, "gradient", model, f"{name}@start={start}", tau)
                    used += [row] if row else []
                    if row and name == "fooling_rate" and over_classes(over):
                        line.append(f"{measured(row, between='<br>')}<br>{over_classes(over)}")
                    elif row is None or pd.isna(row["reproduced"]):
                        line.append("–")
                    elif name in ("mean_steps_to_fool", "fooling_rate_in_8_bits"):
                        line.append(number(row["reproduced"], name, row["unit"]))
                    elif name == "mean_distance_to_target_class":
                        line.append(f"{row['reproduced']:.2f}")
                    else:
                        line.append(measured(row, between="<br>"))
            lines.append(line)
    return Table("gradient", markdown_table(lines, header) if used else "", pd.DataFrame(used, columns=frame.columns))
