"""Figures of open-set scores in the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.measures.ranking import Ranking, ranking
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, colour, style
from overgen.run.results import Cell
from overgen.stages.evaluate_scores.names import method_name

KIND_COLOURS = {
    "known classes": "#0173b2",
    "unknown classes": "#d55e00",
    "uniform noise": "#7f7f7f",
    "normal noise": "#1b1b1b",
    "shuffled pixels": "#029e73",
    "other data": "#ece133",
    "fooling images": "#cc78bc",
}


def ranked(cells: Mapping[str, Cell]) -> tuple[list[tuple[str, str]], Ranking] | None:
    """Every (model, method) with its mean rank by AUROC over the problems, best first, and the test.

    cells: of evaluate_scores. A problem is a number of known classes and a subset. None where there are too few.
    """
    trials = pd.concat([cell.table("trials").assign(model=model) for model, cell in cells.items()])
    wide = trials[trials["auroc"].notna()].pivot(index=["known", "subset"], columns=["model", "method"], values="auroc")
    if wide.shape[0] < 2 or wide.shape[1] < 3:
        return None
    test = ranking(wide.to_numpy())
    order = test.ranks.argsort(kind="stable")
    names = [(str(column[0]), str(column[1])) for column in wide.columns]
    return [names[i] for i in order], test._replace(ranks=test.ranks[order])


def rankings(study: Study) -> Iterator[tuple[str, Figure]]:
    """The ranks of all methods; images and answers of each model's best and of softmax; none if problems are few."""
    cells = study.cells("evaluate_scores")
    if (order := ranked(cells)) is None:
        return
    names, test = order
    best = [next(pair for pair in names if pair[0] == model) for model in cells]
    shown = [*best, *(pair for pair in names if pair[1] == "softmax" and pair not in best)]
    yield "score_ranking", score_ranking(names, test)
    yield "score_extremes", score_extremes(cells, shown)
    yield "score_confusion", score_confusion(cells, shown)


def score_ranking(names: Sequence[tuple[str, str]], test: Ranking) -> Figure:
    """Mean ranks by AUROC, best above, with bars of Nemenyi's critical difference.

    names: (model, method) in that order. Two methods whose bars do not overlap differ at the 5 % level.
    """
    ranks, p, difference, problems = test
    with style():
        figure, axis = plt.subplots(figsize=(8.4, 0.27 * len(names) + 1.3))
        for y, ((model, _), rank) in enumerate(zip(names, ranks, strict=True)):
            axis.plot([rank - difference / 2, rank + difference / 2], [y, y], color=colour(model), lw=2.5, alpha=0.5)
            axis.plot(rank, y, "o", color=colour(model), ms=6)
        axis.axvspan(ranks[0] - difference / 2, ranks[0] + difference / 2, color="#f0f0f0", zorder=0)
        axis.set_yticks(range(len(names)), [f"{method_name(method)} · {model_name(model)}" for model, method in names])
        axis.tick_params(axis="y", labelsize=10)
        for label, (model, _) in zip(axis.get_yticklabels(), names, strict=True):
            label.set_color(colour(model))
        axis.set(
            xlim=(0, len(names) + 1),
            ylim=(len(names) - 0.4, -0.6),
            xlabel=f"mean rank by AUROC over {problems} problems, 1 = best",
        )
        chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        axis.set_title(f"Friedman: {chance}; critical difference {difference:.1f}", fontsize=11, loc="left")
        axis.grid(axis="y", visible=False)
        figure.tight_layout()
        return figure


def score_histograms(study: Study) -> Iterator[tuple[str, Figure]]:
    """The histograms of each model's scores, but of one that knows all classes."""
    for model, cell in study.cells("evaluate_scores").items():
        if (cell.folder / "histograms.csv").is_file():
            yield f"score_histograms_{model}", histograms(cell.table("histograms"))


def histograms(table: pd.DataFrame) -> Figure:
    """How each method's scores are spread over known and unknown classes and other images.

    table: histograms.csv. Shares of each kind; what lies beyond the ends counts to the outer bins.
    """
    methods = list(dict.fromkeys(table["method"]))
    columns = min(4, len(methods))
    lines = math.ceil(len(methods) / columns)
    with style():
        figure, axes = plt.subplots(lines, columns, figsize=(2.9 * columns, 1.9 * lines + 0.6), squeeze=False)
        for axis, method in zip(axes.flat, methods, strict=False):
            for kind, bins in table[table["method"] == method].groupby("kind", sort=False):
                share = bins["count"] / bins["count"].sum()
                edges = [*bins["low"], bins["high"].iloc[-1]]
                axis.stairs(share, edges, color=KIND_COLOURS[str(kind)], lw=1.5, fill=kind == "known classes",
                            alpha=0.35 if kind == "known classes" else 1, label=kind)  # fmt: skip
            axis.set_title(method_name(method), fontsize=10)
            axis.set_yticks([])
            axis.tick_params(axis="x", labelsize=8)
            axis.locator_params(axis="x", nbins=4)
            axis.xaxis.get_offset_text().set_fontsize(7)
            axis.grid(visible=False)
        for axis in axes.flat[len(methods) :]:
            axis.axis("off")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.tight_layout()
        figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.01), ncols=3, fontsize=10)
        return figure


def score_extremes(cells: Mapping[str, Cell], shown: Sequence[tuple[str, str]]) -> Figure:
    """The unknown test images that score highest and the known ones that score lowest, of some (model, method)."""
    rows = []
    for model, method in shown:
        examples = cells[model].examples()
        place = examples["method"].tolist().index(method)
        for kind in range(2):
            padded = [np.pad(image, 1, constant_values=128) for image in examples["image"][place, kind]]
            text = f"{method_name(method)} · {model_name(model)}\n{examples['kind'][kind]}"
            rows.append((model, text, np.concatenate(padded, 1)))
    with style():
        height = 0.72 * len(rows)
        figure, axes = plt.subplots(len(rows), 1, figsize=(0.62 * rows[0][2].shape[1] / 30, height), squeeze=False)
        for axis, (model, text, strip) in zip(axes[:, 0], rows, strict=True):
            axis.imshow(strip, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.axis("off")
            axis.text(-0.01, 0.5, text, transform=axis.transAxes, ha="right", va="center", fontsize=10,
                      color=colour(model))  # fmt: skip
        figure.subplots_adjust(0, 0, 1, 1, hspace=0.08)
        return figure


def score_confusion(cells: Mapping[str, Cell], shown: Sequence[tuple[str, str]]) -> Figure:
    """Answers at the threshold against the truth, "unknown" among them, in % of a row, of some (model, method)."""
    with style():
        figure, axes = plt.subplots(1, len(shown), figsize=(3.3 * len(shown), 3.6), squeeze=False)
        for axis, (model, method) in zip(axes[0], shown, strict=True):
            table = cells[model].table("confusion")
            wide = table[table["method"] == method].pivot(index="truth", columns="answer", values="count")
            order = [*(name for name in wide.index if name >= 0), -1]
            counts = wide.loc[order, order].to_numpy()
            share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
            axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
            for (i, j), value in np.ndenumerate(share):
                ink = "white" if value > 60 else GREY
                axis.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=9, color=ink)
            texts = [str(name) if name >= 0 else "?" for name in order]
            axis.set_xticks(range(len(order)), texts)
            axis.set_yticks(range(len(order)), texts)
            axis.set_title(f"{method_name(method)}\n{model_name(model)}", fontsize=11)
            axis.set_xlabel("answer")
            axis.grid(visible=False)
        axes[0, 0].set_ylabel("truth")
        figure.tight_layout()
        return figure
