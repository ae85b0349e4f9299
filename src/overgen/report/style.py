"""The style of every figure, and pieces that several figures share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from overgen.report.names import model_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes


matplotlib.use("Agg")


WIDTH = 6.0  # inches of a figure: 576 CSS pixels, so that one scales to a phone's width with type that can be read
GREY = "#5a5a5a"
NO_NETWORK = "#3b3b3b"  # what judges pixels
# Colours that stay apart for colour-blind readers and in grey print (Wong 2011, as in seaborn's "colorblind").
# Kinds of images and other things that are no network have none of these.
COLOURS = {
    "cnn": "#0173b2",
    "cool": "#de8f05",
    "lenet": "#4b2c7f",
    "dae_sym": "#029e73",
    "dae_asym": "#cc78bc",
    "autoencoder": "#7f7f7f",
    "fc10_1e-4": "#a9b8c6",
    "fc10_1e-2": "#72879b",
    "fc10_1": "#3c5166",
    "fc100_100_10": "#d98880",
    "fc200_200_10": "#a93226",
    "ae400_10": "#a6761d",
    "ocsvm": NO_NETWORK,
    "pixels": NO_NETWORK,
}
MORE_COLOURS = ("#d55e00", "#56b4e9", "#a6761d", "#b2182b")
# Of kinds of images: black for what a network should know, vermilion for what it should not, grey for noise.
IMAGE_COLOURS = {
    "test images": "#1b1b1b",
    "known classes": "#1b1b1b",
    "unknown classes": "#d55e00",
    "other data": "#d55e00",
    "fooling images": "#b2182b",
    "FGN on y": "#b2182b",
    "FGN on ỹ": "#b2182b",
    "gradients of ỹ": "#b2182b",
}


def colour(model: str) -> str:
    """The model's colour in every figure; a model that is not the papers' gets one from its name."""
    return COLOURS.get(model) or MORE_COLOURS[sum(map(ord, model)) % len(MORE_COLOURS)]


def image_colour(kind: str) -> str:
    """The colour of a kind of images, of noise if it is no other."""
    return IMAGE_COLOURS.get(kind, "#8a8a8a")


@contextmanager
def style() -> Iterator[None]:
    """The style of every figure, restored afterwards."""
    settings: dict[Any, Any] = {
        # seaborn's "white", without the second that its import takes
        **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), ".15"),
        "lines.solid_capstyle": "round",
        "patch.edgecolor": "w",
        "patch.force_edgecolor": True,
        "xtick.bottom": False,
        "ytick.left": False,
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
        "font.size": 10.5,
        "axes.titlesize": 11,
        "axes.labelsize": 10.5,
        "axes.titley": 1.0,  # not looked for at every drawing
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.edgecolor": "#9a9a9a",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "lines.linewidth": 1.8,
        "figure.facecolor": "white",
        "svg.hashsalt": "overgen",  # otherwise element names are random
        "svg.fonttype": "path",
    }
    with matplotlib.rc_context(settings):
        yield


def save(figure: Figure, folder: Path, name: str, *, dpi: int) -> None:
    """Write `name`.svg and `name`.png into a folder, without dates or versions, and close the figure."""
    metadata: dict[str, dict[str, None]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    # What tight_layout leaves behind makes savefig draw everything once more, in vain, but that it then counts an SVG
    # in points (72 an inch), by which positions differ in the last digit. Images would be coarser so.
    points = figure.get_layout_engine() is not None and not any(axis.images for axis in figure.axes)
    if points:
        figure.set_layout_engine(None)
    with style():
        # The box around all that is drawn, found once: savefig's own "tight" draws everything again for each file.
        box = figure.get_tightbbox(figure.canvas.get_renderer()).padded(0.08)  # type: ignore[attr-defined]
        for kind in ("svg", "png"):
            resolution = 72 if points and kind == "svg" else dpi
            figure.set_dpi(resolution)
            for axis in figure.axes:
                locator: Any = axis.get_axes_locator()
                axis.apply_aspect(locator(axis, None) if locator else None)
            figure.savefig(folder / f"{name}.{kind}", metadata=metadata[kind], bbox_inches=box, dpi=resolution)
    plt.close(figure)


def passage_curve(axis: Axes, model: str, steps: pd.Series, updates: int, **options: Any) -> None:
    """A model's share of fooled trials in percent at every number of updates. options: of the line.

    steps: of each trial at its first passage, NA where it never came.
    """
    fooled = np.sort(steps.dropna().to_numpy(dtype=np.float64))
    at, hits = np.unique(fooled, return_counts=True)
    share = 100 * np.r_[0, hits.cumsum(), hits.sum()] / len(steps)
    line: dict[str, Any] = {"color": colour(model), "label": model_name(model), "clip_on": False} | options
    axis.step(np.r_[0, at, max(updates, *at, 0)], share, where="post", **line)


def updates_axis(axis: Axes, updates: int) -> None:
    """Updates or generations on a logarithmic axis, linear up to 10."""
    axis.set_xscale("symlog", linthresh=10)
    axis.set_xlim(0, updates)
    ticks = [0, *(10**k for k in range(1, 6) if 10**k <= updates)]
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.minorticks_off()


def confidence_axis(axis: Axes, end: float) -> None:
    """A vertical axis of 1 − confidence, on which up is more confident. end: how near to 1 its upper end is."""
    doubts = [10.0**-k for k in range(1, 9) if 10.0**-k >= 0.99 * end]
    axis.set_yscale("log")
    axis.set_ylim(1.05, end)
    axis.set_yticks([1, 0.5, *doubts], ["0 %", "50 %", *(f"{100 * (1 - doubt):.10g} %" for doubt in doubts)])
    axis.minorticks_off()


class Images(Artist):
    """Images, gray or in colour, in a panel, one picture in an SVG: composed as matplotlib does, but not resampled."""

    def __init__(self, axis: Axes) -> None:
        super().__init__()
        self.axis = axis
        self.images: list[AxesImage] = []

    def add(self, pixels: np.ndarray, extent: tuple[float, float, float, float]) -> None:
        """One image with values in [0, 1], (H, W) black to white or (H, W, 3) RGB.

        extent: left, right, bottom and top in data coordinates.
        """
        smooth = "nearest" if max(pixels.shape[:2]) <= FINE else "antialiased"
        image = AxesImage(self.axis, cmap="gray", norm=Normalize(0, 1), interpolation=smooth, extent=extent)
        image.set_data(pixels)
        image.set_transform(self.axis.transData)
        self.images.append(image)

    def draw(self, renderer: Any) -> None:
        scale = renderer.get_image_magnification()
        drawn = [image.make_image(renderer, scale)[:3] for image in self.images]
        if not renderer.option_image_nocomposite():
            drawn = [pasted(drawn, scale)]
        gc = renderer.new_gc()
        gc.set_clip_rectangle(self.axis.bbox)
        for pixels, x, y in drawn:
            renderer.draw_image(gc, round(x), round(y), pixels)
        gc.restore()


def pasted(images: Sequence[tuple[np.ndarray, float, float]], scale: float) -> tuple[np.ndarray, float, float]:
    """Images, each with the place of its corner, in one. scale: their pixels a unit of the places."""
    corners = [(round(x * scale), round(y * scale)) for _, x, y in images]
    left, top = (min(numbers) for numbers in zip(*corners, strict=True))
    right, bottom = (
        max(corner[k] + pixels.shape[1 - k] for (pixels, _, _), corner in zip(images, corners, strict=True))
        for k in range(2)
    )
    whole = np.zeros((bottom - top, right - left, 4), dtype=np.uint8)
    for (pixels, _, _), (x, y) in zip(images, corners, strict=True):
        whole[y - top :, x - left :][: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole, left / scale, top / scale


FINE = 64  # pixels of an image's side, beyond which it is drawn smaller than it is
SHOWN = 10  # columns of a figure of one image a class, at most
PITCH = 1.1  # of the columns of an ImageGrid, in sides of an image


class ImageGrid:
    """Images, gray or in colour, in rows and columns, with texts above a row and under each image, all in one panel.

    side: of an image, in inches. head, foot: room above each row and below it, as shares of an image's side.
    """

    def __init__(self, rows: int, columns: int, *, head: float, foot: float, side: float = 0.54) -> None:
        self.columns, self.head, self.pitch = columns, head, head + 1 + foot
        self.width = PITCH * columns - (PITCH - 1)
        height = rows * self.pitch
        self.figure = plt.figure(figsize=(side * self.width, side * height))
        self.axis = self.figure.add_axes((0, 0, 1, 1))
        self.axis.set(xlim=(0, self.width), ylim=(height, 0))
        self.axis.axis("off")
        self.images = Images(self.axis)
        self.axis.add_artist(self.images)

    def image(
        self, row: int, column: int, image: np.ndarray, *, frame: str | None = None, text: str = "", ink: str = "black"
    ) -> None:
        """One image with values in [0, 1], (H, W) black to white or (H, W, 3) RGB; frame: the colour of a bold one."""
        x, y = PITCH * column, self.pitch * row + self.head
        across, down = ((1 - size / max(image.shape[:2])) / 2 for size in (image.shape[1], image.shape[0]))
        self.images.add(np.asarray(image, dtype=np.float64), (x + across, x + 1 - across, y + 1 - down, y + down))
        edge, width = (frame, 2.0) if frame else ("#c8c8c8", 0.6)
        self.axis.add_artist(Rectangle((x, y), 1, 1, fill=False, ec=edge, lw=width, clip_on=False, zorder=3))
        if text:
            self.axis.text(x + 0.5, y + 1.06, text, ha="center", va="top", fontsize=8.5, color=ink, linespacing=1.1)

    def text(self, row: int, column: int, text: str) -> None:
        """A text in an image's place."""
        x, y = PITCH * column + 0.5, self.pitch * row + self.head + 0.5
        self.axis.text(x, y, text, ha="center", va="center", fontsize=10)

    def label(self, row: int, text: str, ink: str) -> None:
        """What stands above a row, on its left."""
        y = self.pitch * row + self.head - 0.1
        self.axis.text(0, y, text, ha="left", va="bottom", color=ink, fontsize=10)

    def titles(self, texts: Sequence[str]) -> None:
        """What stands above the columns."""
        for c, text in enumerate(texts):
            self.axis.text(PITCH * c + 0.5, 0, text, ha="center", va="bottom", fontsize=10)


