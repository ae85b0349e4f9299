"""Figures of gradient attacks in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.grid import Cell
from overgen.report.names import START_NAMES, model_name
from overgen.report.style import GREY, ImageGrid, colour, legend_below, passage_curve, score_text, style, updates_axis


def gradient_passage(cells: Mapping[str, Cell], taus: Sequence[str], updates: int) -> Figure:
    """Share of trials that gradient attacks on ỹ have fooled, against updates: rows are starts, columns thresholds.

    cells: fool_gradient by model; the updates are those of all attacks in turn; the paper's α of a τ.
    """
    trials = {model: cell.table("trials") for model, cell in cells.items()}
    starts = list(dict.fromkeys(next(iter(trials.values()))["start"]))
    with style():
        figure, axes = plt.subplots(
            len(starts), len(taus), figsize=(9.2, 2.4 * len(starts) + 0.6), sharex=True, sharey=True, squeeze=False
        )
        for (r, start), (c, tau) in product(enumerate(starts), enumerate(taus)):
            axis = axes[r, c]
            for model, table in trials.items():
                mine = table[(table["start"] == start) & (table["tau"] == float(tau))]
                mine = mine[mine["alpha"] == mine["alpha"].iloc[0]]
                passage_curve(axis, model, mine["step"], updates)
            axis.set(title=f"from {START_NAMES.get(start, start)}, τ = {tau}", ylim=(0, 100))
            updates_axis(axis, updates)
        for axis in axes[-1]:
            axis.set_xlabel("updates")
        for axis in axes[:, 0]:
            axis.set_ylabel("fooled, %")
        legend_below(figure, axes[0, 0])
        return figure


def gradient_images(cells: Mapping[str, Cell]) -> Figure:
    """What gradient attacks on ỹ end at, at the highest τ with the paper's α: a row a model and start.

    cells: fool_gradient by model. Under each image its score ỹ; a frame in the model's colour and ✓ where it fooled.
    """
    rows = []
    for model, cell in cells.items():
        found = cell.examples()
        top = found["tau"] == found["tau"].max()
        top &= found["alpha"] == found["alpha"][top][0]
        for i in np.flatnonzero(top):
            start = str(found["start"][i])
            label = f"{model_name(model)}\nfrom {START_NAMES.get(start, start)}"
            rows.append((model, label, {k: found[k][i] for k in ("image", "score", "fooled")}))
    with style():
        grid = ImageGrid(len(rows), len(rows[0][2]["score"]), gap=0.34)
        for r, (model, label, images) in enumerate(rows):
            grid.label(r, label, colour(model))
            for c, (image, score, fooled) in enumerate(zip(*images.values(), strict=True)):
                frame, ink = (colour(model), "black") if fooled else (None, GREY)
                grid.image(
                    r, c, image, frame=frame, text=f"{score_text(float(score))} {'✓' if fooled else '–'}", ink=ink
                )
        grid.titles([str(c) for c in range(grid.columns)])
        return grid.figure
