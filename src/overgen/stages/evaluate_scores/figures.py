"""Figures of open-set scores in the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from overgen.measures.ranking import Ranking, ranking
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, NO_NETWORK, WIDTH, ImageGrid, blank, colour, legend_below, ridges, style
from overgen.run.results import Cell
from overgen.stages.evaluate_scores.names import method_name

ANSWERS = {"right": "#4d4d4d", "known, called unknown": "#b5b5b5", "known, another class": "#d55e00"}
PALE = ("#f5b183", "#fbd9c0")  # of neighbours, so that they stay apart


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
    best = best_of(cells, names)
    softmax = [pair for pair in names if pair[1] == "softmax" and pair not in best]
    yield "score_ranking", score_ranking(names, test)
    yield "score_extremes", score_extremes(cells, best)
    yield "score_answers", score_answers(cells, [*best, *softmax])


def best_of(cells: Mapping[str, Cell], names: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of each model the first (model, method) that uses the network; of one that has none, the first.

    names: in the order of their ranks.
    """
    best = []
    for model in cells:
        own = [pair for pair in names if pair[0] == model]
        best.append(next((pair for pair in own if not on_pixels(pair[1])), own[0]))
    return best


def on_pixels(method: str) -> bool:
    """Whether a method judges pixels: no network takes part in its score."""
    return method.endswith("_pixels")


def title(model: str, method: str) -> str:
    """A method with the network that it is on."""
    return method_name(method) if on_pixels(method) else f"{method_name(method)} · {model_name(model)}"


def ink_of(model: str, method: str) -> str:
    """The network's colour, or that of what uses none."""
    return NO_NETWORK if on_pixels(method) else colour(model)


def score_ranking(names: Sequence[tuple[str, str]], test: Ranking) -> Figure:
    """Mean ranks by AUROC, best above, with bars of Nemenyi's critical difference.

    names: (model, method) in that order. Two methods whose bars do not overlap differ at the 5 % level.
    """
    ranks, p, difference, problems = test
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.195 * len(names) + 1.0))
        for y, (pair, rank) in enumerate(zip(names, ranks, strict=True)):
            ink, marker = ink_of(*pair), "s" if on_pixels(pair[1]) else "o"
            axis.plot([rank - difference / 2, rank + difference / 2], [y, y], color=ink, lw=2, alpha=0.45)
            axis.plot(rank, y, marker, color=ink, ms=5)
        axis.axvspan(ranks[0] - difference / 2, ranks[0] + difference / 2, color="#f0f0f0", zorder=0)
        axis.set_yticks(range(len(names)), [title(*pair) for pair in names])
        axis.tick_params(axis="y", labelsize=8.5, pad=1)
        for label, pair in zip(axis.get_yticklabels(), names, strict=True):
            label.set_color(ink_of(*pair))
        axis.set(
            xlim=(0, len(names) + 1),
            ylim=(len(names) - 0.4, -0.6),
            xlabel=f"mean rank by AUROC over {problems} problems, 1 = best",
        )
        chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        axis.text(0.99, 0.995, f"Friedman: {chance}\ncritical difference {difference:.1f}", fontsize=8.5, ha="right",
                  va="top", transform=axis.transAxes, color=GREY)  # fmt: skip
        axis.grid(axis="y", visible=False)
        figure.tight_layout()
        return figure


def score_histograms(study: Study) -> Figure | None:
    """How scores are spread over known and unknown classes and other images, a panel a method.

    Of each model that has histograms the best-ranked method, and softmax of the first. What lies beyond the ends counts
    to the outer bins, which are pale. Dashed: the threshold of each class subset.
    """
    cells = {m: c for m, c in study.cells("evaluate_scores").items() if (c.folder / "histograms.csv").is_file()}
    if not cells:
        return None
    stored = [(m, str(method)) for m, c in cells.items() for method in c.table("histograms")["method"].unique()]
    order = ranked(study.cells("evaluate_scores"))
    names = [pair for pair in (order[0] if order else stored) if pair in stored]
    shown = best_of(cells, names)
    shown += [pair for pair in names if pair == (shown[0][0], "softmax") and pair not in shown]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    with style():
        figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 3.1 * rows), squeeze=False)
        for axis, (model, method) in zip(axes.flat, shown, strict=False):
            spread(axis, cells[model], method)
            axis.set_title(title(model, method).replace(" · ", "\non "), fontsize=9.5, color=ink_of(model, method))
        for axis in axes[:, 1:].flat:
            axis.tick_params(labelleft=False)
        for axis in axes.flat[max(0, len(shown) - columns) : len(shown)]:
            axis.set_xlabel("score, larger = known")
        blank(axes.flat[len(shown) :])
        figure.tight_layout()
        return figure


