"""The study at a glance: one table of all models, to which stages add numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Table, at_tau, bold, entry, measured, table

LEAST = 2  # numbers of a model that is shown


class Glance(NamedTuple):
    """A number of a stage's GLANCE, which adds it to the table.

    head: of its column, in which "{tau}" is the table's threshold; find: a model's row, None for none; by: what the
    number comes from, said where several stages add to one column, of which the largest number is shown.
    """

    head: str
    find: Callable[[Study, str], Row | None]
    by: str = ""


def largest_tau(study: Study) -> str:
    """The threshold of the table: the largest at which anything was attacked; "" for none."""
    taus = set(study.rows(metric="fooling_rate")["tau"]) - {""}
    return max(taus, key=float, default="")


def glance(study: Study) -> Table:
    """A row a model with at least `LEAST` numbers, the columns in the order in which the stages add them."""
    added = [each for module in study.modules.values() for each in getattr(module, "GLANCE", ())]
    heads = list(dict.fromkeys(each.head for each in added))
    models = dict.fromkeys(model for cells in study.grid.values() for model in cells)
    lines, used = [], []
    for model in models:
        found = [largest(study, model, [each for each in added if each.head == head]) for head in heads]
        rows = [row for row, _ in found if row]
        if len(rows) >= min(LEAST, len(heads)):
            lines.append([bold(model), *(text(row, by) for row, by in found)])
            used += [row["place"] for row in rows]
    filled = [i for i in range(1, len(heads) + 1) if any(line[i] != "–" for line in lines)]
    header = ["", *(heads[i - 1].format(tau=at_tau(largest_tau(study))) for i in filled)]
    rows_shown = study.frame.iloc[list(dict.fromkeys(used))]
    return table("glance", [[line[0], *(line[i] for i in filled)] for line in lines], header, rows_shown)


def largest(study: Study, model: str, added: list[Glance]) -> tuple[Row | None, str]:
    """The largest of some numbers of a model, of equal ones the surest, and what it comes from."""
    found = [(row, each.by) for each in added if (row := each.find(study, model)) and row["reproduced"] is not None]
    found = [(row, by) for row, by in found if row["reproduced"] == row["reproduced"]]
    best = max(found, key=lambda pair: (pair[0]["reproduced"], pair[0]["low"]), default=None)
    return best or (None, "")


def text(row: Row | None, by: str) -> str:
    """A number as it stands in the table: what is reported, what is measured and, below it, its interval.

    One of several with what it comes from, without what is reported.
    """
    return f"{measured({**row, 'verdict': ''}, between='<br>')}<br>{by}" if row and by else entry(row, between="<br>")


def best_row(study: Study, **of: str | tuple[str, ...]) -> Row | None:
    """The row of some numbers that is the largest; None if there is none."""
    rows = [
        row for row in records(study.rows(**of).reset_index(names="place")) if row["reproduced"] == row["reproduced"]
    ]
    return max(rows, key=lambda row: row["reproduced"], default=None)
