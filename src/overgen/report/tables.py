"""The tables of a report: one function each, from rows of `reproduced.csv` to Markdown and the rows shown.

`frame` is everywhere the result of `reported.compare`, or `reproduced.csv` read back by `read_reproduced`.
Every number shown is one of its numbers, rounded for reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tabulate import tabulate

from overgen import OvergenError
from overgen.report.names import MAIN_SOURCE, mark, metric_name, model_name, number

CLASSES_FOOLED, OVER_CLASSES = "classes_fooled", "fooling_rate_over_classes"  # metrics of attacks


class Table(NamedTuple):
    """A table of a report. rows: the rows of `reproduced.csv` that it shows, written beside it as CSV."""

    name: str
    markdown: str
    rows: pd.DataFrame


def read_reproduced(path: Path) -> pd.DataFrame:
    """A `reproduced.csv` as `reported.compare` returned it. Raises OvergenError if it is missing."""
    if not path.is_file():
        raise OvergenError(f"{path}: missing; `dvc repro report@{path.parent.name}` makes it")
    text = ("source", "where", "experiment", "dataset", "model", "metric", "tau", "value", "unit", "note")
    kinds: dict[str, Any] = dict.fromkeys((*text, "budget", "verdict", "cell", "md5"), "string")
    frame = pd.read_csv(path, dtype=kinds | {"n": "Int64"}, keep_default_na=False, na_values={
        name: [""] for name in ("reproduced", "low", "high", "n")
    })  # fmt: skip
    return frame.astype(dict.fromkeys(kinds, object))


def measured(row: Mapping[str, Any], unit: str = "", between: str = " ") -> str:
    """A measured number with the sign of its verdict and its interval: "34.5 (✓) [28.3–41.3]".

    unit: what follows the number; between: what stands before the interval. A low end alone leaves it open above:
    "[18–∞]", as for generations that some runs never reach.
    """
    sign = f" {mark(row['verdict'])}" if row["verdict"] else ""
    if pd.isna(row["reproduced"]):
        return f"–{sign}"
    text = number(row["reproduced"], row["metric"], row["unit"]) + unit + sign
    if pd.isna(row["low"]):
        return text
    low = number(row["low"], row["metric"], row["unit"])
    high = "∞" if pd.isna(row["high"]) else number(row["high"], row["metric"], row["unit"])
    if low.startswith("-"):  # of a difference
        return f"{text}{between}[{low} to {high}]".replace("-", "−")
    return f"{text}{between}[{low}–{high}]"


def reported(row: Mapping[str, Any], unit: str = "") -> str:
    """A reported number as the paper prints it; "–" for none."""
    return f"{row['value']}{unit}" if row["value"] != "" else "–"


def find(frame: pd.DataFrame, experiment: str, model: str, metric: str, tau: str = "") -> dict[str, Any] | None:
    """The row of one measured number, the main paper's where several sources report it; None if not there."""
    same = frame[
        (frame["experiment"] == experiment)
        & (frame["model"] == model)
        & (frame["metric"] == metric)
        & (frame["tau"] == tau)
    ]
    if same.empty:
        return None
    main = same[same["source"] == MAIN_SOURCE]
    return records(main if len(main) else same)[0]


def taus(frame: pd.DataFrame, experiment: str, metric: str) -> list[str]:
    """The thresholds of a measured number, as text in rising order."""
    same = frame[(frame["experiment"] == experiment) & (frame["metric"] == metric)]
    return sorted((tau for tau in same["tau"].unique() if tau != ""), key=float)


