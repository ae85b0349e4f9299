"""Figures of known and unknown in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import WIDTH, ImageGrid, colour, style
from overgen.stages.evaluate_scores.names import method_name
from overgen.stages.evaluate_unknowns.names import kind_name

CHANCE = 0.5  # the colour's lower end: an AUROC below it is no better than chance


def unknown_map(study: Study) -> Figure | None:
    """Which method misses which kind: AUROC of every method (rows) on every kind (columns), a panel a network.

    Methods in one order, by their mean over networks and kinds. None where no method was tried.
    """
    cells = study.cells("evaluate_unknowns")
    tables = {model: cell.table("trials") for model, cell in cells.items()}
    tables = {model: table for model, table in tables.items() if len(table)}
    if not tables:
        return None
    wide = {
        model: table.pivot(index="method", columns="kind", values="auroc")[list(dict.fromkeys(table["kind"]))]
        for model, table in tables.items()
    }
    means = pd.concat([areas.mean(axis=1) for areas in wide.values()])
    order = means.groupby(level=0).mean().sort_values(ascending=False, kind="stable").index.tolist()
    heights = [len(areas) for areas in wide.values()]
    with style():
        figure, axes = plt.subplots(
            len(wide), 1, figsize=(WIDTH, 0.2 * sum(heights) + 0.5 * len(wide) + 1.3), height_ratios=heights,
            squeeze=False,
        )  # fmt: skip
        for axis, (model, areas) in zip(axes[:, 0], wide.items(), strict=True):
            methods = [method for method in order if method in areas.index]
            drawn = axis.imshow(areas.loc[methods], vmin=CHANCE, vmax=1, cmap="cividis", aspect="auto")
            for y, x in np.ndindex(len(methods), areas.shape[1]):
                value = float(areas.loc[methods[y]].iloc[x])
                text = "1" if value >= 0.995 else f"{value:.2f}".removeprefix("0")
                axis.text(x, y, text, ha="center", va="center", fontsize=7.5, color="black" if value > 0.8 else "white")
            axis.set_yticks(range(len(methods)), [method_name(method) for method in methods])
            axis.set_title(model_name(model), loc="left", color=colour(model))
            axis.tick_params(axis="y", labelsize=8)
            axis.set_xticks(range(areas.shape[1]), [kind_name(str(kind)) for kind in areas.columns])
            axis.tick_params(axis="x", labelsize=8.5, labelrotation=35, labelbottom=axis is axes[-1, 0])
            plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
            axis.grid(visible=False)
        figure.tight_layout()
        bar = figure.colorbar(drawn, ax=axes[:, 0].tolist(), shrink=0.5, aspect=30, pad=0.02)
        bar.set_label("AUROC")
        return figure


def unknown_images(study: Study) -> Figure | None:
    """What the kinds look like: a row each, of the first network's cell, whose images all networks were shown."""
    cells = study.cells("evaluate_unknowns")
    if not cells:
        return None
    examples = next(iter(cells.values())).examples()
    with style():
        grid = ImageGrid(len(examples["kind"]), examples["image"].shape[1], head=0.36, foot=0.06)
        for r, (kind, images) in enumerate(zip(examples["kind"].tolist(), examples["image"], strict=True)):
            grid.label(r, kind_name(kind), "black")
            for c, image in enumerate(images):
                grid.image(r, c, image / 255)
        return grid.figure
