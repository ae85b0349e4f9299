"""Figures of compression."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.report.names import dataset_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, legend_below, style

NAMES = {"pca": "PCA", "linear": "linear AE", "ae": "AE", "dae": "denoising AE", "ae_mse": "AE, squared error"}
INKS = {"pca": "#3b3b3b", "linear": "#a6761d", "ae": "#0173b2", "dae": "#029e73", "ae_mse": "#cc78bc"}
KINDS = {"test": "its own test images", "silhouettes": "silhouettes", "shuffled": "shuffled pixels", "noise": "noise"}
FILES = {"png": "PNG", "gzip": "gzip", "xz": "xz"}


def code_name(row: str) -> str:
    """A row of pictures, such as "pca 2", as figures write it."""
    kind, _, size = row.partition(" ")
    return f"{NAMES[kind]}, {size} unit{'s' * (size != '1')}" if size else "test images"


def kind_name(study: Study, kind: str) -> str:
    """A kind of images in words; the other data set by its name."""
    if kind != "other":
        return KINDS[kind]
    return dataset_name(study.settings.get(f"explore_compression.{study.dataset}.other") or "the other data set")


def error_by_size(study: Study) -> Figure | None:
    """The squared error on test images against the size of the code, with the seeds' range where there are several."""
    cell = study.cells("explore_compression").get("codes")
    if cell is None:
        return None
    table = cell.table("errors")
    table = table[table["on"] == "test"]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.9))
        for kind in [kind for kind in ("pca", "linear", "ae", "dae") if (table["kind"] == kind).any()]:
            grouped = table[table["kind"] == kind].groupby("size")["squared_error"]
            low, mean, high = grouped.min(), grouped.mean(), grouped.max()
            marks = {"pca": "-", "linear": "x", "ae": "o-", "dae": "s--"}[kind]
            ends = [mean - low, high - mean]
            axis.errorbar(mean.index, mean, ends, fmt=marks, color=INKS[kind], ms=5, label=NAMES[kind], capsize=2)
        sizes = sorted(table["size"].unique())
        axis.set(xscale="log", yscale="log", xlabel="size of the code", ylabel="squared error per pixel")
        error_axis(axis, 0.8 * max(table["squared_error"].min(), 1e-4), table["squared_error"].max())
        axis.set_xticks(sizes, [str(size) for size in sizes])
        legend_below(figure, axis)
        return figure


def error_axis(axis: Axes, low: float, high: float) -> None:
    """A logarithmic axis of squared errors, with plain numbers."""
    ticks = [digit * 10.0**power for power in range(-5, 0) for digit in (1, 2, 5)]
    shown = [tick for tick in ticks if low <= tick <= 1.2 * high]
    axis.set_ylim(low, 1.2 * high)
    axis.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axis.minorticks_off()


def restored(study: Study) -> Figure | None:
    """Test images, and what comes back of them from codes of several sizes."""
    cell = study.cells("explore_compression").get("codes")
    if cell is None:
        return None
    arrays = cell.examples()
    with style():
        grid = ImageGrid(len(arrays["row"]), arrays["image"].shape[1], head=0.4, foot=0.02)
        for r, (name, images) in enumerate(zip(arrays["row"], arrays["image"], strict=True)):
            grid.label(r, code_name(name), INKS.get(name.partition(" ")[0], "black"))
            for c, image in enumerate(images):
                grid.image(r, c, image / 255)
        return grid.figure


def own_kind(study: Study) -> Figure | None:
    """What a code loses of each kind of images, in percent of what one image for all loses; and a picture of each."""
    cell = study.cells("explore_compression").get("codes")
    if cell is None:
        return None
    arrays, table = cell.examples(), cell.table("errors")
    kinds = [str(kind) for kind in arrays["kind"]]
    size = int(table.loc[table["on"] != "test", "size"].iloc[0])
    table = table[table["size"] == size]
    with style():
        figure = plt.figure(figsize=(WIDTH, 0.72 * len(kinds) + 1.2))
        parts = figure.add_gridspec(1, 2, width_ratios=(1, 2.1))
        left, right = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
        pairs = left.subplots(len(kinds), 2)
        for r in range(len(kinds)):
            for c, name in enumerate(("kind_image", "kind_restored")):
                pairs[r, c].imshow(arrays[name][r, 0], cmap="gray", vmin=0, vmax=255)
                pairs[r, c].set(xticks=[], yticks=[])
                pairs[r, c].grid(False)
        pairs[0, 0].set_title("image", fontsize=9.5)
        pairs[0, 1].set_title("back", fontsize=9.5)
        axis = right.subplots()
        for kind in ("pca", "ae"):
            of = table[table["kind"] == kind].groupby("on")["relative_error"]
            mean, low, high = (values.reindex(kinds) for values in (of.mean(), of.min(), of.max()))
            places = np.arange(len(kinds)) + (0.12 if kind == "pca" else -0.12)
            axis.errorbar(mean, places, xerr=[mean - low, high - mean], fmt="o" if kind == "ae" else "D",
                          color=INKS[kind], label=f"{NAMES[kind]}, {size} units", ms=5)  # fmt: skip
        axis.axvline(100, color=GREY, lw=1, ls=":")
        axis.set(xscale="log", ylim=(len(kinds) - 0.5, -0.5), xlabel="lost, % of what one mean image loses")
        ticks = [
            tick for tick in (1, 3, 10, 30, 100, 300) if 0.7 * mean.min() < tick < 1.5 * table["relative_error"].max()
        ]
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
        axis.set_yticks(range(len(kinds)), [kind_name(study, kind) for kind in kinds], fontsize=9.5)
        axis.yaxis.tick_right()
        axis.spines["left"].set_visible(False)
        left.subplots_adjust(0.02, 0.2, 0.98, 0.92, wspace=0.06, hspace=0.08)
        right.subplots_adjust(0.03, 0.2, 0.68, 0.92)
        right.legend(*axis.get_legend_handles_labels(), loc="lower right", bbox_to_anchor=(1, 0), fontsize=9.5)
        return figure


