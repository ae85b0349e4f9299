"""Figures of the smallest changes of trained networks in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, legend_below, style

COLUMNS = 8  # images of a network
GAIN = 10  # by which a difference is shown larger


def smallest_curve(study: Study) -> Figure | None:
    """Share of images that a change of at most so much makes another class, against ‖r‖₂: a line a model.

    None where no image was changed.
    """
    tables = {model: cell.table("trials") for model, cell in study.cells("fool_smallest").items()}
    if all(table["change"].isna().all() for table in tables.values()):
        return None
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 2.9))
        for model, table in tables.items():
            sizes = np.sort(table["change"].dropna().to_numpy())
            if len(sizes):
                share = 100 * np.arange(1, len(sizes) + 1) / len(table)
                axis.step(np.r_[0, sizes], np.r_[0, share], where="post", color=colour(model), label=model_name(model),
                          clip_on=False)  # fmt: skip
        axis.set(ylim=(0, 102), xlabel="size of the change, ‖r‖₂", ylabel="seen as another class, %")
        axis.set_xlim(left=0)
        legend_below(figure, axis)
        return figure


def smallest_images(study: Study) -> Figure | None:
    """Changed images, and below each ten times the difference, grey where there is none: two rows a model.

    Under an image what it was seen as, what it is seen as, and ‖r‖₂. None where no network labels an image right.
    """
    found = {model: cell.examples() for model, cell in study.cells("fool_smallest").items()}
    cells = {model: examples for model, examples in found.items() if len(examples["label"])}
    if not cells:
        return None
    shown = min(COLUMNS, *(len(examples["label"]) for examples in cells.values()))
    with style():
        grid = ImageGrid(2 * len(cells), shown, head=0.36, foot=0.5, side=0.68)
        for r, (model, examples) in enumerate(cells.items()):
            grid.label(2 * r, model_name(model), colour(model))
            grid.label(2 * r + 1, f"{GAIN} × the difference", GREY)
            for c in range(shown):
                image, original = examples["image"][c].astype(np.float64), examples["original"][c] / 255
                fooled = bool(examples["fooled"][c])
                text = f"{examples['label'][c]} → {examples['target'][c]}\n"
                text += f"{examples['change'][c]:.2g} ✓" if fooled else "–"
                grid.image(2 * r, c, image, frame=colour(model) if fooled else None, text=text,
                           ink="black" if fooled else GREY)  # fmt: skip
                grid.image(2 * r + 1, c, np.clip((1 + GAIN * (image - original)) / 2, 0, 1))
        return grid.figure