def fooling_table(frame: pd.DataFrame, name: str, entries: Sequence[tuple[str, str, str]]) -> Table:
    """Accuracies, fooling rates and steps of some (heading, experiment, model)."""
    accuracies = taus(frame, "fgn", "thresholded_accuracy")
    rates = taus(frame, "fgn", "fooling_rate")
    header = ["", "", *(f"accuracy %, {at_tau(tau)}" for tau in accuracies)]
    header += [f"fooled %, mean steps, {at_tau(tau)}" for tau in rates]
    shown = pd.Series(False, index=frame.index)
    for _, experiment, model in entries:
        shown |= (frame["experiment"] == experiment) & (frame["model"] == model)
    has_reported = bool((frame.loc[shown, "value"] != "").any())
    lines, used = [], []
    for heading, experiment, model in entries:
        theirs, ours = ["reported"], ["measured"]
        for metric, tau in [
            *(("thresholded_accuracy", t) for t in accuracies),
            *(("fooling_rate", t) for t in rates),
        ]:
            row = find(frame, experiment, model, metric, tau)
            further = (CLASSES_FOOLED, OVER_CLASSES, "mean_steps_to_fool") if metric == "fooling_rate" else ()
            *classes, steps = [find(frame, experiment, model, name, tau) for name in further] or [None, None, None]
            used += [found for found in (row, *classes, steps) if found]
            theirs.append(fooling_entry(row, [], steps, ours=False))
            ours.append(fooling_entry(row, classes, steps, ours=True))
        lines += [[f"**{heading}**", *theirs], ["", *ours]] if has_reported else [[f"**{heading}**", *ours]]
    rows = pd.DataFrame(used, columns=frame.columns)
    return Table(name, markdown_table(lines, header) if lines else "", rows)


def fooling_entry(
    row: dict[str, Any] | None,
    classes: Sequence[dict[str, Any] | None],
    steps: dict[str, Any] | None,
    *,
    ours: bool,
) -> str:
    """A number and, on further lines, its interval, in which classes it is not 0, that over classes, the mean steps."""
    lines: list[str] = []
    for found, unit in ((row, ""), (steps, " steps")):
        text = "–" if found is None else measured(found, unit, "<br>") if ours else reported(found, unit)
        if not lines or text != "–":
            lines.append(text)
        if found is row and classes:
            lines += [line for line in (some_classes(classes[0]), over_classes(classes[1])) if line]
    return "<br>".join(lines)


def some_classes(row: Mapping[str, Any] | None) -> str:
    """ "in 1 of 10 classes" of a row of `classes_fooled`; "" where a trial of every class fooled, or none."""
    if row is None or row["reproduced"] in (0, row["n"]):
        return ""
    return f"in {row['reproduced']:g} of {row['n']} classes"


def over_classes(row: Mapping[str, Any] | None) -> str:
    """ "over classes [28.3–41.3]" of a row of `fooling_rate_over_classes`; "" where they do not differ."""
    if row is None or pd.isna(row["low"]):
        return ""
    return "over classes " + measured(row).partition(" ")[2]


def by_metric(frame: pd.DataFrame, name: str, experiment: str | tuple[str, ...], models: Sequence[str]) -> Table:
    """One row a model and measured number of some experiments."""
    experiments = (experiment,) if isinstance(experiment, str) else experiment
    rows = frame[frame["experiment"].isin(experiments) & frame["model"].isin(models)]
    has_tau = bool((rows["tau"] != "").any())
    has_reported = bool((rows["value"] != "").any())
    header = ["", "number", *(["τ"] if has_tau else []), "unit", *(["reported"] if has_reported else [])]
    lines, before = [], ""
    for model in models:
        for row in records(rows[rows["model"] == model]):
            line = [f"**{model_name(model)}**" if model != before else "", metric_name(row["metric"])]
            line += [row["tau"] or "–"] if has_tau else []
            line += [row["unit"], *([reported(row)] if has_reported else []), measured(row), count_text(row["n"])]
            lines.append(line)
            before = model
    return Table(name, markdown_table(lines, [*header, "measured", "n"]) if lines else "", rows)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def at_tau(tau: str) -> str:
    return f"τ\u00a0=\u00a0{tau}"  # never broken over two lines


def count_text(n: Any) -> str:
    return "–" if pd.isna(n) else f"{int(n):,}"


def markdown_table(lines: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    safe = [[text.replace("|", "\\|") for text in line] for line in lines]
    return tabulate(safe, list(header), tablefmt="github", disable_numparse=True)
