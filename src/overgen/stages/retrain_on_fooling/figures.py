"""Figures of retraining on fooling images in the report."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.report.champions import champions
from overgen.report.names import ENCODING_NAMES
from overgen.report.study import Study
from overgen.report.style import ENCODING_COLOURS, colour, legend_below, style


def retraining(study: Study) -> Iterator[tuple[str, Figure]]:
    """Of a model its curves over the rounds, and the champions of the first network of each encoding."""
    for model, cell in study.cells("retrain_on_fooling").items():
        experiments = [f"retraining_{encoding}" for encoding in ENCODING_NAMES]
        yield f"retraining_{model}", retraining_curves(study.rows(experiment=experiments, model=model))
        yield f"retraining_champions_{model}", champions(cell.examples(), "round", colour(model))


def retraining_curves(frame: pd.DataFrame) -> Figure:
    """Confidence of the champions evolved after each round, test error, and fooling images that are recognised.

    frame: rows of one model, experiments retraining_<encoding>; bars are their 95 % intervals.
    """
    panels = {
        "median_confidence": "median confidence of new\nfooling images, %",
        "test_error": "test error, %",
        "recognised_rate": "fooling images of earlier rounds\nthat are recognised, %",
    }
    rounds = frame["round"].astype(int)
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(12.4, 3.7), squeeze=False)
        for axis, (metric, label) in zip(axes[0], panels.items(), strict=True):
            for i, (encoding, name) in enumerate(ENCODING_NAMES.items()):
                mask = (frame["experiment"] == f"retraining_{encoding}") & (frame["metric"] == metric)
                if not mask.any():
                    continue
                x, rows = rounds[mask] + 0.06 * (2 * i - 1), frame[mask]
                axis.vlines(x, rows["low"], rows["high"], color=ENCODING_COLOURS[encoding], lw=1.5, alpha=0.7)
                axis.plot(x, rows["reproduced"], "-o", color=ENCODING_COLOURS[encoding], ms=5, label=f"{name} encoding")
            axis.set(title=label, xlabel="round")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set_ylim(0, None if metric == "test_error" else 103)
        legend_below(figure, axes[0, 0])
        return figure
