"""Reliability diagrams: of each network how often a score is right, above how many images have that score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.measures.intervals import wilson
from overgen.report.style import GREY, WIDTH

CALIBRATED: dict[str, Any] = {"color": GREY, "lw": 1, "ls": ":"}  # the line on which scores are calibrated


def panels(drawn: Mapping[str, Callable[[Axes, Axes], None]], handles: Sequence[Line2D] = ()) -> Figure:
    """A panel for each title: what its function draws into the diagram and into the counts below it.

    handles: of the legend, to which the line of calibrated scores is added; without any there is no legend.
    """
    columns = min(2, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    height = 2.9 * rows + 0.8
    figure = plt.figure(figsize=(WIDTH, height))
    outer = figure.add_gridspec(
        rows, columns, hspace=0.24, wspace=0.06, left=0.12, right=1, top=0.97, bottom=0.8 / height
    )
    for i, (title, draw) in enumerate(drawn.items()):
        inner = outer[divmod(i, columns)].subgridspec(2, 1, height_ratios=(2.6, 1), hspace=0.08)
        above, below = figure.add_subplot(inner[0]), figure.add_subplot(inner[1])
        above.plot([0, 1], [0, 1], **CALIBRATED)
        draw(above, below)
        above.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=title)
        below.set(xlim=(-0.02, 1.02), yscale="log", ylim=(0.7, 3 * below.dataLim.y1))
        for axis in (above, below):
            axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
            axis.tick_params(labelleft=i % columns == 0)
        above.tick_params(labelbottom=False)
        below.set_yticks([1, 100, 10_000], ["1", "100", "10,000"])
        below.minorticks_off()
        if i % columns == 0:
            above.set_ylabel("share that is right")
            below.set_ylabel("images")
        if i >= len(drawn) - columns:
            below.set_xlabel("score")
    figure.align_ylabels()
    if handles:
        every = [*handles, Line2D([], [], label="calibrated", **CALIBRATED)]
        figure.legend(handles=every, loc="upper center", bbox_to_anchor=(0.55, 0.3 / height), ncols=3)
    return figure


def draw_bins(
    above: Axes, below: Axes, bins: pd.DataFrame, ink: str, *, filled: bool, marker: str = "o", shift: float = 0.0
) -> None:
    """The marks of bins, with 95 % Wilson intervals, and their counts.

    bins: a row a bin with low, high, images, score and accuracy, NaN where it is empty or its images have no labels.
    filled: marks and counts, else their outlines alone; shift: of the marks, to the side.
    """
    full = bins[bins["accuracy"].notna()]
    hits = (full["accuracy"] * full["images"]).round().astype(int)
    ends = np.array([wilson(k, n) for k, n in zip(hits, full["images"], strict=True)]).reshape(-1, 2)
    above.vlines(full["score"] + shift, *ends.T, color=ink, lw=1.2, alpha=0.7)
    fill = ink if filled else "white"
    above.plot(full["score"] + shift, full["accuracy"], marker, color=ink, mfc=fill, ms=4.5, lw=0)
    edges = [*bins["low"], bins["high"].iloc[-1]]
    below.stairs(bins["images"], edges, color=ink, fill=filled, alpha=0.4 if filled else 1, lw=0 if filled else 1.2)
