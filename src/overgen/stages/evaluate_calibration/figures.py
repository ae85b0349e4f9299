"""Figures of networks at a temperature in the report."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.report.names import model_name
from overgen.report.reliability import draw_bins, panels
from overgen.report.study import Study
from overgen.report.style import GREY, colour, style
from overgen.stages.evaluate_calibration.summary import AFTER, BEFORE, EXPERIMENT

SHIFT = 0.008  # of the marks to either side of their score, so that bars do not hide each other


def calibrated_reliability(study: Study) -> Figure | None:
    """Reliability diagrams before and after, a panel a network, and below how many test images have each score.

    On the diagonal a score is calibrated. Bars are 95 % Wilson intervals.
    """
    tables = {model: cell.table("reliability") for model, cell in study.cells("evaluate_calibration").items()}
    drawn = {
        title(study, model): partial(diagram, table=table.astype({"temperature": str}), ink=colour(model))
        for model, table in tables.items()
        if len(table)
    }
    if not drawn:
        return None
    handles = [Line2D([], [], color=GREY, marker="o", mfc="white", ms=5, lw=0, label="before, T = 1"),
               Line2D([], [], color=GREY, marker="o", ms=5, lw=0, label="after, at T")]  # fmt: skip
    with style():
        return panels(drawn, handles)


def title(study: Study, model: str) -> str:
    """The name of a network, with its temperature."""
    fitted = study.find(experiment=EXPERIMENT, model=model, metric="temperature", fitted_on="test")
    return f"{model_name(model)}, T = {fitted['reproduced']:.2f}" if fitted else model_name(model)


def diagram(above: Axes, below: Axes, *, table: pd.DataFrame, ink: str) -> None:
    """One network's diagram and the counts of its bins. table: reliability.csv."""
    for name, edge, shift in ((BEFORE, GREY, -SHIFT), (AFTER, ink, SHIFT)):
        draw_bins(above, below, table[table["temperature"] == name], edge, filled=name == AFTER, shift=shift)
