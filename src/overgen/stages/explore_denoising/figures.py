"""Figures of denoising."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, legend_below, style

WAYS = {
    "noisy": "as it is",
    "median": "median filter",
    "gaussian": "Gaussian filter",
    "nlm": "non-local means",
    "pca": "PCA",
    "ae": "AE",
    "dae": "denoising AE",
}
LOOKS: dict[str, dict[str, Any]] = {
    "noisy": {"color": GREY, "ls": ":"},
    "median": {"color": "#d55e00", "ls": "--", "marker": "v"},
    "gaussian": {"color": "#cc78bc", "ls": "--", "marker": "^"},
    "nlm": {"color": "#a6761d", "ls": "--", "marker": "D"},
    "pca": {"color": "#3b3b3b", "ls": "-.", "marker": "x"},
    "ae": {"color": "#56b4e9", "marker": "o", "mfc": "white"},
    "dae": {"color": "#0173b2", "marker": "o"},
}
NOISES = {
    "gaussian": ("Gaussian noise", "σ"),
    "salt_and_pepper": ("salt and pepper", "share of pixels"),
    "occlusion": ("a gray square", "share of the image"),
}


def way_name(way: str) -> str:
    """A way of denoising in words."""
    return WAYS.get(way) or model_name(way)


def look_of(way: str) -> dict[str, Any]:
    """The line of a way of denoising."""
    return LOOKS.get(way, {"color": colour(way), "marker": "s"})


def psnr(study: Study) -> Figure | None:
    """PSNR and SSIM of every way of denoising against the level of each noise, means over seeds and images."""
    cell = study.cells("explore_denoising").get("codes")
    if cell is None:
        return None
    table = cell.table("trials")
    noises = list(table["noise"].unique())
    with style():
        figure, axes = plt.subplots(len(noises), 2, figsize=(WIDTH, 2.35 * len(noises) + 0.8), squeeze=False)
        for noise, pair in zip(noises, axes, strict=True):
            of = table[(table["noise"] == noise) & (table["level"] > 0)]  # at 0 the image itself has no error
            for axis, measure, text in zip(pair, ("psnr", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
                for way in of["way"].unique():
                    mean = of[of["way"] == way].groupby("level")[measure].mean()
                    axis.plot(mean.index, mean, ms=4, lw=1.4, label=way_name(way), **look_of(way))
                axis.set(xlabel=NOISES[noise][1], ylabel=text, xlim=(0, None))
            pair[0].set_title(NOISES[noise][0], loc="left")
        legend_below(figure, axes[0, 0], columns=3)
        return figure


def epochs(study: Study) -> Figure | None:
    """PSNR of the denoising autoencoder after each epoch, beside what needs no training. None without its curve."""
    cell = study.cells("explore_denoising").get("codes")
    if cell is None or cell.table("epochs").empty:
        return None
    curve, table = cell.table("epochs"), cell.table("trials")
    sigma = float(study.settings[f"training.{study.dataset}.noise_std"])
    at = table[(table["noise"] == "gaussian") & (table["level"] == sigma)].groupby("way", sort=False)["psnr"].mean()
    last = curve["epoch"].max()
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.6))
        for way in [way for way in at.index if way not in ("ae", "dae")]:
            look = {name: value for name, value in look_of(way).items() if name in ("color", "ls")}
            axis.axhline(at[way], lw=1.4, label=way_name(way), **look)
        for seed, of in curve.groupby("seed"):
            label = way_name("dae") if seed == curve["seed"].min() else None
            axis.plot(of["epoch"], of["psnr"], "o-", ms=4, lw=1.2, color=LOOKS["dae"]["color"], label=label)
        axis.set(xlabel="epochs of training", ylabel="PSNR, dB", xlim=(0.5, last + 0.5))
        axis.set_xticks(sorted(curve["epoch"].unique()))
        legend_below(figure, axis, columns=3)
        return figure


def denoised(study: Study) -> list[tuple[str, Figure]] | None:
    """Test images under noise, and what each way makes of them: a figure a kind of noise."""
    cell = study.cells("explore_denoising").get("codes")
    if cell is None:
        return None
    arrays = cell.examples()
    figures = []
    for noise in [noise for noise in NOISES if noise in arrays]:
        with style():
            grid = ImageGrid(len(arrays["way"]), arrays[noise].shape[1], head=0.4, foot=0.02, side=0.6)
            for r, (way, images) in enumerate(zip(arrays["way"], arrays[noise], strict=True)):
                ink = "black" if way == "image" else look_of(way)["color"]
                grid.label(r, "before the noise" if way == "image" else way_name(way), ink)
                for c, image in enumerate(images):
                    grid.image(r, c, image / 255)
            figures.append((f"denoised_{noise}", grid.figure))
    return figures
