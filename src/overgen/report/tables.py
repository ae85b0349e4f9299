"""Tables of a report: from measured numbers to Markdown and the rows shown.

Every number shown is one of `reproduced.csv`, rounded for reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from tabulate import tabulate

from overgen.report.names import mark, metric_name, model_name, number, start_mark
from overgen.report.reported import records
from overgen.report.study import Numbers, Row, as_reproduced

Show = Callable[..., str]  # from the row of each metric of a column, None where there is none, to what is written
Labels = dict[str, Callable[[Row], str]]  # of a line, by heading
DIFFERENCES = ("percentage points", "dB")  # units, of which the sign says which is larger


class Table(NamedTuple):
    """A table of a report. rows: the rows of `reproduced.csv` that it shows, written beside it as CSV."""

    name: str
    markdown: str
    rows: pd.DataFrame


class Column(NamedTuple):
    """A column of `pivot`. metrics: whose rows `show` is given; of: what else they have in common, see `find`."""

    head: str
    metrics: tuple[str, ...]
    show: Show
    of: Mapping[str, str]


def measured(row: Row | None, unit: str = "", between: str = " ") -> str:
    """A measured number with the signs of its verdict and of its start, and its interval; "–" for none.

    "34.5 (✓)† [28.3–41.3]": see `names.legend`.

    unit: what follows the number; between: what stands before the interval. A low end alone leaves it open above:
    "[18–∞]", as for generations that some runs never reach.
    """
    if row is None:
        return "–"
    sign = mark(row["verdict"]) + start_mark(row["note"])
    sign = f" {sign}" if row["verdict"] else sign
    if pd.isna(row["reproduced"]):
        return f"–{sign}"
    text = number(row["reproduced"], row["metric"], row["unit"]).replace("-", "−") + unit + sign
    if pd.isna(row["low"]) or row["low"] == row["high"]:  # one without a width says nothing
        return text
    low, high = end(row, "low"), "∞" if pd.isna(row["high"]) else end(row, "high")
    if low.startswith("-"):  # of a difference
        return f"{text}{between}[{low} to {high}]".replace("-", "−")
    return f"{text}{between}[{low}–{high}]"


def end(row: Row, which: str) -> str:
    """An end of an interval; of a difference never 0 where it is not: on its sign hangs what is said of it."""
    text = number(row[which], row["metric"], row["unit"])
    if row["unit"] in DIFFERENCES and abs(row[which]) >= 1e-3 and not text.strip("-0."):
        return f"{row[which]:.1g}"
    return text


def reported(row: Row | None, unit: str = "") -> str:
    """A reported number as the paper prints it; "–" for none."""
    return f"{row['value']}{unit}" if row is not None and row["value"] != "" else "–"


def entry(row: Row | None, between: str = " ") -> str:
    """A reported number and the measured one, "34.5 → 34.5 (✓) [28.3–41.3]"; the latter alone if none is reported."""
    ours = measured(row, between=between)
    return ours if reported(row) == "–" else f"{reported(row)} → {ours}"


def broken(row: Row | None) -> str:
    """A measured number with its interval on a second line, for narrow columns."""
    return measured(row, between="<br>")


def plain(row: Row | None) -> str:
    """A measured number alone."""
    return "–" if row is None or pd.isna(row["reproduced"]) else number(row["reproduced"], row["metric"], row["unit"])


def column(head: str, *metrics: str, show: Show = measured, **of: str) -> Column:
    return Column(head, metrics, show, of)


def with_reported(columns: Iterable[Column], has_reported: bool, head: str = "{}", first: str = "{}") -> list[Column]:
    """Before each column the reported number, where any is; head, first: how the two are headed, from the column's."""
    shown: list[Column] = []
    for each in columns:
        shown += [each._replace(head=first.format(each.head), show=reported)] if has_reported else []
        shown.append(each._replace(head=head.format(each.head)) if has_reported else each)
    return shown


