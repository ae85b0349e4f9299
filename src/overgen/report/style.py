"""The style of every figure, and pieces that several figures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import contextmanager
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

from overgen.measures.intervals import wilson
from overgen.report.names import model_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes


matplotlib.use("Agg")


GREY = "#5a5a5a"
# Colours that stay apart for colour-blind readers and in grey print (Wong 2011, as in seaborn's
# "colorblind").
COLOURS = {
    "cnn": "#0173b2",
    "cool": "#de8f05",
    "lenet": "#4b2c7f",
    "dae_sym": "#029e73",
    "dae_asym": "#cc78bc",
    "autoencoder": "#7f7f7f",
    "fc10_1e-4": "#6baed6",
    "fc10_1e-2": "#2f7fbc",
    "fc10_1": "#08306b",
    "fc100_100_10": "#e6923a",
    "fc200_200_10": "#a63603",
    "ae400_10": "#238b45",
    "ocsvm": "#4b2c7f",
}
ENCODING_COLOURS = {"direct": "#d55e00", "cppn": "#0173b2"}
MORE_COLOURS = ("#d55e00", "#56b4e9", "#a6761d", "#1b1b1b")


def colour(model: str) -> str:
    """The model's colour in every figure; a model that is not the papers' gets one from its name."""
    return COLOURS.get(model) or MORE_COLOURS[sum(map(ord, model)) % len(MORE_COLOURS)]


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
        "font.size": 12,
        "axes.titlesize": 13,
        "axes.labelsize": 12,
        "axes.titley": 1.0,  # not looked for at every drawing
        "xtick.labelsize": 11,
        "ytick.labelsize": 11,
        "legend.fontsize": 11,
        "legend.frameon": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.edgecolor": "#9a9a9a",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "lines.linewidth": 2,
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


def passage_curve(axis: Axes, model: str, steps: pd.Series, updates: int) -> None:
    """A model's share of fooled trials, with its Wilson interval at every number of updates.

    steps: of each trial at its first passage, NA where it never came.
    """
    fooled = np.sort(steps.dropna().to_numpy(dtype=np.float64))
    hits = np.r_[0, np.arange(1, len(fooled) + 1), len(fooled)]
    low, high = 100 * np.array([wilson(int(k), len(steps)) for k in hits]).T
    at = np.r_[0, fooled, updates]
    axis.fill_between(at, low, high, step="post", color=colour(model), alpha=0.15, lw=0)
    axis.step(at, 100 * hits / len(steps), where="post", color=colour(model), label=model_name(model), clip_on=False)


def updates_axis(axis: Axes, updates: int) -> None:
    axis.set_xscale("symlog", linthresh=10)
    axis.set_xlim(0, updates)
    ticks = [0, *(10**k for k in range(1, 6) if 10**k <= updates)]
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.minorticks_off()


class Images(Artist):
    """Greyscale images in a panel, one picture in an SVG: as matplotlib composes them, but pasted, not resampled."""

    def __init__(self, axis: Axes) -> None:
        super().__init__()
        self.axis = axis
        self.images: list[AxesImage] = []

    def add(self, pixels: np.ndarray, extent: tuple[float, float, float, float]) -> None:
        """One image with values in [0, 1], black to white. extent: left, right, bottom and top in data coordinates."""
        image = AxesImage(self.axis, cmap="gray", norm=Normalize(0, 1), interpolation="nearest", extent=extent)
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


class ImageGrid:
    """Greyscale images in rows and columns, with a text under each, all in one panel (one for each is slow).

    gap: between rows, as a share of an image's height of 0.82 inch.
    """

    def __init__(self, rows: int, columns: int, *, gap: float) -> None:
        self.rows, self.columns, self.pitch = rows, columns, 1 + gap
        side, width, height = 0.82, columns * 1.06, rows * self.pitch
        self.figure = plt.figure(figsize=(side * width, side * height))
        self.axis = self.figure.add_axes((0, 0, 1, 1))
        self.axis.set(xlim=(0, width), ylim=(height, 0))
        self.axis.axis("off")
        self.images = Images(self.axis)
        self.axis.add_artist(self.images)

    def image(
        self, row: int, column: int, image: np.ndarray, *, frame: str | None = None, text: str = "", ink: str = "black"
    ) -> None:
        """One image with values in [0, 1], black to white; frame: the colour of a bold one."""
        x, y = 1.06 * column, self.pitch * row
        self.images.add(np.asarray(image, dtype=np.float64), (x, x + 1, y + 1, y))
        edge, width = (frame, 2.2) if frame else ("#c8c8c8", 0.6)
        self.axis.add_artist(Rectangle((x, y), 1, 1, fill=False, ec=edge, lw=width, clip_on=False, zorder=3))
        if text:
            self.axis.text(x + 0.5, y + 1.05, text, ha="center", va="top", fontsize=9, color=ink)

    def label(self, row: int, text: str, ink: str) -> None:
        """What stands left of a row."""
        self.axis.text(-0.12, self.pitch * row + 0.5, text, ha="right", va="center", color=ink, fontsize=10.5)

    def titles(self, texts: Sequence[str]) -> None:
        """What stands above the columns."""
        for c, text in enumerate(texts):
            self.axis.text(1.06 * c + 0.5, -0.06, text, ha="center", va="bottom", fontsize=11)


def attacked_images(rows: Sequence[tuple[str, str, dict[str, np.ndarray]]]) -> Figure:
    """What an attack ended at: a row each, of model, label and images with their scores, one column a target class.

    Of a row `image`, `score` and `fooled` are given, in this order. A frame in the model's colour and ✓ where it
    fooled.
    """
    with style():
        grid = ImageGrid(len(rows), len(rows[0][2]["score"]), gap=0.34)
        for r, (model, label, arrays) in enumerate(rows):
            grid.label(r, f"{model_name(model)}\n{label}", colour(model))
            for c, (image, score, fooled) in enumerate(zip(*arrays.values(), strict=True)):
                frame, ink = (colour(model), "black") if fooled else (None, GREY)
                text = f"{score_text(float(score))} {'✓' if fooled else '–'}"
                grid.image(r, c, image, frame=frame, text=text, ink=ink)
        grid.titles([str(c) for c in range(grid.columns)])
        return grid.figure


def score_text(score: float) -> str:
    """A score under an image, without a false 1: values just below it keep their nines."""
    if score >= 0.99995:
        return "≈ 1"
    if score >= 0.9995:
        return f"{math.floor(score * 10_000) / 10_000:.4f}"
    return f"{score:.3f}" if score >= 0.001 or score == 0 else f"{score:.0e}".replace("e-0", "e-")


def legend_below(figure: Figure, axis: Axes, extra: Sequence[Any] = ()) -> None:
    handles, _ = axis.get_legend_handles_labels()
    figure.tight_layout()
    figure.legend(
        handles=[*handles, *extra],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.02),
        ncols=min(4, len(handles) + len(extra)),
    )