def attacked_images(
    rows: Sequence[tuple[str, str, Mapping[str, np.ndarray]]], targets: np.ndarray | None = None
) -> Figure:
    """What an attack ended at: a row each, of model, label and images with their scores, one column a target class.

    Of a row `image`, `score` and `fooled` are given, in this order. A frame in the model's colour and ✓ where it
    fooled. targets: the classes, 0 and up by default. Of more than `SHOWN` the first are drawn.
    """
    classes = np.arange(len(rows[0][2]["score"])) if targets is None else targets
    with style():
        grid = ImageGrid(len(rows), min(SHOWN, len(classes)), head=0.42, foot=0.36)
        for r, (model, label, arrays) in enumerate(rows):
            grid.label(r, label, colour(model))
            for c, (image, score, fooled) in enumerate(islice(zip(*arrays.values(), strict=True), grid.columns)):
                frame, ink = (colour(model), "black") if fooled else (None, GREY)
                text = f"{score_text(float(score))} {'✓' if fooled else '–'}"
                image = image / 255 if image.dtype == np.uint8 else image  # large ones are kept in 8 bits
                grid.image(r, c, image, frame=frame, text=text, ink=ink)
        grid.titles([str(c) for c in classes[: grid.columns]])
        return grid.figure


def score_text(score: float) -> str:
    """A score under an image, without a false 1: values just below it keep their nines."""
    if score >= 0.99995:
        return "≈ 1"
    if score >= 0.9995:
        return f"{math.floor(score * 10_000) / 10_000:.4f}"
    return f"{score:.3f}" if score >= 0.001 or score == 0 else f"{score:.0e}".replace("e-0", "e-")


