"""Figures of the evolution on a thousand classes."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import ENCODING_NAMES
from overgen.report.study import Study
from overgen.report.style import PITCH, WIDTH, ImageGrid, legend_below, score_text, style

INKS = {"cppn": "#0173b2", "direct": "#d55e00"}
COLUMNS = 9
LETTERS = 11  # of a class's name under its champion


def thousand_classes(study: Study) -> Figure:
    """Median confidence of the champions of all classes over generations, with the band between the deciles."""
    cell = study.cell("evolve_classes")
    table = cell.table("generations")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 2.9))
        for encoding, curve in table.groupby("encoding", sort=False):
            ink, at = INKS[str(encoding)], curve["generation"]
            axis.fill_between(at, 100 * curve["d10"], 100 * curve["d90"], color=ink, alpha=0.15, lw=0)
            axis.plot(at, 100 * curve["median"], color=ink, label=f"{ENCODING_NAMES[str(encoding)]} encoding")
        axis.set_yscale("log")
        low = max(100 * float(table["d10"].min()), 1e-3)
        ticks = [10.0**k for k in range(int(np.floor(np.log10(low))), 3)]
        axis.set_yticks(ticks, [f"{tick:g} %" for tick in ticks])
        axis.set_ylim(ticks[0], 100)
        axis.minorticks_off()
        axis.set_xlim(0, table["generation"].max())
        axis.set(xlabel="generation", ylabel="confidence of champions")
        legend_below(figure, axis)
        return figure


def thousand_champions(study: Study) -> Iterator[tuple[str, Figure]]:
    """The last champions of the classes that were drawn before, one figure an encoding."""
    cell = study.cell("evolve_classes")
    shown = cell.examples()
    for encoding in dict.fromkeys(shown["encoding"].tolist()):
        own = np.flatnonzero(shown["encoding"] == encoding)
        with style():
            rows = -(-len(own) // COLUMNS)
            grid = ImageGrid(rows, min(COLUMNS, len(own)), head=0.05, foot=0.5, side=WIDTH / (PITCH * COLUMNS - 0.1))
            for place, i in enumerate(own):
                name = str(shown["class"][i])
                name = name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"
                score = float(shown["confidence"][i])
                grid.image(place // COLUMNS, place % COLUMNS, shown["image"][i] / 255)
                x, y = PITCH * (place % COLUMNS) + 0.5, grid.pitch * (place // COLUMNS) + grid.head + 1.06
                text = f"{name}\n{score_text(score)}"
                grid.axis.text(x, y, text, ha="center", va="top", fontsize=6.5, linespacing=1.1)
            yield f"thousand_champions_{encoding}", grid.figure
