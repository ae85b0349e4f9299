"""Figures of networks at a temperature in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.measures.intervals import wilson
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, colour, style
from overgen.stages.evaluate_calibration.summary import AFTER, BEFORE, EXPERIMENT

SHIFT = 0.008  # of the marks to either side of their score, so that bars do not hide each other


def calibrated_reliability(study: Study) -> Figure | None:
    """Reliability diagrams before and after, a panel a network, and below how many test images have each score.

    On the diagonal a score is calibrated. Bars are 95 % Wilson intervals.
    """
    tables = {model: cell.table("reliability") for model, cell in study.cells("evaluate_calibration").items()}
    tables = {model: table.astype({"temperature": str}) for model, table in tables.items() if len(table)}
    if not tables:
        return None
    columns = min(2, len(tables))
    rows = math.ceil(len(tables) / columns)
    height = 2.9 * rows + 0.8
    with style():
        figure = plt.figure(figsize=(WIDTH, height))
        outer = figure.add_gridspec(
            rows, columns, hspace=0.24, wspace=0.06, left=0.12, right=1, top=0.97, bottom=0.8 / height
        )
        for i, (model, table) in enumerate(tables.items()):
            inner = outer[divmod(i, columns)].subgridspec(2, 1, height_ratios=(2.6, 1), hspace=0.08)
            above, below = figure.add_subplot(inner[0]), figure.add_subplot(inner[1])
            diagram(above, below, table, colour(model))
            fitted = study.find(experiment=EXPERIMENT, model=model, metric="temperature", fitted_on="test")
            value = f", T = {fitted['reproduced']:.2f}" if fitted else ""
            above.set_title(f"{model_name(model)}{value}")
            if i % columns == 0:
                above.set_ylabel("share that is right")
                below.set_ylabel("images")
            for axis in (above, below):
                axis.tick_params(labelleft=i % columns == 0)
            if i >= len(tables) - columns:
                below.set_xlabel("score")
        handles = [Line2D([], [], color=GREY, marker="o", mfc="white", ms=5, lw=0, label="before, T = 1"),
                   Line2D([], [], color=GREY, marker="o", ms=5, lw=0, label="after, at T"),
                   Line2D([], [], color=GREY, lw=1, ls=":", label="calibrated")]  # fmt: skip
        figure.align_ylabels()
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.55, 0.3 / height), ncols=3)
        return figure


def diagram(above: Axes, below: Axes, table: pd.DataFrame, ink: str) -> None:
    """One network's diagram and the counts of its bins. table: reliability.csv."""
    above.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
    most = 1
    for name, edge, fill, shift in ((BEFORE, GREY, "white", -SHIFT), (AFTER, ink, ink, SHIFT)):
        bins = table[table["temperature"] == name]
        full = bins[bins["images"] > 0]
        hits = (full["accuracy"] * full["images"]).round().astype(int)
        ends = np.array([wilson(k, n) for k, n in zip(hits, full["images"], strict=True)])
        above.vlines(full["score"] + shift, *ends.T, color=edge, lw=1.2, alpha=0.7)
        above.plot(full["score"] + shift, full["accuracy"], "o", color=edge, mfc=fill, ms=4.5, lw=0)
        edges = [*bins["low"], bins["high"].iloc[-1]]
        after = name == AFTER
        below.stairs(bins["images"], edges, color=edge, fill=after, alpha=0.4 if after else 1, lw=0 if after else 1.2)
        most = max(most, int(bins["images"].max()))
    above.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    above.tick_params(labelbottom=False)
    below.set(xlim=(-0.02, 1.02), yscale="log", ylim=(0.7, 3 * most))
    for axis in (above, below):
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    below.set_yticks([1, 100, 10_000], ["1", "100", "10,000"])
    below.minorticks_off()