def pivot(
    numbers: Numbers,
    name: str,
    rows: pd.DataFrame,
    by: Sequence[str],
    labels: Labels,
    columns: Sequence[Column],
    *,
    once: int = 1,
    whole: bool = False,
    of: Mapping[str, str] | None = None,
) -> Table:
    """A table with a line for each different value of some keys of `rows`, in the order in which they come.

    by: these keys; labels: by heading, what is written of the first row of a line; once: how many labels are left out
    where they repeat those above; columns: what stands in a line; of: what all its numbers have in common, by key.
    A line without any number is left out. The rows of the table are those shown, line by line; with `whole` all `rows`.
    """
    lines: list[list[str]] = []
    used: list[int] = []
    first = records(rows.assign(**{key: "" for key in by if key not in rows}).drop_duplicates(list(by)))
    for row in first:
        at = dict(of or {}) | {key: row[key] for key in by}
        cells = [[numbers.find(**at | dict(each.of) | {"metric": m}) for m in each.metrics] for each in columns]
        places = [row["place"] for cell in cells for row in cell if row]
        if places:
            used += places
            shown = [each.show(*cell) for each, cell in zip(columns, cells, strict=True)]
            lines.append([*(write(row) for write in labels.values()), *shown])
    header = [*labels, *(each.head for each in columns)]
    shown_rows = rows.sort_index() if whole else numbers.frame.iloc[list(dict.fromkeys(used))]
    return table(name, without_repeats(lines, once), header, shown_rows)


def listing(name: str, rows: pd.DataFrame, labels: Labels, *, once: int = 1) -> Table:
    """A table with a line for each row: labels, unit, what is reported where anything is, what is measured, and n.

    labels, once: as for `pivot`.
    """
    has_reported = bool((rows["value"] != "").any())
    lines = []
    for row in records(rows):
        shown = [*([reported(row)] if has_reported else []), measured(row), count_text(row["n"])]
        lines.append([*(write(row) for write in labels.values()), row["unit"], *shown])
    header = [*labels, "unit", *(["reported"] if has_reported else []), "measured", "n"]
    return table(name, without_repeats(lines, once), header, rows.sort_index())


def without_repeats(lines: Sequence[list[str]], labels: int) -> list[list[str]]:
    """Lines whose first labels are empty as far as they are those of the line above."""
    shown = []
    for above, line in zip([[""] * labels, *lines], lines, strict=False):
        same = next((i for i in range(labels) if line[i] != above[i]), labels)
        shown.append([""] * same + line[same:])
    return shown


def grouped(rows: pd.DataFrame, **orders: Iterable[str]) -> pd.DataFrame:
    """Rows sorted by some columns. orders: by column its values in order; if empty, as they come in the rows."""
    for name, order in reversed(orders.items()):
        place = {value: i for i, value in enumerate(order or dict.fromkeys(rows[name]))}
        rows = rows.iloc[sorted(range(len(rows)), key=[place[value] for value in rows[name]].__getitem__)]
    return rows


def by_metric(name: str, rows: pd.DataFrame) -> Table:
    """`listing` by model and number."""
    rows = grouped(rows, model=())
    return listing(name, rows, MODEL | {"number": row_name} | (TAU if (rows["tau"] != "").any() else {}))


def table(name: str, lines: Sequence[Sequence[str]], header: Sequence[str], rows: pd.DataFrame) -> Table:
    """A table of some lines, empty if there are none."""
    return Table(name, markdown_table(lines, header) if lines else "", as_reproduced(rows))


def markdown_table(lines: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    safe = [[text.replace("|", "\\|") for text in line] for line in lines]
    return tabulate(safe, list(header), tablefmt="github", disable_numparse=True)


def bold(model: str) -> str:
    """A model at the beginning of its lines."""
    return f"**{model_name(model)}**"


def row_name(row: Row) -> str:
    """What a row is of, but for its model and τ: "trials that fool, α = 2"."""
    return metric_name(row["text"])


def some_classes(row: Row | None) -> str:
    """ "in 1 of 10 classes" of a row of `classes_fooled`; "" where a trial of every class fooled, or none."""
    if row is None or row["reproduced"] in (0, row["n"]):
        return ""
    return f"in {row['reproduced']:g} of {row['n']} classes"


def over_classes(row: Row | None) -> str:
    """ "over classes [28.3–41.3]" of a row of `fooling_rate_over_classes`; "" where they do not differ."""
    if row is None or pd.isna(row["low"]):
        return ""
    return "over classes " + measured(row).partition(" ")[2]


def at_tau(tau: str) -> str:
    return f"τ\u00a0=\u00a0{tau}"  # never broken over two lines


def count_text(n: Any) -> str:
    return "–" if pd.isna(n) else f"{int(n):,}"


def n_text(row: Row | None) -> str:
    """The n of a number, as a column shows it."""
    return count_text(None if row is None else row["n"])


MODEL: Labels = {"": lambda row: bold(row["model"])}  # the first label of most tables
TAU: Labels = {"τ": lambda row: row["tau"] or "–"}
