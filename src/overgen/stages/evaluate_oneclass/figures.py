"""Figures of one class against all others in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, colour, legend_below, style
from overgen.run.results import parts

MARKERS = ("o", "s", "^", "D", "v")  # of models, beside their colours
LEAST = 0.005  # share of the other classes at which the logarithmic axis begins


def one_class_roc(study: Study) -> Figure:
    """Figure 5: ROC curves of one class against all others, averaged over the classes, with their 95 % bands.

    The share of the others is on a logarithmic scale. Hollow markers are points of the reported curves.
    """
    frame = study.reported("one_class", "auroc", score="")
    points = reported_points(study)
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.3))
        chance = np.geomspace(LEAST, 1, 50)
        axis.plot(100 * chance, 100 * chance, color=GREY, lw=1, ls=":")
        for i, (model, cell) in enumerate(study.cells("evaluate_oneclass").items()):
            curve = cell.table("roc")
            curve = curve[curve["score"].isna() & (curve["fpr"] >= LEAST)]  # the score without a suffix
            row = frame[frame["model"] == model].iloc[0]
            text = "" if math.isnan(row["reported"]) else f" (reported {row['value']})"
            at = 100 * curve["fpr"]
            axis.fill_between(at, 100 * curve["low"], 100 * curve["high"], color=colour(model), alpha=0.13, lw=0)
            axis.plot(at, 100 * curve["tpr"], color=colour(model),
                      label=f"{model_name(model)}: area {row['reproduced']:.3f}{text}")  # fmt: skip
            if model in points:
                axis.plot(*points[model], MARKERS[i % len(MARKERS)], mfc="white", mec=colour(model), mew=1.5, ms=7)
        extra = [plt.Line2D([], [], color=GREY, lw=1, ls=":", label="chance")]
        if points:
            extra.insert(0, plt.Line2D([], [], color=GREY, marker="o", mfc="white", lw=0, ms=7, label="reported"))
        axis.set(xscale="log", xlim=(100 * LEAST, 100), ylim=(0, 101))
        axis.set(xlabel="images of other classes accepted, %", ylabel="images of the class accepted, %")
        ticks = [0.5, 1, 2, 5, 10, 20, 50, 100]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        legend_below(figure, axis, extra, columns=2)
        return figure


def reported_points(study: Study) -> dict[str, tuple[list[float], list[float]]]:
    """Points of the papers' curves by model, as shares in percent: of the others accepted, and of the class."""
    points: dict[str, tuple[list[float], list[float]]] = {}
    papers = study.papers[(study.papers["experiment"] == "one_class") & (study.papers["dataset"] == study.dataset)]
    for model, metric, share in zip(papers["model"], papers["metric"], papers["value"], strict=True):
        keys = parts(metric)
        if keys["metric"] == "tpr" and "fpr" in keys:
            others, own = points.setdefault(model, ([], []))
            others.append(100 * float(keys["fpr"]))
            own.append(100 * share)
    return points


def one_class_aurocs(study: Study) -> Figure:
    """AUROC of each class alone, a row a class and a point a model; dashed lines are the means over the classes.

    The score of each model is the one without a key.
    """
    with style():
        trials = {model: cell.table("trials") for model, cell in study.cells("evaluate_oneclass").items()}
        names = [str(name) for name in next(iter(trials.values()))["name"].unique()]
        figure, axis = plt.subplots(figsize=(WIDTH, 0.3 * len(names) + 1.3))
        for i, (model, table) in enumerate(trials.items()):
            points = table[table["score"].isna()]
            rows = np.arange(len(points)) + 0.16 * (i - (len(trials) - 1) / 2)  # points of equal value stay apart
            axis.plot(
                points["auroc"], rows, MARKERS[i % len(MARKERS)], color=colour(model), ms=5.5, lw=0,
                label=model_name(model),
            )  # fmt: skip
            axis.axvline(points["auroc"].mean(), color=colour(model), lw=1.2, ls="--")
        axis.set(xlabel="AUROC of the class against all others", ylabel="class", ylim=(len(names) - 0.5, -0.5))
        axis.set_xlim(right=1.005)
        axis.set_yticks(range(len(names)), names)
        legend_below(figure, axis, [plt.Line2D([], [], color=GREY, lw=1.2, ls="--", label="mean")])
        return figure
