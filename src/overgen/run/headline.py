"""The headline of a cell: the few numbers that say what came out of it, in a line and as columns in MLflow.

A stage may have a file `headline.py` with

    NUMBERS = {"fooled": ("fgn", "fooling_rate"), "updates": ("fgn", "mean_steps_to_fool")}
    SAYS = ("fooled {fooled.hits} of {fooled.n} at τ {fooled.tau:g}", "in a mean of {updates:.0f} updates")

NUMBERS names rows of the cell's metrics.json by experiment and metric, as patterns of `fnmatch`: of several that
match, the last one that has a value, at the largest τ. A third element "n" asks for what the row counts, in place of
its value. SAYS are the parts of the line; one is left out where a number of it does not exist (no mean over no trial).
Where there is no such file, or nothing that it names, the first row of metrics.json is told. No result hangs on it.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Number:
    """A number of a cell: its value, how many it is of, the threshold τ (NaN if none) and its unit."""

    value: float
    n: int
    tau: float
    unit: str

    @property
    def hits(self) -> int:
        """How many of the n, where the value is a share in percent."""
        return round(self.value * self.n / 100)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else f"{self.value:.4g}{' %' if self.unit == 'percent' else ''}"


def numbers(stage: str, rows: Sequence[Row]) -> dict[str, Number]:
    """The numbers of the headline of a stage's cell, by name; those that do not exist are left out.

    rows: "metrics" of its metrics.json.
    """
    asked, counts = _asked(stage, rows)
    found = {name: _number(row, count=name in counts) for name, row in asked.items()}
    return {name: number for name, number in found.items() if number is not None}


def line(stage: str, rows: Sequence[Row]) -> str:
    """What came out of a stage's cell, in a few words; "" where there is no number to tell."""
    named, known = _file(stage), numbers(stage, rows)
    if named is None or not known.keys() <= named.NUMBERS.keys():
        return ", ".join(f"{name} {number}" for name, number in known.items())
    parts = []
    for part in named.SAYS:
        try:
            parts.append(part.format(**known))
        except KeyError:  # a number that does not exist
            continue
    return ", ".join(parts)


def _asked(stage: str, rows: Sequence[Row]) -> tuple[dict[str, Row], set[str]]:
    """The rows of the headline by name, and the names of those that are asked for what they count."""
    if named := _file(stage):
        asked = {name: _matching(rows, *spec[:2]) for name, spec in named.NUMBERS.items()}
        if present := {name: row for name, row in asked.items() if row is not None}:
            return present, {name for name in present if named.NUMBERS[name][2:] == ("n",)}
    return {row["metric"].partition("@")[0]: row for row in rows[:1]}, set()


def _file(stage: str) -> Any:
    """The stage's `headline.py`; None if it has none."""
    name = f"overgen.stages.{stage}.headline"
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return None if found is None else importlib.import_module(name)


def _matching(rows: Sequence[Row], experiment: str, metric: str) -> Row | None:
    matching = [r for r in rows if fnmatchcase(r["experiment"], experiment) and fnmatchcase(r["metric"], metric)]
    largest = max((row["tau"] for row in matching if row["tau"] is not None), default=None)
    chosen = [row for row in matching if row["tau"] == largest]
    return next((row for row in reversed(chosen) if row["reproduced"] is not None), chosen[-1] if chosen else None)


def _number(row: Row, *, count: bool) -> Number | None:
    value = row["n"] if count else row["reproduced"]
    if value is None:
        return None
    tau = math.nan if row["tau"] is None else row["tau"]
    return Number(float(value), row["n"] or 0, tau, "" if count else row["unit"])
