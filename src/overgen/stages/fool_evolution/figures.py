"""Figures of evolution in the report."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from overgen.report.champions import champions
from overgen.report.names import ENCODING_NAMES, model_name
from overgen.report.study import Study
from overgen.report.style import colour, legend_below, style, updates_axis


def evolution_confidence(study: Study) -> Figure:
    """Evolution: median confidence of the champions over generations, with the band between the quartiles.

    One panel an encoding. Only the first seed is drawn. Where all runs have ended, a line goes on with the last value:
    a champion can only be replaced by a better one.
    """
    tables = {model: cell.table("generations") for model, cell in study.cells("fool_evolution").items()}
    encodings = list(dict.fromkeys(name for table in tables.values() for name in table["encoding"]))
    last = max(table["generation"].max() for table in tables.values())
    with style():
        figure, axes = plt.subplots(
            1, len(encodings), figsize=(4.6 * len(encodings) + 0.4, 3.9), sharey=True, squeeze=False
        )
        for axis, encoding in zip(axes[0], encodings, strict=True):
            for model, table in tables.items():
                curve = table[(table["encoding"] == encoding) & (table["seed"] == table["seed"].iloc[0])]
                curve = pd.concat([curve, curve.tail(1).assign(generation=last)])
                generation = curve["generation"]
                axis.fill_between(
                    generation, 100 * curve["q25"], 100 * curve["q75"], color=colour(model), alpha=0.15, lw=0
                )
                axis.plot(generation, 100 * curve["median"], color=colour(model), label=model_name(model))
            axis.set(title=f"{ENCODING_NAMES[encoding]} encoding", xlabel="generation", ylim=(0, 102))
            updates_axis(axis, last)
        axes[0, 0].set_ylabel("confidence of the champions, %")
        legend_below(figure, axes[0, 0])
        return figure


def evolution_champions(study: Study) -> Iterator[tuple[str, Figure]]:
    """The champion images of a model's first run: a row an encoding and stored generation, a column a class."""
    for model, cell in study.cells("fool_evolution").items():
        yield f"evolution_champions_{model}", champions(cell.examples(), "generation", colour(model))
