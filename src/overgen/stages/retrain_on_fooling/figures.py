"""Figures of retraining on fooling images in the report."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.report.champions import champions
from overgen.report.names import ENCODING_NAMES
from overgen.report.study import Study
from overgen.report.style import WIDTH, colour, confidence_axis, legend_below, style

FOOLING = 0.5  # as in rounds.py: an image with a higher confidence joins the training set
MARKERS = ("o", "s", "^", "D", "v")  # of runs


def retraining(study: Study) -> Iterator[tuple[str, Figure]]:
    """Of a model the champions' confidence over the rounds, and their images before and after, of the first run."""
    for model, cell in study.cells("retrain_on_fooling").items():
        yield f"retraining_{model}", retraining_rounds(cell.table("trials"), model)
        examples = cell.examples()
        shown = {int(examples["round"].min()), int(examples["round"].max())}
        yield f"retraining_champions_{model}", champions(examples, "round", model, above=FOOLING, shown=shown)


def retraining_rounds(trials: pd.DataFrame, model: str) -> Figure:
    """The confidence of every champion that was evolved after a round: a panel an encoding, a marker and a line a run.

    trials: of a cell; a line joins the medians. Confidences by their distance from 1, on a logarithmic scale.
    """
    encodings = [name for name in ENCODING_NAMES if (trials["encoding"] == name).any()]
    runs = sorted(trials["run"].unique())
    with style():
        figure, axes = plt.subplots(1, len(encodings), figsize=(WIDTH, 3.2), sharey=True, squeeze=False)
        for axis, encoding in zip(axes[0], encodings, strict=True):
            for i, run in enumerate(runs):
                own = trials[(trials["encoding"] == encoding) & (trials["run"] == run)]
                doubt = np.maximum(1 - own["confidence"], 1e-12)
                x = own["round"] + 0.24 * (i - (len(runs) - 1) / 2)  # runs stay apart
                marker, ink = MARKERS[i % len(MARKERS)], colour(model)
                axis.plot(x, doubt, marker, color=ink, ms=3.5, alpha=0.35, lw=0, mfc=ink if i % 2 == 0 else "white")
                median = doubt.groupby(x).median()
                label = f"run {run + 1}, median of its champions"
                axis.plot(median.index, median, "--" if i % 2 else "-", color=ink, marker=marker, ms=5, label=label,
                          mfc=ink if i % 2 == 0 else "white")  # fmt: skip
            axis.set(title=f"{ENCODING_NAMES[encoding]} encoding", xlabel="round of retraining")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            confidence_axis(axis, 1e-6)
        axes[0, 0].set_ylabel("confidence of a champion")
        legend_below(figure, axes[0, 0], columns=2)
        return figure
