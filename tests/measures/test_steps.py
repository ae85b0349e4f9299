"""Mean updates until trials fool: intervals for trials that are alike within their class."""

from __future__ import annotations

import pandas as pd

from overgen.measures.steps import steps_row


def row(steps: list[float], classes: list[int]) -> dict[str, object]:
    return steps_row("fgn", "mean_steps_to_fool", pd.Series(steps, dtype="Int64"), pd.Series(classes), tau=0.9)


def test_a_row_says_what_its_interval_is_over() -> None:
    found = row([10, 20, 60, 70], [0, 0, 1, 1])
    assert (found["reproduced"], found["n"], found["low"], found["note"]) == (40, 4, 0, "")  # no step is below 0
    assert found["interval"] == "95 % t interval of the mean over fooled trials, drawn by class: 2 classes"
    one = row([10, 20], [3, 3])
    assert (one["low"], one["interval"], one["note"]) == (None, "none", "all that fooled are of one class")
    none = row([], [])
    assert (none["reproduced"], none["n"], none["note"]) == (None, 0, "no trial was fooled")
