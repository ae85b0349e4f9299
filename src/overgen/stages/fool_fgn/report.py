"""Tables of the Fooling Generator Network in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.report.names import VARIANT, model_name, variant_name
from overgen.report.tables import (
    CLASSES_FOOLED,
    Table,
    at_tau,
    by_metric,
    find,
    fooling_table,
    markdown_table,
    measured,
    reported,
    some_classes,
    taus,
)


def fooling(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Table 1 (MNIST) or 2 (Fashion-MNIST) of Spigler 2019: reported and, below it, measured.

    Columns: accuracy at each threshold, then fooling rate with the mean steps at each threshold above 0.
    """
    return fooling_table(frame, "fooling", [(model_name(model), "fgn", model) for model in models])


def scaled_attack(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """The FGN attack on the scaled output ỹ instead of y (Spigler 2019, Section 4.2)."""
    return by_metric(frame, "scaled_attack", "fgn_on_scaled_output", models)


def variants(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """The FGN on y with other options than the study's: a row a model and variant, rates and mean steps at each τ."""
    names = [name for name in dict.fromkeys(frame["experiment"]) if VARIANT.fullmatch(name)]
    at = taus(frame, "fgn", "fooling_rate")
    header = ["", "FGN", *(f"{text}, {at_tau(tau)}" for tau in at for text in ("fooled %", "mean steps"))]
    lines: list[list[str]] = []
    used = []
    for model in models:
        mine = [name for name in names if (frame.loc[frame["experiment"] == name, "model"] == model).any()]
        for experiment in ["fgn", *mine] if mine else []:
            line = ["" if lines and experiment != "fgn" else f"**{model_name(model)}**", variant_name(experiment)]
            for tau in at:
                classes = find(frame, experiment, model, CLASSES_FOOLED, tau)
                used += [classes] if classes else []
                for metric in ("fooling_rate", "mean_steps_to_fool"):
                    row = find(frame, experiment, model, metric, tau)
                    used += [row] if row else []
                    theirs = reported(row) if row else "–"
                    ours = measured(row) if row else "–"
                    if metric == "fooling_rate" and some_classes(classes):
                        ours += f", {some_classes(classes)}"
                    line.append(ours if theirs == "–" else f"{theirs} → {ours}")
            lines.append(line)
    return Table("variants", markdown_table(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def in_8_bits(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How many of the FGN's trials fool at each τ, and how many as a picture of 8 bits: a row a model and attack."""
    at = taus(frame, "fgn", "fooling_rate")
    header = ["", "attack on", *(f"{text}, {at_tau(tau)}" for tau in at for text in ("fooled %", "in 8 bits"))]
    lines: list[list[str]] = []
    used = []
    for model in models:
        before = len(lines)
        for experiment, score in (("fgn", "y"), ("fgn_on_scaled_output", "ỹ")):
            metrics = ("fooling_rate", "fooling_rate_in_8_bits")
            found = [find(frame, experiment, model, metric, tau) for tau in at for metric in metrics]
            used += [row for row in found if row]
            if any(found):
                name = f"**{model_name(model)}**" if len(lines) == before else ""
                lines.append([name, score, *("–" if row is None else measured(row) for row in found)])
    return Table("in_8_bits", markdown_table(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def other_alphas(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Accuracy and fooling at (τ, α) pairs that are not the paper's."""
    return by_metric(frame[frame["metric"].str.contains("@alpha=")], "other_alphas", "fgn", models)
