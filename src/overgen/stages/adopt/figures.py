"""Figures of the networks that were trained elsewhere."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.reliability import draw_bins, panels
from overgen.report.study import Study
from overgen.report.style import colour, style


def adopted_reliability(study: Study) -> Figure | None:
    """How often a score of an adopted network is right, and below it how many test images have it; None without labels.

    On the diagonal a score means what it says. Bars are 95 % Wilson intervals.
    """
    tables = {model: cell.table("reliability") for model, cell in study.cells("adopt").items()}
    drawn = {
        model_name(model): partial(draw_bins, bins=table, ink=colour(model), filled=True)
        for model, table in tables.items()
        if len(table)
    }
    if not drawn:
        return None
    with style():
        return panels(drawn)
