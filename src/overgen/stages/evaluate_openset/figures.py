"""Figures of open-set recognition in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study, rising
from overgen.report.style import GREY, WIDTH, blank, colour, legend_below, style

COLUMNS = 3


def open_set(study: Study) -> Figure:
    """Figure 4: F-measure against the number of known classes, a panel a model and threshold.

    Thick: the mean over class subsets, which are the small points; dashed: the reported curve; thin and grey: the other
    models. Of the thresholds those of which curves are reported, else the highest.
    """
    frame = study.reported("open_set", "f_measure")
    frame = frame.assign(known=frame["known"].astype(int)).sort_values("known")
    taus = rising(frame.loc[frame["reported"].notna(), "tau"]) or rising(frame["tau"])[-1:]
    trials = {model: cell.table("trials") for model, cell in study.cells("evaluate_openset").items()}
    columns = min(COLUMNS, len(trials))
    lines = -(-len(trials) // columns)  # of panels, for each threshold
    rows = lines * len(taus)
    with style():
        figure, axes = plt.subplots(
            rows, columns, figsize=(WIDTH, 2.1 * rows + 0.6), sharex=True, sharey=True, squeeze=False
        )
        for t, tau in enumerate(taus):
            panels = axes[t * lines : (t + 1) * lines].flat
            blank(panels[len(trials) :])
            of_tau = frame[frame["tau"] == tau]
            for axis, (model, points) in zip(panels, trials.items(), strict=False):
                subsets = points[np.isclose(points["tau"], float(tau))]
                subsets = subsets[subsets["alpha"] == subsets["alpha"].iloc[0]]  # the first α of a τ is the paper's
                curves(axis, of_tau, model, subsets)
                axis.set_title(f"{model_name(model)}, τ = {tau}")
        known = frame["known"]
        axes[0, 0].set(ylim=(0, 1.02), xlim=(known.max() + 0.4, known.min() - 0.4))
        axes[0, 0].set_xticks([k for k in (10, 8, 6, 4, 2, 1) if known.min() <= k <= known.max()])
        for axis in axes[-1]:
            axis.set_xlabel("known classes")
        for axis in axes[:, 0]:
            axis.set_ylabel("F-measure")
        extra = [
            plt.Line2D([], [], color=GREY, marker="o", ms=4.5, label="measured, mean"),
            plt.Line2D([], [], color=GREY, marker="o", ms=3, lw=0, alpha=0.6, label="one class subset"),
        ]
        if frame["reported"].notna().any():
            extra.append(plt.Line2D([], [], color="black", ls="--", lw=1.3, label="reported"))
        extra.append(plt.Line2D([], [], color="#c4c4c4", lw=1, label="other models"))
        legend_below(figure, axes[0, 0], extra, columns=4)
        return figure


def curves(axis: Axes, frame: pd.DataFrame, model: str, subsets: pd.DataFrame) -> None:
    """One model's curve and points before the others' curves. frame: the numbers of one threshold, in order."""
    for other, curve in frame.groupby("model", sort=False):
        if other != model:
            axis.plot(curve["known"], curve["reproduced"], color="#c4c4c4", lw=1, zorder=1)
    own = frame[frame["model"] == model]
    axis.plot(subsets["known"], subsets["f_measure"], "o", color=colour(model), ms=3, alpha=0.4, lw=0)
    axis.plot(own["known"], own["reproduced"], "-o", color=colour(model), ms=4.5)
    axis.plot(own["known"], own["reported"], "--", color="black", lw=1.3)
