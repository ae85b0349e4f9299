"""What a cell takes, by what it took before: seconds, cores, memory and its share of a GPU.

`budgets/times.csv` holds what docs/costs.md states of the budgets that were run, a row a cell:

    cell          a stage's address, or the front part of several: train_openset@mnist-cnn, train_openset@mnist,
                  train_openset. The longest that fits counts.
    core_minutes  the time that it took, times the cores that it had. Where docs/costs.md states a range, its upper end.
                  Where it states several machines, the one on which it took less time.
    cores         how many it had. A process on a GPU beside others counts as one core
    memory_gib    the most that it took; empty where that was not measured
    gpu           its share of one GPU, such as 1/24; empty where none was used
    measured_on   the machine, in words

What nobody measured has no row. Another budget in params.yaml takes another time, which is not worked out here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from overgen import OvergenError
from overgen.run.durations import DURATIONS, read_durations

TIMES = Path("budgets/times.csv")
COLUMNS = ("cell", "core_minutes", "cores", "memory_gib", "gpu", "measured_on")
HERE = "this checkout"


class Hint(NamedTuple):
    """What a cell took.

    seconds: of wall time, on so many `cores`. cores, memory_gib: None where nobody measured it. gpu: the share of one;
    None where none was used. measured_on: the machine, in words; HERE where the seconds are of a run in this checkout.
    """

    seconds: float
    cores: int | None
    memory_gib: float | None
    gpu: float | None
    measured_on: str


class Hints:
    """What cells took, from files that are read once."""

    def __init__(self, root: str | Path = ".") -> None:
        """root: the checkout's. Raises OvergenError for a file that cannot be read, with the line of a bad row."""
        self._times = read_times(Path(root, TIMES))
        self._durations = read_durations(Path(root, DURATIONS))

    def of(self, address: str) -> Hint | None:
        """What the stage with this address took, such as train_openset@mnist-cnn; None where nobody measured it.

        The seconds of its last run in this checkout count before those of `budgets/times.csv`, which still gives the
        rest.
        """
        measured, seconds = longest(address, self._times), self._durations.get(address)
        if seconds is None:
            return measured
        of_table = measured or Hint(seconds, None, None, None, HERE)
        return of_table._replace(seconds=seconds, measured_on=HERE)


def hint(address: str, root: str | Path = ".") -> Hint | None:
    """What one stage took. root, errors: as of `Hints`."""
    return Hints(root).of(address)


def longest(address: str, times: dict[str, Hint]) -> Hint | None:
    """The row of the longest front part of an address: all of it, or up to an @ or a hyphen."""
    ends = [i for i, sign in enumerate(address) if sign in "@-"]
    fronts = [address, *(address[:end] for end in reversed(ends))]
    return next((times[front] for front in fronts if front in times), None)


def read_times(path: str | Path = TIMES) -> dict[str, Hint]:
    """The rows of a table as above, by cell. Raises OvergenError naming file and line of a bad row."""
    path = Path(path)
    rows: dict[str, Hint] = {}
    lines: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            if tuple(head := next(reader, [])) != COLUMNS:
                raise OvergenError(f"{path}, line 1: columns {','.join(head)}; expected {','.join(COLUMNS)}")
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                cell, found = _row(row, place)
                if cell in rows:
                    raise OvergenError(f"{place}: {cell} stands on line {lines[cell]} already; keep one")
                rows[cell], lines[cell] = found, reader.line_num
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; `git checkout {path}` brings it back") from error
    except (UnicodeError, csv.Error) as error:
        raise OvergenError(f"{path}: not CSV in UTF-8 ({error}); `git checkout {path}` brings it back") from error
    return rows


def _row(row: Sequence[str], place: str) -> tuple[str, Hint]:
    if len(row) != len(COLUMNS):
        raise OvergenError(f"{place}: has {len(row)} fields; expected {len(COLUMNS)}: {','.join(COLUMNS)}")
    values = dict(zip(COLUMNS, row, strict=True))
    for name in ("cell", "core_minutes", "cores", "measured_on"):
        if not values[name].strip():
            raise OvergenError(f"{place}: {name} is empty; a cell that was not measured has no row")
    minutes, cores, memory, gpu = (_number(values[name], name, place) for name in COLUMNS[1:5])
    assert minutes is not None
    assert cores is not None
    if cores != int(cores):
        raise OvergenError(f"{place}: cores is {values['cores']}; must be a whole number")
    if gpu is not None and gpu > 1:
        raise OvergenError(f"{place}: gpu is {values['gpu']}; must be a share of one GPU, at most 1")
    seconds = minutes * 60 / cores
    return values["cell"], Hint(seconds, int(cores), memory, gpu, values["measured_on"])


def _number(text: str, name: str, place: str) -> float | None:
    """A number above 0, such as 1.5 or 1/24; None of nothing."""
    if not text:
        return None
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        value = math.nan
    if not value > 0:
        raise OvergenError(f"{place}: {name} is {text}; must be a number above 0, such as 1.5 or 1/24")
    return value
