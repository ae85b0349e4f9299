"""Figures of the networks that were trained elsewhere."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import WIDTH, colour, style
from overgen.stages.evaluate_confidence.figures import diagram


def adopted_reliability(study: Study) -> Figure | None:
    """How often a score of an adopted network is right, and below it how many test images have it; None without labels.

    On the diagonal a score means what it says. Bars are 95 % Wilson intervals.
    """
    tables = {model: cell.table("reliability") for model, cell in study.cells("adopt").items()}
    tables = {model: table.assign(alpha=math.nan) for model, table in tables.items() if len(table)}
    if not tables:
        return None
    columns = min(2, len(tables))
    rows = math.ceil(len(tables) / columns)
    height = 2.9 * rows + 0.6
    with style():
        figure = plt.figure(figsize=(WIDTH, height))
        outer = figure.add_gridspec(rows, columns, hspace=0.3, wspace=0.16, left=0.12, right=1, top=0.94, bottom=0.14)
        for i, (model, table) in enumerate(tables.items()):
            inner = outer[divmod(i, columns)].subgridspec(2, 1, height_ratios=(2.6, 1), hspace=0.08)
            above, below = figure.add_subplot(inner[0]), figure.add_subplot(inner[1])
            diagram(above, below, table, colour(model))
            above.set(title=model_name(model), ylabel="share that is right")
            below.set(xlabel="score", ylabel="images")
        return figure
