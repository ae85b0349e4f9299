"""Figures of the smallest changes in the report."""

from __future__ import annotations

import math
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.measures.intervals import wilson
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, blank, colour, legend_below, style


def smallest_changes(study: Study) -> Figure:
    """The smallest changes: the first column an image, then for each network the changed one above, Δ below.

    Under a changed image the label that it gets and the rms of the change. Ten times the difference Δ
    is black at −1, grey at 0 and white at 1.
    """
    examples = study.cell("fool_lbfgs").examples()
    networks = [str(name) for name in examples["network"]]
    shown = min(3, examples["image"].shape[1])
    with style():
        grid = ImageGrid(2 * shown, 1 + len(networks), head=0.04, foot=0.22, side=0.76)
        for r, c in product(range(shown), range(len(networks))):
            original, image = examples["original"][c, r] / 255, examples["image"][c, r].astype(np.float64)
            fooled, rms = bool(examples["fooled"][c, r]), float(np.sqrt(np.square(image - original).mean()))
            text = f"{examples['target'][c, r]}, {rms:.3f} ✓" if fooled else "–"
            if c == 0:
                grid.text(2 * r + 1, 0, "10 × Δ")
                grid.image(2 * r, 0, original, text=f"{examples['label'][c, r]}")
            grid.image(2 * r, c + 1, image, text=text, frame=colour(networks[c]) if fooled else None)
            grid.image(2 * r + 1, c + 1, np.clip((1 + 10 * (image - original)) / 2, 0, 1))
        grid.titles(["image", *(broken(model_name(name)) for name in networks)])
        return grid.figure


def broken(name: str) -> str:
    """A long name on two lines."""
    return name.replace("-", "-\n", 1) if len(name) > 10 else name


def transfer(study: Study) -> Figure:
    """Errors of each network (columns) on the examples made for each (rows), in percent, a panel a distortion."""
    import seaborn as sns  # takes a second

    table = study.cell("fool_lbfgs").table("transfer")
    names = list(dict.fromkeys(table["made_for"]))
    titles = {"smallest": "smallest distortion", "magnified": "the same distortion for all"}
    with style():
        figure, axes = plt.subplots(2, 1, figsize=(5.2, 7.8), sharex=True)
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
            axis.set(title=title, xlabel="" if kind == "smallest" else "errors of, %", ylabel="made for")
            axis.tick_params(axis="x", rotation=40, labelbottom=kind != "smallest")
            axis.tick_params(axis="y", rotation=0)
            plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
        figure.tight_layout()
        return figure


def stability(study: Study) -> Figure:
    """Images that keep their label under uniform noise on n pixels, against n, and (1 − ε)ⁿ: a panel a network.

    Bars are 95 % Wilson intervals.
    """
    table = study.cell("fool_lbfgs").table("stability")
    names = list(dict.fromkeys(table["network"]))
    columns = min(3, len(names))
    with style():
        rows = math.ceil(len(names) / columns)
        figure, axes = plt.subplots(
            rows, columns, figsize=(WIDTH, 1.9 * rows + 0.5), sharex=True, sharey=True, squeeze=False
        )
        for axis, name in zip(axes.flat, names, strict=False):
            curve = table[table["network"] == name]
            ends = 100 * np.array([wilson(k, n) for k, n in zip(curve["kept"], curve["images"], strict=True)])
            axis.plot(curve["pixels"], 100 * curve["fitted"], "--", color="black", lw=1.2)
            axis.vlines(curve["pixels"], *ends.T, color=colour(name), lw=1.6)
            axis.plot(curve["pixels"], 100 * curve["kept"] / curve["images"], "-o", color=colour(name), ms=3.5, lw=1.4)
            axis.set(title=model_name(name), xscale="log", ylim=(0, 103))
            axis.set_xticks([1, 10, 100], ["1", "10", "100"])
            axis.minorticks_off()
        blank(axes.flat[len(names) :])
        for axis in axes[-1]:
            axis.set_xlabel("pixels changed")
        for axis in axes[:, 0]:
            axis.set_ylabel("label kept, %")
        counts = sorted({f"{n:,}" for n in table["images"]})
        handles = [plt.Line2D([], [], marker="o", color=GREY, ms=4, lw=1.4, label=f"counted, n = {', '.join(counts)}"),
                   plt.Line2D([], [], ls="--", color="black", lw=1.2, label="(1 − ε)ⁿ, fitted")]  # fmt: skip
        legend_below(figure, axes[0, 0], handles, columns=2)
        return figure
