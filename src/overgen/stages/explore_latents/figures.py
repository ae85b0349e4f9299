"""Figures of latents."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, WIDTH, ImageGrid, blank, colour, legend_below, style
from overgen.stages.explore_latents.names import drawn_name

CLASS_COLOURS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#a6761d", "#4b2c7f", "#5a5a5a", "#bcbd22",
                 "#56b4e9")  # fmt: skip
INKS = {"network": "#b2182b", "codes": "#de8f05", "variational": "#0173b2", "images": "#1b1b1b"}
MOST = 10  # classes that have a panel of their own


def latents_plane(study: Study) -> Figure:
    """Test images by class: in the plane of the two first principal components of the latents, and by t-SNE."""
    arrays = examples(study)
    labels = np.unique(arrays["label"])
    with style():
        figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 7.6))
        for axis, key, title in zip(
            axes, ("plane", "tsne"), ("two principal components of the latents", "t-SNE of the latents"), strict=True
        ):
            for c in labels:
                x, y = arrays[key][arrays["label"] == c].T
                axis.scatter(x, y, s=9, color=CLASS_COLOURS[c % len(CLASS_COLOURS)], lw=0, alpha=0.75)
            axis.set_title(title)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(visible=False)
        handles = [
            plt.Line2D([], [], color=CLASS_COLOURS[c % len(CLASS_COLOURS)], marker="o", lw=0, label=arrays["class"][c])
            for c in labels
        ]
        legend_below(figure, axes[1], handles, columns=5)
        return figure


def latents_by_class(study: Study) -> Figure:
    """The same plane, a panel a class, the others in grey behind it."""
    arrays = examples(study)
    labels = np.unique(arrays["label"])[:MOST]
    columns = 5
    rows = -(-len(labels) // columns)
    with style():
        figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.4 * rows), squeeze=False, sharex=True, sharey=True)
        for axis, c in zip(axes.flat, labels, strict=False):
            own = arrays["label"] == c
            axis.scatter(*arrays["plane"][~own].T, s=2, color="#d9d9d9", lw=0)
            axis.scatter(*arrays["plane"][own].T, s=5, color=CLASS_COLOURS[c % len(CLASS_COLOURS)], lw=0)
            axis.set_title(arrays["class"][c], fontsize=9.5)
            axis.set_xticks([])
            axis.set_yticks([])
        blank(axes.flat[len(labels) :])
        figure.tight_layout(h_pad=0.4, w_pad=0.4)
        return figure


def latents_noise(study: Study) -> Figure:
    """How many answers of the classifier stay under noise on the latents, with intervals over classes."""
    rows = study.rows(experiment="latents", metric="kept")
    levels = rows["noise"].astype(float)
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 2.9))
        axis.plot(levels, rows["reproduced"], color=colour("cnn"), marker="o", ms=4)
        axis.fill_between(levels, rows["low"], rows["high"], color=colour("cnn"), alpha=0.15, lw=0)
        axis.set(
            xlabel="noise on each unit, in deviations of the latents", ylabel="answers that stay, %", ylim=(0, 103)
        )
        figure.tight_layout()
        return figure


def latents_neighbours(study: Study) -> Figure:
    """A latent of each class, decoded under growing noise, a column a level."""
    images, levels = examples(study)["noisy"], study.settings[f"explore_latents.{study.dataset}.noises"]
    with style():
        rows = min(MOST, images.shape[1])
        grid = ImageGrid(rows, len(levels), head=0.04, foot=0.06, side=min(0.75, WIDTH / (PITCH * len(levels))))
        for row in range(rows):
            for column in range(len(levels)):
                grid.image(row, column, images[column, row] / 255)
        grid.titles([f"{level:g}" for level in levels])
        return grid.figure


def latents_between(study: Study) -> Figure:
    """From one image to another: decoded between their latents, and blended pixel by pixel."""
    images = examples(study)["between"]
    with style():
        grid = ImageGrid(2, images.shape[1], head=0.36, foot=0.06, side=WIDTH / (PITCH * images.shape[1]))
        for row, name in enumerate(("between their latents", "blended in pixels")):
            grid.label(row, name, "black")
            for column, image in enumerate(images[row]):
                grid.image(row, column, image / 255)
        return grid.figure


def latents_drawn(study: Study) -> Figure:
    """Pictures that are decoded from drawn latents, a row a source and way: framed where the dAE recognises them."""
    arrays = examples(study)
    with style():
        grid = ImageGrid(len(arrays["name"]), arrays["drawn"].shape[1], head=0.36, foot=0.06, side=0.68)
        for row, name in enumerate(arrays["name"]):
            group, _, way = str(name).partition(".")
            grid.label(row, drawn_name(group, way), INKS[group])
            for column, image in enumerate(arrays["drawn"][row]):
                frame = colour("dae_sym") if arrays["passed"][row, column] else None
                grid.image(row, column, image / 255, frame=frame)
        return grid.figure


def latents_recognised(study: Study) -> Figure:
    """How many pictures of each source and way are recognised, by y of the classifier and by ỹ of the dAE."""
    rows = study.rows(experiment="latents", metric="recognised")
    kinds = list(rows.drop_duplicates(["of", "way"])[["of", "way"]].itertuples(index=False, name=None))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.32 * len(kinds) + 1.3))
        for shift, judge, mark, fill in ((-0.12, "classifier", "o", "white"), (0.12, "judge", "s", None)):
            for place, (group, way) in enumerate(kinds):
                row = rows[(rows["of"] == group) & (rows["way"] == way) & (rows["judge"] == judge)].iloc[0]
                ends = [[row["reproduced"] - row["low"]], [row["high"] - row["reproduced"]]]
                axis.errorbar(row["reproduced"], place + shift, xerr=ends, color=INKS[group], marker=mark, mfc=fill,
                              ms=5.5, capsize=2, lw=1.2)  # fmt: skip
        tau = rows["tau"].iloc[0]
        handles = [
            plt.Line2D([], [], color=GREY, marker="o", mfc="white", lw=0, label=f"CNN, y > {tau}"),
            plt.Line2D([], [], color=GREY, marker="s", lw=0, label=f"dAE, ỹ > {tau}"),
        ]
        axis.set_yticks(range(len(kinds)), [drawn_name(*kind) for kind in kinds])
        axis.set_ylim(len(kinds) - 0.5, -0.5)
        axis.set_xlim(-2, 102)
        axis.set_xlabel("pictures that are recognised, %")
        legend_below(figure, axis, handles)
        return figure


def examples(study: Study) -> dict[str, np.ndarray]:
    return study.cell("explore_latents").examples()
