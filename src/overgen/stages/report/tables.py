"""Tables of the report in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from overgen.measures.intervals import difference_interval, differs
from overgen.measures.verdicts import VERDICTS, claim_verdict, reported_interval
from overgen.report.budgets import budget_text, of_model
from overgen.report.grid import Cell, Grid
from overgen.report.names import MAIN_SOURCE, MARKS, kind, metric_name, model_name, number, variant_name
from overgen.report.reported import FGN_TRIALS
from overgen.report.tables import Table, find, markdown_table, records, taus

F_MEASURE_GAP = 0.05  # between reported F-measures, or AUROCs, that are called different


def claims(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Orderings of models that the paper's numbers show, and whether the measured ones show them too.

    Of all pairs in Table 1 or 2 whose reported fooling rates differ beyond their Wilson intervals, and whose reported
    F-measures at one known class and AUROCs, which come without any spread, differ by more than `F_MEASURE_GAP`. An
    ordering can hold where the numbers do not: "direction only".
    """
    lines, used = [], []
    compared = [("fgn", "fooling_rate", "is fooled less often than")]
    compared += [("open_set", "f_measure@known=1", "has a lower F-measure at one known class than")]
    compared += [("one_class", "auroc", "tells one class from the others less well than")]
    every = [*models, *(m for m in dict.fromkeys(frame["model"]) if m not in models)]  # an SVM is not attacked
    for experiment, metric, phrase in compared:
        for tau in taus(frame, experiment, metric) or [""]:
            found = {model: find(frame, experiment, model, metric, tau) for model in every}
            rows = {m: r for m, r in found.items() if r and r["source"] == MAIN_SOURCE and not pd.isna(r["low"])}
            for low, first in rows.items():
                for high, second in rows.items():
                    if not reported_below(first, second):
                        continue
                    sign = differs(
                        first["reproduced"], (first["low"], first["high"]),
                        second["reproduced"], (second["low"], second["high"]),
                    )  # fmt: skip
                    low_end, high_end = difference_interval(
                        first["reproduced"], (first["low"], first["high"]),
                        second["reproduced"], (second["low"], second["high"]),
                    )  # fmt: skip
                    refuted = not low_end <= float(first["value"]) - float(second["value"]) <= high_end
                    verdicts = [first["verdict"], second["verdict"]]
                    reduced = any("reduced budget" in verdict for verdict in verdicts)
                    unit = " %" if first["unit"] == "percent" else ""
                    ours = (number(r["reproduced"], r["metric"], r["unit"]) + unit for r in (first, second))
                    lines.append([
                        f"{model_name(low)} {phrase} {model_name(high)}" + (f", τ = {tau}" if tau else ""),
                        f"{first['value']}{unit} < {second['value']}{unit}",
                        ", ".join(ours),
                        claim_verdict(sign, verdicts, at_paper_budget=not reduced, refuted=refuted),
                    ])  # fmt: skip
                    used += [first, second]
    header = ["ordering", "reported", "measured", "verdict"]
    rows_used = pd.DataFrame(used, columns=frame.columns).drop_duplicates()
    return Table("orderings", markdown_table(lines, header) if lines else "", rows_used)


def reported_below(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether a reported number is below another beyond the intervals that can be had of them."""
    a, b = float(first["value"]), float(second["value"])
    if first["metric"] != "fooling_rate":
        return a + F_MEASURE_GAP < b
    intervals = [reported_interval("fooling_rate", value, n=FGN_TRIALS) for value in (a, b)]
    return differs(a, intervals[0], b, intervals[1]) < 0


def verdict_counts(frame: pd.DataFrame) -> Table:
    """How many reported numbers have which verdict."""
    rows = frame[frame["verdict"] != ""]
    kinds = [kind(verdict) for verdict in rows["verdict"]]
    lines = [[MARKS[kind], kind, str(kinds.count(kind))] for kind in VERDICTS if kind in kinds]
    return Table("verdicts", markdown_table(lines, ["", "verdict", "numbers"]) if lines else "", rows)


def not_testable(frame: pd.DataFrame) -> str:
    """The reported numbers that were measured but cannot be compared, with the reason; "" for none."""
    rows = frame[frame["verdict"].str.startswith("not testable")]
    lines = [
        [model_name(r["model"]), metric_name(r["metric"]), r["tau"] or "–", f"{r['value']} ({r['source']})",
         r["verdict"].partition(": ")[2]]
        for r in records(rows)
    ]  # fmt: skip
    return markdown_table(lines, ["", "number", "τ", "reported", "why not testable"]) if lines else ""


def not_measured(rows: pd.DataFrame) -> Table:
    """The papers' numbers on this data set that nothing here measures yet, counted by experiment."""
    lines: list[list[str]] = [
        [", ".join(group["source"].unique()), ", ".join(group["where"].unique()), str(experiment),
         ", ".join(model_name(m) for m in group["model"].unique()), str(len(group))]
        for experiment, group in rows.groupby("experiment", sort=False)
    ]  # fmt: skip
    header = ["source", "where", "experiment", "models", "numbers"]
    return Table("not_measured", markdown_table(lines, header) if lines else "", rows)


def budgets(grid: Grid, paper: Mapping[str, int]) -> str:
    """What was spent, a line a stage; models that spent the same stand together.

    Below them what of the stage had a budget of its own.
    """
    lines = []
    for stage, cells in grid.items():
        texts: dict[tuple[str, str], list[str]] = {}
        own: dict[tuple[str, str], list[str]] = {}
        for model, cell in cells.items():
            limits = of_model(paper, model)
            if cell.budget:  # else nothing was spent: images were only collected
                texts.setdefault((f"`{stage}`", budget_text(cell.budget, limits)), []).append(model_name(model))
            apart = {row["experiment"]: row["budget"] for row in cell.summary["metrics"] if "budget" in row}
            for experiment, spent in apart.items():
                name = {"fgn_on_scaled_output": "on ỹ", "open_set_longer": "trained longer"}.get(experiment)
                name = name or variant_name(experiment)
                own.setdefault((f"`{stage}`, {name}", budget_text(spent, limits)), []).append(model_name(model))
        lines += [[name, ", ".join(models), text] for (name, text), models in (texts | own).items()]
    return markdown_table(lines, ["stage", "models", "budget"])


def provenance(grid: Grid, searches: Sequence[Cell] = ()) -> Table:
    """Each cell with the command that remakes it and the MD5 that DVC records for it."""
    cells = [*(cell for models in grid.values() for cell in models.values()), *searches]
    rows = pd.DataFrame({
        "cell": [cell.path for cell in cells],
        "command": [cell.command for cell in cells],
        "md5": [cell.md5 for cell in cells],
    })  # fmt: skip
    lines = [[f"`{value}`" for value in row] for row in rows.itertuples(index=False)]
    return Table("provenance", markdown_table(lines, list(rows.columns)), rows)
