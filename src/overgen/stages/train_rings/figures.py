"""Figures of the rings in the report."""

from __future__ import annotations

from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.report.study import Study
from overgen.report.style import style

RING_COLOURS = ("#d55e00", "#56b4e9", "#4b2c7f")  # of classes, not of models


def rings(study: Study) -> Figure:
    """Figure 2: the points of the three rings, y, ỹ, and the two factors of c̃, over the plane.

    In the first three panels a class has a colour, and a pixel is their mixture: white is where the
    outputs add up to 0, the implicit reject class. In the last two, white is 0 and black 1.
    """
    (cell,) = study.cells("train_rings").values()
    examples = cell.examples()
    extent, labels = float(examples["extent"]), examples["labels"]
    ink = np.array([matplotlib.colors.to_rgb(name) for name in RING_COLOURS[: examples["y"].shape[2]]])
    place: dict[str, Any] = {"origin": "lower", "extent": (-extent, extent) * 2, "interpolation": "nearest"}
    with style():
        ratios = (1, 1, 1, 1, 1, 0.05)  # the last one: what black and white stand for
        figure, (*axes, bar) = plt.subplots(1, 6, figsize=(14.2, 3.0), width_ratios=ratios)
        axes[0].scatter(*examples["points"].astype(np.float64).T, s=2, c=ink[labels], lw=0)
        for axis, name in zip(axes[1:3], ("y", "scaled"), strict=True):
            share = examples[name] / 255
            axis.imshow(1 - share @ (1 - ink), **place)
        for axis, name in zip(axes[3:], ("reconstruction", "gate"), strict=True):
            shown = axis.imshow(examples[name] / 255, cmap="Greys", vmin=0, vmax=1, **place)
        titles = ("data", "output y", "scaled output ỹ = c̃·y", "c̃ without Γ", "Γ")
        for axis, title in zip(axes, titles, strict=True):
            axis.set(title=title, aspect="equal", xlim=(-extent, extent), ylim=(-extent, extent))
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.tick_params(labelleft=axis is axes[0])
            axis.grid(visible=False)
            axis.spines[["top", "right"]].set_visible(True)
        figure.colorbar(shown, cax=bar, ticks=(0, 0.5, 1))
        figure.tight_layout(w_pad=0.3)
        return figure
