"""Measured numbers beside the reported ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError
from overgen.measures.bands import band_name
from overgen.measures.verdicts import verdict
from overgen.report.budgets import at_paper_budget, budget_text, of_model
from overgen.report.names import EXPERIMENTS
from overgen.report.reported import COLUMNS as REPORTED
from overgen.report.reported import SAME_AS, not_comparable, records
from overgen.run import results
from overgen.run.results import Cell

REPRODUCED = (*REPORTED, "reproduced", "low", "high", "n", "budget", "verdict", "cell", "md5")  # of reproduced.csv
COLUMNS = (*REPRODUCED, "text", "reported_n")  # of every frame; further ones are keys of its metrics
BOOTSTRAP = re.compile(r"bootstrap over (\d+) seeds")  # in the kind of an interval, see `results.rate_row`
NUMBER = ("experiment", "dataset", "model", "metric")  # columns that tell numbers apart, with tau


def compare(
    cells: Iterable[Cell], reported: pd.DataFrame, paper: Mapping[str, int], bands: Mapping[str, float | str]
) -> pd.DataFrame:
    """One row for each measured number of some cells, and one more for each further source that reports it.

    reported: of `reported.load`; paper: the papers' budgets; bands: of practical equality by metric (`report.bands` of
    params.yaml). An experiment goes by its name in reports (`names.EXPERIMENTS`). A number that the papers report as
    another experiment (`reported.SAME_AS`) has a row there, too.
    Returns the columns of `reproduced.csv`: those of reported.csv (source, where, value empty where the papers give
    none), then reproduced, low, high, n, budget, verdict, cell, md5, all in the row's unit. `value` is text, as
    printed. The note says what the paper adds, of what kind the interval is, and what the cell adds. Then, as
    `results.read` gives them, the metric taken apart: `metric` is its name, `text` the whole, and each key a column;
    and `reported_n`, what is behind the reported number.
    Raises OvergenError if a cell and the papers give one number in different units, and for a number without a band.
    """
    rows = []
    by_number: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for source in records(reported):
        by_number.setdefault(tuple(source[name] for name in NUMBER), []).append(source)
    for cell in cells:
        limits = of_model(paper, cell.model)
        numbers = results.read(cell).astype(object)
        for measured in _named(records(numbers.where(numbers.notna(), None)), cell.dataset, by_number):
            full = at_paper_budget(measured["budget"], limits)
            key = (measured["experiment"], cell.dataset, measured["model"], measured["text"])
            same = [source for source in by_number.get(key, []) if _tau(source["tau"]) == measured["tau"]]
            for source in same or [dict[str, Any]()]:
                if source and source["unit"] != measured["unit"]:
                    raise OvergenError(
                        f"{cell.path}/metrics.json: {measured['text']}, tau {measured['tau'] or None} is in "
                        f"{measured['unit']}, but {source['source']} ({source['where']}) reports it in "
                        f"{source['unit']}; bring the stage to that unit"
                    )
                interval = "" if measured["interval"] == "none" else measured["interval"]
                notes = (source.get("note", ""), interval, measured["note"])
                rows.append(measured | {
                    "source": source.get("source", ""),
                    "where": source.get("where", ""),
                    "dataset": cell.dataset,
                    "value": source.get("text", ""),
                    "note": "; ".join(note for note in notes if note),
                    "budget": budget_text(measured["budget"], limits),
                    "reported_n": source.get("n", math.nan),
                    "verdict": _verdict(source, measured, full, bands),
                    "cell": cell.path,
                    "md5": cell.md5,
                })  # fmt: skip
    frame = pd.DataFrame(rows)
    keys = [name for name in frame if name not in (*COLUMNS, "interval")]
    types: dict[str, Any] = dict.fromkeys(("reproduced", "low", "high"), "float64") | {"n": "Int64"}
    return frame[[*COLUMNS, *keys]].fillna(dict.fromkeys(keys, "")).astype(types | {"reported_n": "Int64"})


def _named(
    measured: Iterable[dict[str, Any]], dataset: str, by_number: Mapping[tuple[str, ...], list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Measured numbers by the names of their experiments, those that the papers report as another one there as well."""
    others = {(same, model): (other, why) for (other, model), (same, why) in SAME_AS.items()}
    for row in measured:
        yield row | {"experiment": EXPERIMENTS.get(row["experiment"], row["experiment"])}
        other, why = others.get((row["experiment"], row["model"]), ("", ""))
        sources = by_number.get((other, dataset, row["model"], row["text"]), [])
        if any(_tau(source["tau"]) == row["tau"] for source in sources):
            yield row | {"experiment": other, "note": "; ".join(note for note in (row["note"], why) if note)}


def _tau(tau: float) -> str:
    """A threshold as `results.read` writes it; NaN, as reported.csv has it for none, is ""."""
    return "" if math.isnan(tau) else f"{tau:g}"


def _verdict(
    source: Mapping[str, Any], measured: Mapping[str, Any], full: bool, bands: Mapping[str, float | str]
) -> str:
    if not source:
        return ""
    if band_name(measured["metric"]) not in bands:
        raise OvergenError(
            f"params.yaml, report.bands: has none for {band_name(measured['metric'])}, which {source['source']} "
            f"({source['where']}) reports; add how far from it is still equal, in {source['unit']} or as a share "
            "such as 25 %"
        )
    if why := not_comparable(source):
        return f"not testable: {why}"
    # A number that the paper gives as a bound, said at the beginning of the note, agrees with what lies beyond it.
    bound, value, result = source["note"].partition(";")[0], source["value"], measured["reproduced"]
    if result is not None and ((bound == "at least" and result >= value) or (bound == "at most" and result <= value)):
        return "reproduced" if full else "agrees at reduced budget"
    low, high = of_one_network(measured)
    return verdict(
        measured["metric"],
        source["value"],
        measured["reproduced"],
        low,
        high,
        band=bands[band_name(measured["metric"])],
        at_paper_budget=full,
        reported_n=None if math.isnan(source["n"]) else int(source["n"]),
        reproduced_n=measured["n"],
        rounding=source["rounding"],
        prediction="prediction" in measured["interval"],
    )


def of_one_network(measured: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The interval of a measured number where a reported one, which is of one network, is compared with it.

    A bootstrap over S seeds says where their mean lies. One more network is S times as uncertain as that mean by
    itself, so the mean of S and it are √(S + 1) times as far apart. Other intervals stay as they are. measured: a row
    with reproduced, low and high, and with the kind of the interval, or a note that says it. Returns (low, high).
    """
    low, high = measured["low"], measured["high"]
    seeds = BOOTSTRAP.search(measured.get("interval") or measured["note"])
    if seeds is None or low is None or high is None:
        return low, high
    value, wider = measured["reproduced"], math.sqrt(int(seeds[1]) + 1)
    bounds = (0.0, 100.0) if measured["unit"] == "percent" else (-math.inf, math.inf)
    return max(value - wider * (value - low), bounds[0]), min(value + wider * (high - value), bounds[1])


def not_measured(reported: pd.DataFrame, frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The papers' numbers on a data set that no cell measures: what `compare` did not join."""
    rows = reported[reported["dataset"] == dataset]
    names = ["source", "where", "experiment", "model"]
    done = set(frame[[*names, "text", "tau"]].itertuples(index=False, name=None))
    keys = zip(*(rows[name] for name in (*names, "metric")), map(_tau, rows["tau"]), strict=True)
    return rows[np.array([key not in done for key in keys], dtype=bool)]
