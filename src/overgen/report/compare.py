"""Measured numbers beside the reported ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError
from overgen.measures.verdicts import verdict
from overgen.report.budgets import at_paper_budget, budget_text, of_model
from overgen.report.grid import Grid
from overgen.report.reported import COLUMNS, OTHER_NETWORK, UNDEFENDED, records


def compare(grid: Grid, reported: pd.DataFrame, paper: Mapping[str, int]) -> pd.DataFrame:
    """One row for each measured number, and one more for each further source that reports it.

    Returns the columns of `reproduced.csv`: those of reported.csv (source, where, value empty where the
    papers give none), then reproduced, low, high, n, budget, verdict, cell, md5, all in the row's unit.
    `value` is text, as printed. The note says what the paper adds, of what kind the interval is, and what the
    cell adds. Raises OvergenError if a cell and the papers give one number in different units.
    """
    rows = []
    by_number: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for source in records(reported):
        by_number.setdefault(tuple(source[name] for name in NUMBER), []).append(source)
    for cell in (cell for models in grid.values() for cell in models.values()):
        mine = of_model(paper, cell.model)
        for measured in cell.summary["metrics"]:
            spent = cell.budget | measured.get("budget", {})  # a row may have a budget of its own
            full = at_paper_budget(spent, mine)
            common: dict[str, Any] = {"budget": budget_text(spent, mine), "cell": cell.path, "md5": cell.md5}
            name = f"{measured['metric']}, tau {measured['tau']}"
            model = measured.get("model", cell.model)  # a row may be of another model than its cell
            key = (measured["experiment"], cell.dataset, model, measured["metric"])
            sources = [source for source in by_number.get(key, []) if _same_tau(source["tau"], measured["tau"])]
            for source in sources or [dict[str, Any]()]:
                if source and source["unit"] != measured["unit"]:
                    raise OvergenError(
                        f"{cell.path}/metrics.json: {name} is in {measured['unit']}, but {source['source']} "
                        f"({source['where']}) reports it in {source['unit']}; bring the stage to that unit"
                    )
                interval = "" if measured["interval"] in ("", "none") else measured["interval"]
                notes = (source.get("note", ""), interval, measured["note"])
                rows.append(
                    {
                        "source": source.get("source", ""),
                        "where": source.get("where", ""),
                        "experiment": measured["experiment"],
                        "dataset": cell.dataset,
                        "model": model,
                        "metric": measured["metric"],
                        "tau": "" if measured["tau"] is None else f"{measured['tau']:g}",
                        "value": source.get("text", ""),
                        "unit": measured["unit"],
                        "note": "; ".join(note for note in notes if note),
                        "reproduced": measured["reproduced"],
                        "low": measured["low"],
                        "high": measured["high"],
                        "n": measured["n"],
                        "verdict": _verdict(model, source, measured, full),
                    }
                    | common
                )
    frame = pd.DataFrame(rows)
    order = [*COLUMNS, "reproduced", "low", "high", "n", "budget", "verdict", "cell", "md5"]
    types = {"reproduced": "float64", "low": "float64", "high": "float64", "n": "Int64"}
    return frame.astype(types)[order]


NUMBER = ("experiment", "dataset", "model", "metric")  # columns that tell numbers apart, with tau


def _same_tau(reported: float, measured: float | None) -> bool:
    """Whether two thresholds are the same; a number without one has NaN in reported.csv and None in a cell."""
    return math.isnan(reported) if measured is None else math.isclose(reported, measured, abs_tol=1e-9)


def _verdict(model: str, source: Mapping[str, Any], measured: Mapping[str, Any], full: bool) -> str:
    if not source:
        return ""
    if source["source"] in OTHER_NETWORK:
        return f"not testable: {OTHER_NETWORK[source['source']]}"
    # A number that the paper gives as a bound, said at the beginning of the note, agrees with what lies beyond it.
    bound, value, found = source["note"].partition(";")[0], source["value"], measured["reproduced"]
    if found is not None and ((bound == "at least" and found >= value) or (bound == "at most" and found <= value)):
        return "reproduced" if full else "agrees at reduced budget"
    return verdict(
        measured["metric"],
        source["value"],
        measured["reproduced"],
        measured["low"],
        measured["high"],
        at_paper_budget=full,
        reported_n=None if math.isnan(source["n"]) else int(source["n"]),
        reproduced_n=measured["n"],
        rounding=source["rounding"],
        prediction="prediction" in measured["interval"],
        defended=model not in UNDEFENDED,
    )


def not_measured(reported: pd.DataFrame, frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The papers' numbers on a data set that no cell measures: what `compare` did not join."""
    mine = reported[reported["dataset"] == dataset]
    joined = frame[frame["source"] != ""]
    names = ["source", "where", "experiment", "model", "metric"]
    done = set(joined[[*names, "tau"]].itertuples(index=False, name=None))
    taus = ["" if math.isnan(tau) else f"{tau:g}" for tau in mine["tau"]]
    keys = zip(*(mine[name] for name in names), taus, strict=True)
    keep = [key not in done for key in keys]
    return mine[np.array(keep, dtype=bool)]