def legend_below(figure: Figure, axis: Axes, extra: Sequence[Any] = (), *, columns: int = 4) -> None:
    """A legend under the figure, of what is labelled in a panel and further handles, in at most so many columns."""
    handles = [*axis.get_legend_handles_labels()[0], *extra]
    figure.tight_layout()
    figure.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=min(columns, len(handles)),
        columnspacing=1.4, handlelength=1.8,
    )  # fmt: skip


def blank(axes: Iterable[Axes]) -> None:
    """Hide panels that hold nothing."""
    for axis in axes:
        axis.set_visible(False)


def ridges(axis: Axes, rows: Sequence[tuple[str, np.ndarray, np.ndarray]], *, beyond: bool = False) -> None:
    """Histograms one above the other, each as high as its own largest bin allows: kind of images, counts and edges.

    The first is at the top; n stands beside its name. beyond: whether the outer bins hold what lies beyond them, too;
    they are pale then, with their share in percent.
    """
    for y, (kind, counts, edges) in enumerate(rows):
        height = 0.82 * counts / max(counts.max(), 1)
        ink, inner = image_colour(kind), slice(1, -1) if beyond else slice(None)
        axis.stairs(y - height[inner], edges[inner], baseline=y, fill=True, color=ink, alpha=0.85, lw=0)
        axis.axhline(y, color="#c8c8c8", lw=0.6, zorder=0)
        for end, side in ((0, "left"), (-1, "right")) if beyond else ():
            left, right = (edges[:2], edges[-2:])[end]
            axis.fill_between([left, right], [y - height[end]] * 2, y, color=ink, alpha=0.3, lw=0)
            share = 100 * counts[end] / max(counts.sum(), 1)
            if share >= 5:
                x, shift = (right, 2) if end == 0 else (left, -2)
                axis.annotate(
                    f"{share:.0f} %", (x, y - 0.4), (shift, 0), textcoords="offset points", fontsize=8,
                    va="center", ha=side, bbox={"fc": "white", "alpha": 0.7, "lw": 0, "pad": 0.5},
                )  # fmt: skip
    axis.set_yticks(range(len(rows)), [f"{kind}\nn = {int(counts.sum()):,}" for kind, counts, _ in rows])
    plt.setp(axis.get_yticklabels(), va="bottom", linespacing=0.95)
    axis.tick_params(axis="y", labelsize=8.5, pad=2)
    axis.set_ylim(len(rows) - 0.85, -1)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="y", visible=False)
