"""Figures of photographs that fool."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, WIDTH, ImageGrid, score_text, style

MAGNIFIED = 20  # of changes


def photographs(study: Study) -> Figure | None:
    """A row a start: the picture, what it became for two classes, and the first change, magnified about grey."""
    cell = study.cell("fool_photographs")
    shown = cell.examples()
    columns = 2 + shown["picture"].shape[1]
    with style():
        grid = ImageGrid(len(shown["name"]), columns, head=0.06, foot=0.32, side=WIDTH / (PITCH * columns - 0.1))
        for r, start in enumerate(shown["start"]):
            grid.image(r, 0, start / 255, text=f"{shown['label'][r]}\n(as it was)", ink=GREY)
            change = (shown["picture"][r, 0].astype(float) - start) * MAGNIFIED / 255 + 0.5
            grid.image(r, 1, change.clip(0, 1), text=f"the change, × {MAGNIFIED}", ink=GREY)
            for c, picture in enumerate(shown["picture"][r]):
                score, mean = float(shown["score"][r, c]), float(shown["mean_change"][r, c])
                text = f"{shown['target'][r, c]}\ny = {score_text(score)}, {mean:.1f} of 255"
                grid.image(r, 2 + c, picture / 255, text=text)
        return grid.figure


def changes(study: Study) -> Figure | None:
    """How much of 255 the mean pixel changes: by ascent until the class is certain, and at least, by L-BFGS."""
    import matplotlib.pyplot as plt

    cell = study.cell("fool_photographs")
    ascents, smallest = cell.table("ascents"), cell.table("smallest")
    names = list(dict.fromkeys(ascents["start"]))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.26 * len(names) + 0.9))
        for table, ink, label in (
            (ascents, "#b2182b", "ascent, until the 8-bit picture is certain"),
            (smallest, "#0173b2", "smallest change (L-BFGS)"),
        ):
            y = np.array([names.index(name) for name in table["start"]])
            axis.scatter(table["mean_change"], y, s=16, color=ink, alpha=0.75, lw=0, label=label)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_xscale("log")
        ticks = [0.1, 0.2, 0.5, 1, 2, 5]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.axvline(0.5, color=GREY, lw=1, ls=":")
        axis.set_xlabel("mean change of a pixel, of 255")
        figure.tight_layout()
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.03), ncols=2)
        return figure
