"""Figures of the smallest changes in the report."""

from __future__ import annotations

import math
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, ImageGrid, colour, style
from overgen.run.results import Cell


def cell_of(study: Study) -> Cell:
    """The one cell of the stage, which holds all networks."""
    return next(iter(study.cells("fool_lbfgs").values()))


def smallest_changes(study: Study) -> Figure:
    """The smallest changes: a row a network; in threes an image, the changed one, and ten times the difference.

    Under a changed image the label that it gets and the rms of the change. Ten times the difference
    is black at −1, grey at 0 and white at 1.
    """
    examples = cell_of(study).examples()
    networks = [str(name) for name in examples["network"]]
    shown = min(4, examples["image"].shape[1])
    with style():
        grid = ImageGrid(len(networks), 3 * shown, gap=0.34)
        for r, c in product(range(len(networks)), range(shown)):
            original, image = examples["original"][r, c] / 255, examples["image"][r, c].astype(np.float64)
            fooled, rms = bool(examples["fooled"][r, c]), float(np.sqrt(np.square(image - original).mean()))
            text = f"{examples['target'][r, c]}, {rms:.3f}" if fooled else "–"
            grid.image(r, 3 * c, original, text=str(examples["label"][r, c]))
            grid.image(r, 3 * c + 1, image, text=text, frame=colour(networks[r]) if fooled else None)
            grid.image(r, 3 * c + 2, np.clip((1 + 10 * (image - original)) / 2, 0, 1))
        for r, name in enumerate(networks):
            grid.label(r, model_name(name), colour(name))
        grid.titles(["image", "changed", "10 × Δ"] * shown)
        return grid.figure


def transfer(study: Study) -> Figure:
    """Errors of each network (columns) on the examples made for each (rows), in percent, a panel a distortion."""
    import seaborn as sns  # takes a second

    table = cell_of(study).table("transfer")
    names = list(dict.fromkeys(table["made_for"]))
    titles = {"smallest": "smallest distortion", "magnified": "the same distortion for all"}
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.6), sharey=True)
        for axis, (kind, title) in zip(axes, titles.items(), strict=True):
            pairs = table[table["images"] == kind]
            share = (100 * pairs["wrong"] / pairs["n"]).to_numpy()
            matrix = pd.DataFrame({"row": pairs["made_for"], "column": pairs["judge"], "share": share})
            matrix = matrix.pivot(index="row", columns="column", values="share").reindex(index=names, columns=names)
            labels = [model_name(name) for name in names]
            sns.heatmap(
                matrix, ax=axis, annot=True, fmt=".0f", vmin=0, vmax=100, cmap="Blues", cbar=False, square=True,
                linewidths=1, xticklabels=labels, yticklabels=labels,
            )  # fmt: skip
            axis.set(title=title, xlabel="errors of, %", ylabel="made for" if kind == "smallest" else "")
            axis.tick_params(axis="x", rotation=40)
            plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
        figure.tight_layout()
        return figure


def stability(study: Study) -> Figure:
    """Images that keep their label under uniform noise on n pixels, against n, and (1 − ε)ⁿ: a panel a network."""
    table = cell_of(study).table("stability")
    names = list(dict.fromkeys(table["network"]))
    with style():
        rows = math.ceil(len(names) / 3)
        figure, axes = plt.subplots(rows, 3, figsize=(10.5, 2.7 * rows + 0.6), sharex=True, sharey=True, squeeze=False)
        for axis, name in zip(axes.flat, names, strict=False):
            curve = table[table["network"] == name]
            axis.plot(curve["pixels"], 100 * curve["fitted"], "--", color=GREY, lw=1.6)
            axis.plot(curve["pixels"], 100 * curve["kept"] / curve["images"], "-o", color=colour(name), ms=4, lw=1.6)
            axis.set(title=model_name(name), xscale="log", ylim=(0, 102))
            axis.set_xticks([1, 10, 100, 784], ["1", "10", "100", "784"])
            axis.minorticks_off()
        for axis in axes.flat[len(names) :]:
            axis.set_visible(False)
        for axis in axes[-1]:
            axis.set_xlabel("pixels changed")
        for axis in axes[:, 0]:
            axis.set_ylabel("label kept, %")
        figure.tight_layout()
        handles = [plt.Line2D([], [], marker="o", color=GREY, ms=4, lw=1.6, label="counted"),
                   plt.Line2D([], [], ls="--", color=GREY, lw=1.6, label="(1 − ε)ⁿ, fitted")]  # fmt: skip
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
        return figure
