"""Figures of one class against all others in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, colour, legend_below, style


def one_class_roc(study: Study) -> Figure:
    """Figure 5: ROC curves of one class against all others, averaged over the classes, with their 95 % bands."""
    frame = study.reported("one_class", "auroc", score="")
    with style():
        figure, axis = plt.subplots(figsize=(5.6, 5.2))
        axis.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
        for model, cell in study.cells("evaluate_oneclass").items():
            curve = cell.table("roc")
            curve = curve[curve["score"].isna()]  # the score without a suffix
            row = frame[frame["model"] == model].iloc[0]
            text = "" if math.isnan(row["reported"]) else f", reported {row['value']}"
            axis.fill_between(curve["fpr"], curve["low"], curve["high"], color=colour(model), alpha=0.16, lw=0)
            axis.plot(
                curve["fpr"], curve["tpr"], color=colour(model),
                label=f"{model_name(model)}: area {row['reproduced']:.3f}{text}",
            )  # fmt: skip
        axis.set(xlabel="other classes accepted", ylabel="the class accepted", xlim=(0, 1), ylim=(0, 1.005))
        axis.set_aspect("equal")
        axis.legend(loc="lower right")
        figure.tight_layout()
        return figure


def one_class_aurocs(study: Study) -> Figure:
    """AUROC of each class alone, a row a class and a point a model; vertical lines are the means.

    The score of each model is the one without a key.
    """
    with style():
        trials = {model: cell.table("trials") for model, cell in study.cells("evaluate_oneclass").items()}
        names = [str(name) for name in next(iter(trials.values()))["name"].unique()]
        figure, axis = plt.subplots(figsize=(7.2, 0.36 * len(names) + 1.5))
        for i, (model, table) in enumerate(trials.items()):
            points = table[table["score"].isna()]
            rows = np.arange(len(points)) + 0.16 * (i - (len(trials) - 1) / 2)  # points of equal value stay apart
            axis.plot(points["auroc"], rows, "o", color=colour(model), ms=7, lw=0, label=model_name(model))
            axis.axvline(points["auroc"].mean(), color=colour(model), lw=1.2, ls="--")
        axis.set(xlabel="AUROC", ylim=(len(names) - 0.5, -0.5))
        axis.set_xlim(right=1.005)
        axis.set_yticks(range(len(names)), names)
        legend_below(figure, axis)
        return figure