def rates(study: Study) -> Figure | None:
    """Bits an image against the squared error: codes in 8 bits a unit, PCA's too, JPEG, and what is lossless."""
    cell = study.cells("explore_compression").get("codes")
    if cell is None:
        return None
    table = cell.table("rates")
    lossy = table[table["squared_error"] > 0]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.2))
        for kind in ("pca", "ae"):
            mean = lossy[lossy["of"] == kind].groupby("bits")["squared_error"].mean()
            axis.plot(mean.index, mean, "o-" if kind == "ae" else "-", color=INKS[kind], ms=5,
                      label=f"{NAMES[kind]}, 8 bits a unit")  # fmt: skip
        for how, line, text in (("together", "-", "JPEG, all in one"), ("alone", "--", "JPEG, each alone")):
            of = lossy[(lossy["of"] == "jpeg") & (lossy["how"] == how)].sort_values("bits")
            axis.plot(of["bits"], of["squared_error"], line, color="#d55e00", lw=1.5, label=text)
        lossless = table[(table["squared_error"] == 0) & (table["how"] == "together") & table["of"].isin(list(FILES))]
        for place, (name, bits) in enumerate(lossless.sort_values("bits")[["of", "bits"]].itertuples(index=False)):
            axis.axvline(bits, color=GREY, lw=1, ls=":")
            side = -3 if place == 0 else 3  # the smallest on its left, the others on their right, one below the other
            axis.annotate(FILES[name], (bits, 1), (side, -12 * max(place, 1)), xycoords=("data", "axes fraction"),
                          textcoords="offset points", ha="right" if place == 0 else "left", fontsize=8.5,
                          color=GREY)  # fmt: skip
        axis.set(xscale="log", yscale="log", xlabel="bits an image", ylabel="squared error per pixel")
        codes = lossy.loc[lossy["of"] == "ae", "squared_error"]
        error_axis(axis, 0.4 * codes.min(), lossy.loc[lossy["of"] == "pca", "squared_error"].max())
        ticks = [10, 30, 100, 300, 1000, 3000]
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        legend_below(figure, axis, columns=2)
        return figure


def losses(study: Study) -> Figure | None:
    """Squared error and cross-entropy, seed by seed, by the loss that was trained. None where one was trained only."""
    cell = study.cells("explore_compression").get("codes")
    if cell is None:
        return None
    table = cell.table("errors")
    table = table[table["on"] == "test"]
    size = table.loc[table["kind"] == "ae_mse", "size"]
    if size.empty:
        return None
    both = table[(table["size"] == size.iloc[0]) & table["kind"].isin(["ae", "ae_mse"])]
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.8))
        for axis, measure, text in zip(
            axes, ("squared_error", "cross_entropy"), ("squared error per pixel", "cross-entropy, nats per pixel"),
            strict=True,
        ):  # fmt: skip
            wide = both.pivot(index="seed", columns="kind", values=measure).dropna()
            axis.plot([0, 1], wide[["ae", "ae_mse"]].T, color=GREY, lw=0.8)
            for place, kind in enumerate(("ae", "ae_mse")):
                axis.plot(np.full(len(wide), place), wide[kind], "o", color=INKS[kind])
            axis.set_xticks([0, 1], ["cross-\nentropy", "squared\nerror"])
            axis.set(title=text, xlim=(-0.4, 1.4), xlabel="trained on")
            axis.title.set_fontsize(10)
            axis.ticklabel_format(axis="y", useOffset=False)
        figure.tight_layout()
        return figure