def spread(axis: Axes, cell: Cell, method: str) -> None:
    """The histograms of one method's scores, with the thresholds of the class subsets that they are of."""
    table = cell.table("histograms")
    table = table[table["method"] == method]
    drawn = [
        (str(kind), bins["count"].to_numpy(), np.array([*bins["low"], bins["high"].iloc[-1]]))
        for kind, bins in table.groupby("kind", sort=False)
    ]
    ridges(axis, drawn, beyond=True)
    trials = cell.table("trials")
    own = trials[(trials["method"] == method) & (trials["known"] == table["known"].iloc[0])]
    low, high = table["low"].min(), table["high"].max()
    for threshold in own["threshold"]:
        if low <= threshold <= high:
            axis.axvline(threshold, color="#0b5394", lw=0.9, ls="--", alpha=0.7)
    axis.set_xlim(low, high)
    axis.locator_params(axis="x", nbins=4)


def score_extremes(cells: Mapping[str, Cell], shown: Sequence[tuple[str, str]]) -> Figure:
    """The unknown test images that score highest and the known ones that score lowest, of some (model, method).

    Under each image its class, the answer of the method, and the score.
    """
    rows = []
    for model, method in shown:
        examples = cells[model].examples()
        place = examples["method"].tolist().index(method)
        for kind in range(2):
            values = [examples[name][place, kind] for name in ("image", "label", "predicted", "score")]
            rows.append((f"{title(model, method)}: {examples['kind'][kind]}", ink_of(model, method), values))
    with style():
        grid = ImageGrid(len(rows), len(rows[0][2][0]), head=0.42, foot=0.6)
        for r, (text, ink, values) in enumerate(rows):
            grid.label(r, text, ink)
            for c, (image, label, answer, score) in enumerate(zip(*values, strict=True)):
                number = f"{score:,.0f}" if abs(score) >= 10 else f"{score:#.2g}".replace("e-0", "e-")
                below = f"{label} → {answer}\n{number.replace('-', '−')}"
                grid.image(r, c, image / 255, text=below)
        return grid.figure


def score_answers(cells: Mapping[str, Cell], shown: Sequence[tuple[str, str]]) -> Figure:
    """Answers at the threshold, of some (model, method): for what unknown images are taken, and what known ones get.

    Shares of the test images of several class subsets, in percent; the numbers are the known classes.
    """
    with style():
        figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 2 * (0.3 * len(shown) + 0.95)), sharex=True)
        for y, (model, method) in enumerate(shown):
            table = cells[model].table("confusion")
            counts = table[table["method"] == method].set_index(["truth", "answer"])["count"]
            unknown, known = counts.loc[-1], counts[counts.index.get_level_values("truth") >= 0]
            truth, answer = (known.index.get_level_values(name) for name in ("truth", "answer"))
            stacked(axes[0], y, [("", ANSWERS["right"], unknown.get(-1, 0)), *(
                (str(name), PALE[i % 2], count) for i, (name, count) in enumerate(unknown.drop(-1).items())
            )])  # fmt: skip
            masks = [truth == answer, answer == -1, (truth != answer) & (answer != -1)]
            stacked(axes[1], y, [("", ink, known[mask].sum())
                                 for ink, mask in zip(ANSWERS.values(), masks, strict=True)])  # fmt: skip
        for axis, text in zip(axes, ("images of unknown classes", "images of known classes"), strict=True):
            axis.set_title(text, loc="left")
            axis.set_yticks(range(len(shown)), [title(*pair) for pair in shown])
            axis.set(ylim=(len(shown) - 0.5, -0.5), xlim=(0, 100))
            axis.tick_params(axis="y", labelsize=9)
            for label, pair in zip(axis.get_yticklabels(), shown, strict=True):
                label.set_color(ink_of(*pair))
            axis.grid(axis="y", visible=False)
        axes[1].set_xlabel("share of the test images, %")
        colours = ANSWERS | {"unknown, taken for the class named": PALE[0]}
        legend_below(figure, axes[1], [Patch(color=ink, label=text) for text, ink in colours.items()], columns=2)
        return figure


def stacked(axis: Axes, y: int, parts: Sequence[tuple[str, str, float]]) -> None:
    """A bar of shares in percent, from texts, colours and counts; a text stands in a part that is wide enough."""
    left, total = 0.0, sum(count for _, _, count in parts)
    for text, ink, count in parts:
        width = 100 * count / max(total, 1)
        axis.barh(y, width, left=left, height=0.74, color=ink, edgecolor="white", lw=0.6)
        if width > 2.2:
            axis.text(left + width / 2, y, text, ha="center", va="center", fontsize=8.5)
        left += width
