"""Figures of how many dimensions images have."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.measures.intervals import mean_interval
from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, WIDTH, ImageGrid, style

ESTIMATOR_NAMES = {"two_nn": "two neighbours", "mle": "maximum likelihood", "correlation": "correlation"}
INKS = {"two_nn": ("#0173b2", "o"), "mle": ("#d55e00", "s"), "correlation": ("#029e73", "^")}
MANIFOLD_NAMES = {
    "plane": "plane, 2",
    "swiss_roll": "Swiss roll, 2",
    "sphere": "sphere, 5",
    "cube_5": "cube, 5",
    "cube_5_repeated": "cube, 5, a tenth of the rows twice",
    "cube_7": "cube, 7",
    "cube_20": "cube, 20",
}
VARIED_NAMES = {"shift": "shift, 2", "lamp": "light, 2", "turn": "turn, 3", "all": "all of these, 7"}
CLASSES = 12  # whose images are shown, at most


def dimension_by_class(study: Study) -> Figure:
    """Each class by all estimators, of parts of one size; bars are 95 % intervals over parts. Behind them the range of
    the dimension around single images."""
    clouds, around = (study.cell("explore_dimension").table(name) for name in ("dimensions", "local"))
    clouds = clouds[(clouds["kind"] == "class")].astype({"of": str})
    clouds = clouds[clouds.duplicated("of", keep="last")]  # without the whole classes
    counts = clouds.groupby("size").size()
    size = counts[counts == counts.max()].index.max()
    names = around["class"].astype(str).tolist()
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.4 * len(names) + 1.2))
        axis.barh(range(len(names)), around["q95"] - around["q05"], left=around["q05"], height=0.5, color="#dcdcdc",
                  label="around 90 % of the images")  # fmt: skip
        for i, (estimator, name) in enumerate(ESTIMATOR_NAMES.items()):
            own = clouds[clouds["size"] == size].groupby("of", sort=False)[estimator]
            points(axis, [own.get_group(of).to_numpy() for of in names],
                   np.arange(len(names)) + 0.2 * (i - 1), estimator, name)  # fmt: skip
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_xlim(left=0)
        axis.set_xlabel(f"estimated dimension, of {size:,} images")
        figure.tight_layout()
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
        return figure


def points(axis: Axes, values: list[np.ndarray], heights: np.ndarray, estimator: str, label: str) -> None:
    """Means with their intervals, from left to right."""
    ink, marker = INKS[estimator]
    for own, y in zip(values, heights, strict=True):
        if interval := mean_interval(own):
            axis.plot(interval, [y, y], color=ink, lw=1.4)
    axis.plot([own.mean() for own in values], heights, marker, color=ink, ms=5, lw=0, label=label)


def dimension_with_n(study: Study) -> Figure:
    """The estimates against the number of images, of a class (mean) and of all classes together."""
    clouds = study.cell("explore_dimension").table("dimensions")
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.1), sharey=True)
        for axis, kind, title in zip(axes, ("class", "mixed"), ("one class", "all classes together"), strict=True):
            own = clouds[clouds["kind"] == kind]
            lines(axis, own)
            axis.set_title(title)
            axis.set_xlabel("images")
            axis.set_xscale("log")
            ticks = sorted(sizes_of(own).unique().tolist())
            shown = ticks if len(ticks) < 4 else [ticks[0], ticks[len(ticks) // 2], ticks[-1]]
            axis.set_xticks(shown, [f"{tick:,}" for tick in shown])
            axis.minorticks_off()
        axes[0].set_ylabel("estimated dimension")
        axes[0].set_ylim(bottom=0)
        figure.tight_layout()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3, columnspacing=1.2)
        return figure


def lines(axis: Axes, own: pd.DataFrame) -> None:
    """A line an estimator: the mean over all clouds of a size, with its interval; whole classes at their mean size."""
    sizes = sizes_of(own)
    for estimator, name in ESTIMATOR_NAMES.items():
        ink, marker = INKS[estimator]
        groups = own[estimator].groupby(sizes)
        axis.plot(groups.mean().index, groups.mean(), marker=marker, ms=5, color=ink, label=name)
        for size, values in groups:
            # of a class the parts are averaged first: what varies is the class
            each = values.groupby(own["of"]).mean() if own["of"].nunique() > 1 else values
            if interval := mean_interval(each.to_numpy()):
                axis.plot([size, size], interval, color=ink, lw=1.2)


def sizes_of(own: pd.DataFrame) -> pd.Series:
    """How many images each cloud is of; of whole classes, which are the last of theirs, their mean."""
    last = ~own.duplicated("of", keep="last") & (own["kind"] == "class")
    return own["size"].where(~last, round(own.loc[last, "size"].mean()) if last.any() else 0)


def local_dimension(study: Study) -> Figure:
    """Of each class the images around which the dimension is lowest, on the left, and highest, on the right."""
    shown = study.cell("explore_dimension").examples()
    each = shown["image"].shape[2]
    with style():
        rows = min(CLASSES, len(shown["class"]))
        grid = ImageGrid(rows, 2 * each, head=0.04, foot=0.3, side=WIDTH / (PITCH * 2 * each - 0.1))
        for r in range(rows):
            for end in range(2):
                for i in range(each):
                    text = f"{shown['local'][r, end, i]:.1f}"
                    grid.image(r, end * each + i, shown["image"][r, end, i] / 255, text=text)
        grid.titles(["lowest", *[""] * (each - 1), *[""] * (each - 1), "highest"])
        return grid.figure


def scene_views(study: Study) -> Figure:
    """Some views of the object: turned, shifted and lit at random."""
    views = study.cell("explore_dimension").examples()["view"]
    across = 5
    with style():
        grid = ImageGrid(-(-len(views) // across), across, head=0.04, foot=0.02, side=WIDTH / (PITCH * across - 0.1))
        for i, view in enumerate(views):
            grid.image(i // across, i % across, view / 255)
        return grid.figure


def views_dimension(study: Study) -> Figure:
    """Estimated dimensions of views against the degrees of freedom that vary, and of a cube of seven beside them."""
    clouds = study.cell("explore_dimension").table("dimensions")
    clouds = clouds[clouds["true"].notna() & (clouds["part"] >= 0)]
    kinds = [*VARIED_NAMES, "cube_7"]
    names = [*VARIED_NAMES.values(), "a flat cube, 7"]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
        for i, (estimator, name) in enumerate(ESTIMATOR_NAMES.items()):
            values = []
            for kind in kinds:
                own = clouds[clouds["of"] == kind]
                values.append(own.loc[own["size"] == own["size"].min(), estimator].to_numpy())
            points(axis, values, np.arange(len(kinds)) + 0.2 * (i - 1), estimator, name)
        for y, kind in enumerate(kinds):
            true = clouds.loc[clouds["of"] == kind, "true"].iloc[0]
            axis.plot([true, true], [y - 0.42, y + 0.42], color=GREY, lw=1.2, ls=":", label="" if y else "true")
        axis.set_yticks(range(len(kinds)), names)
        axis.set_ylim(len(kinds) - 0.5, -0.5)
        axis.set_xlim(left=0)
        axis.set_xlabel("estimated dimension")
        figure.tight_layout()
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=4, columnspacing=1.0, handletextpad=0.4)
        return figure
