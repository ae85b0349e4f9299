"""Figures of the rings in the report."""

from __future__ import annotations

from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.report.study import Study
from overgen.report.style import WIDTH, style

RING_COLOURS = ("#d55e00", "#56b4e9", "#4b2c7f")  # of classes, not of models


def rings(study: Study) -> Figure:
    """Figure 2: the points of the three rings, y, ỹ, and the two factors of c̃, over the plane.

    In the first three panels a class has a colour, and a pixel is their mixture: white is where the
    outputs add up to 0, the implicit reject class. In the last two, white is 0 and black 1.
    """
    cell = study.cell("train_rings")
    examples = cell.examples()
    extent, labels = float(examples["extent"]), examples["labels"]
    ink = np.array([matplotlib.colors.to_rgb(name) for name in RING_COLOURS[: examples["y"].shape[2]]])
    place: dict[str, Any] = {"origin": "lower", "extent": (-extent, extent) * 2, "interpolation": "nearest"}
    with style():
        figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 4.1))
        axes = grid.flat[:5]
        axes[0].scatter(*examples["points"].astype(np.float64).T, s=1.5, c=ink[labels], lw=0, rasterized=True)
        for axis, name in zip(axes[1:3], ("y", "scaled"), strict=True):
            share = examples[name] / 255
            axis.imshow(1 - share @ (1 - ink), **place)
        for axis, name in zip(axes[3:], ("reconstruction", "gate"), strict=True):
            shown = axis.imshow(examples[name] / 255, cmap="Greys", vmin=0, vmax=1, **place)
        titles = ("points", "y", "ỹ = c̃·y", "c̃ without Γ", "Γ")
        for axis, title in zip(axes, titles, strict=True):
            axis.set(title=title, aspect="equal", xlim=(-extent, extent), ylim=(-extent, extent))
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.tick_params(labelleft=axis in grid[:, 0], labelbottom=axis in grid[1])
            axis.grid(visible=False)
            axis.spines[["top", "right"]].set_visible(True)
        grid[1, 2].axis("off")
        bar = grid[1, 2].inset_axes((0.05, 0.05, 0.1, 0.9))
        figure.colorbar(shown, cax=bar, ticks=(0, 0.5, 1), label="c̃ without Γ, and Γ")
        figure.tight_layout(w_pad=0.6)
        return figure
