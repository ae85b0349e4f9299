"""Figures of open-set recognition in the report."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.measures.metrics import openness
from overgen.report.names import model_name
from overgen.report.study import Study, rising
from overgen.report.style import GREY, colour, legend_below, style


def open_set(study: Study) -> Figure:
    """Figure 4: F-measure against the number of known classes, one line a model, one panel a threshold.

    Small points are the class subsets. Dashed: the reported curve.
    """
    frame = study.reported("open_set", "f_measure")
    frame = frame.assign(known=frame["known"].astype(int))
    trials = {model: cell.table("trials") for model, cell in study.cells("evaluate_openset").items()}
    first = next(iter(trials.values())).iloc[0]
    classes = round(first["known"] / (1 - first["openness"]) ** 2)  # openness = 1 − √(known / classes)
    taus = rising(frame["tau"])
    with style(), matplotlib.rc_context({"axes.titley": None}):  # titles stand above the second axis
        figure, axes = plt.subplots(1, len(taus), figsize=(5.0 * len(taus) + 0.4, 4.6), sharey=True, squeeze=False)
        for axis, tau in zip(axes[0], taus, strict=True):
            for model, points in trials.items():
                curve = frame[(frame["model"] == model) & (frame["tau"] == tau)].sort_values("known")
                axis.plot(curve["known"], curve["reported"], "--", color=colour(model), lw=1.4, alpha=0.75)
                subsets = points[np.isclose(points["tau"], float(tau))]
                subsets = subsets[subsets["alpha"] == subsets["alpha"].iloc[0]]  # the first α of a τ is the paper's
                axis.plot(subsets["known"], subsets["f_measure"], "o", color=colour(model), ms=3.5, alpha=0.45, lw=0)
                axis.plot(curve["known"], curve["reproduced"], "-o", color=colour(model), ms=5, label=model_name(model))
            axis.set(title=f"τ = {tau}", xlabel="known classes", ylim=(0, 1.02), xlim=(classes + 0.3, 0.7))
            axis.set_xticks(range(classes, 0, -1))
            above = axis.secondary_xaxis("top")
            ticks = [k for k in (10, 8, 6, 4, 2, 1) if k <= classes]
            above.set_xticks(ticks, [f"{openness(k, classes):.2f}" for k in ticks])
            above.set_xlabel("openness", fontsize=10)
            above.spines["top"].set_visible(False)
        axes[0, 0].set_ylabel("F-measure")
        extra = [plt.Line2D([], [], color=GREY, marker="o", ms=3.5, lw=0, alpha=0.6, label="one class subset")]
        if frame["reported"].notna().any():
            extra.append(plt.Line2D([], [], color=GREY, ls="--", lw=1.4, label="reported"))
        legend_below(figure, axes[0, 0], extra)
        return figure
