"""Figures of evolution in the report."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.report.champions import champions
from overgen.report.names import ENCODING_NAMES, model_name
from overgen.report.study import Study, rising
from overgen.report.style import GREY, WIDTH, colour, confidence_axis, legend_below, style, updates_axis


def evolution_confidence(study: Study) -> Figure:
    """Evolution: median confidence of the champions over generations, with the band between the quartiles.

    One panel an encoding; confidences by their distance from 1, on a logarithmic scale. Dotted: 99.99 %, where a run
    ends. Only the first seed is drawn. Where all runs have ended, a line goes on with the last value: a champion can
    only be replaced by a better one.
    """
    tables = {model: cell.table("generations") for model, cell in study.cells("fool_evolution").items()}
    encodings = list(dict.fromkeys(name for table in tables.values() for name in table["encoding"]))
    last = max(table["generation"].max() for table in tables.values())
    with style():
        figure, axes = plt.subplots(
            len(encodings), 1, figsize=(WIDTH, 2.6 * len(encodings) + 0.3), sharex=True, squeeze=False
        )
        for axis, encoding in zip(axes[:, 0], encodings, strict=True):
            for model, table in tables.items():
                curve = table[(table["encoding"] == encoding) & (table["seed"] == table["seed"].iloc[0])]
                curve = pd.concat([curve, curve.tail(1).assign(generation=last)])
                confidence_curve(axis, curve.iloc[thinned(curve["generation"])], model)
            confidence_axis(axis, 1e-5)
            axis.axhline(1e-4, color=GREY, lw=1, ls=":")
            axis.set_ylabel(f"{ENCODING_NAMES[encoding]} encoding:\nconfidence of champions")
            updates_axis(axis, last)
        axes[-1, 0].set_xlabel("generation")
        legend_below(figure, axes[0, 0], columns=5)
        return figure


def confidence_curve(axis: Axes, curve: pd.DataFrame, model: str) -> None:
    """The median and quartiles of a run; what is exactly 1 lies beyond any end of the axis."""
    doubt = {name: np.maximum(1 - curve[name], 1e-12) for name in ("median", "q25", "q75")}
    at = curve["generation"]
    axis.fill_between(at, doubt["q25"], doubt["q75"], color=colour(model), alpha=0.15, lw=0)
    axis.plot(at, doubt["median"], color=colour(model), label=model_name(model))


def thinned(generations: pd.Series) -> np.ndarray:
    """Places of the generations that can be told apart on a logarithmic axis, the last among them."""
    places = np.round(40 * np.log10(generations.to_numpy(dtype=np.float64) + 10))
    return np.r_[np.flatnonzero(np.diff(places)), len(places) - 1]


def evolution_champions(study: Study) -> Iterator[tuple[str, Figure]]:
    """The champion images of a model's first run: for each encoding the last, and the first stored that are bred."""
    tau = float(rising(study.rows(experiment=[f"evolution_{name}" for name in ENCODING_NAMES])["tau"])[-1])
    for model, cell in study.cells("fool_evolution").items():
        examples = cell.examples()
        bred = sorted({int(n) for n in examples["generation"]} - {0})
        shown = {bred[0], bred[-1]}
        yield f"evolution_champions_{model}", champions(examples, "generation", model, above=tau, shown=shown)
