"""Figures of what the code of an autoencoder is good for."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, legend_below, style
from overgen.stages.explore_transfer.names import (
    CODE,
    PIXELS,
    SCRATCH,
    feature_colour,
    feature_name,
    labelled,
)

WRONG = "#d55e00"


def transfer_labels(study: Study) -> Figure:
    """Accuracy by the number of labelled images, a line for each kind of features, with intervals over draws."""
    rows = study.rows(experiment="transfer_learning", metric="accuracy")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.9))
        for features, own in rows.groupby("features", sort=False):
            counts, ink = own["labels"].astype(int), feature_colour(str(features))
            line = "--" if features in labelled(study) else ":" if features == SCRATCH else "-"
            axis.plot(counts, own["reproduced"], line, color=ink, marker="o", ms=3.5,
                      label=feature_name(study, str(features)))  # fmt: skip
            axis.fill_between(counts, own["low"], own["high"], color=ink, alpha=0.1, lw=0)
        ticks = sorted(set(rows["labels"].astype(int)))
        axis.set_xscale("log")
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.set(xlabel="labelled images", ylabel="test images that are right, %", ylim=(None, 100))
        legend_below(figure, axis, columns=3)
        return figure


def transfer_layers(study: Study) -> Figure:
    """What a linear decoder of the class reads from each layer, from the lowest up, a line a network."""
    rows = study.rows(experiment="transfer_learning", metric="layer_accuracy")
    networks = list(dict.fromkeys(rows["network"]))
    with style():
        figure, axes = plt.subplots(
            1, len(networks), figsize=(WIDTH, 2.7), sharey=True, squeeze=False,
            width_ratios=[(rows["network"] == network).sum() for network in networks],
        )  # fmt: skip
        for axis, network in zip(axes[0], networks, strict=True):
            own = rows[rows["network"] == network]
            ends = np.abs(own[["low", "high"]].to_numpy().T - own["reproduced"].to_numpy())
            places = range(len(own))
            axis.errorbar(
                places, own["reproduced"], ends, color=feature_colour(network), marker="o", ms=5, capsize=3, lw=1.4
            )
            axis.set_xticks(places, own["layer"])
            axis.set_xlim(-0.4, len(own) - 0.6)
            axis.set_title(feature_name(study, network))
        axes[0, 0].set_ylabel("right, %")
        figure.tight_layout()
        return figure


def search_precision(study: Study) -> Figure:
    """How many of the first answers are of the query's class, by features, with intervals over classes."""
    rows = study.rows(experiment="transfer_learning", metric="precision")
    features, counts = list(dict.fromkeys(rows["features"])), sorted(set(rows["at"].astype(int)))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.5 * len(features) + 1.3))
        for i, k in enumerate(counts):
            own = rows[rows["at"] == str(k)].set_index("features").loc[features]
            places = np.arange(len(features)) + 0.2 * (i - (len(counts) - 1) / 2)
            ends = np.abs(own[["low", "high"]].to_numpy().T - own["reproduced"].to_numpy())
            for place, value, end, name in zip(places, own["reproduced"], ends.T, features, strict=True):
                axis.errorbar(value, place, xerr=end[:, None], color=feature_colour(name), marker="os^Dv"[i % 5],
                              mfc="white" if i else None, ms=5.5, capsize=2, lw=1.2)  # fmt: skip
        handles = [
            plt.Line2D([], [], color=GREY, marker="os^Dv"[i % 5], mfc="white" if i else GREY, lw=0, label=text)
            for i, text in enumerate("the first answer" if k == 1 else f"the first {k}" for k in counts)
        ]
        axis.set_yticks(range(len(features)), [feature_name(study, name) for name in features])
        axis.set_ylim(len(features) - 0.5, -0.5)
        axis.set_xlim(right=100)
        axis.set_xlabel("answers of the query's class, %")
        legend_below(figure, axis, handles)
        return figure


def search_answers(study: Study) -> Figure:
    """A query of each class with its first answers, by pixels on the left and by the code on the right."""
    arrays = study.cell("explore_transfer").examples()
    count, shown = arrays["answer"].shape[1:3]
    with style():
        grid = ImageGrid(count, 2 * shown + 1, head=0.04, foot=0.06, side=WIDTH / (1.1 * (2 * shown + 1)))
        for row in range(count):
            grid.image(row, shown, arrays["query"][row] / 255, frame="black")
            for side in range(2):
                for i in range(shown):
                    right = bool(arrays["right"][side, row, i])
                    column = shown - 1 - i if side == 0 else shown + 1 + i
                    grid.image(row, column, arrays["answer"][side, row, i] / 255, frame=None if right else WRONG)
        names = [feature_name(study, name) for name in (PIXELS, CODE)]
        titles = [""] * (2 * shown + 1)
        titles[(shown - 1) // 2], titles[shown], titles[shown + 1 + (shown - 1) // 2] = (
            f"← {names[0]}",
            "query",
            f"{names[1]} →",
        )
        grid.titles(titles)
        return grid.figure
