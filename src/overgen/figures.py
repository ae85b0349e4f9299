"""The figures of a report: one function each, from a cell's tables and examples to a matplotlib figure.

A model has one colour everywhere (`colour`). The same input gives the same bytes (`save`). Nothing is
computed here that is a result: curves and points are those of the cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from overgen.metrics import openness
from overgen.reported import Cell
from overgen.statistics import wilson
from overgen.tables import ENCODING_NAMES, START_NAMES, model_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

OBJECTIVE_NAMES = {"y": "attack on y", "scaled": "attack on ỹ"}
GREY = "#5a5a5a"
# Colours that stay apart for colour-blind readers and in grey print (Wong 2011, as in seaborn's
# "colorblind").
COLOURS = {
    "cnn": "#0173b2",
    "cool": "#de8f05",
    "lenet": "#4b2c7f",
    "dae_sym": "#029e73",
    "dae_asym": "#cc78bc",
    "autoencoder": "#7f7f7f",
    "fc10_1e-4": "#6baed6",
    "fc10_1e-2": "#2f7fbc",
    "fc10_1": "#08306b",
    "fc100_100_10": "#e6923a",
    "fc200_200_10": "#a63603",
    "ae400_10": "#238b45",
    "ocsvm": "#4b2c7f",
}
RING_COLOURS = ("#d55e00", "#56b4e9", "#4b2c7f")  # of classes, not of models
ENCODING_COLOURS = {"direct": "#d55e00", "cppn": "#0173b2"}
MORE_COLOURS = ("#d55e00", "#56b4e9", "#a6761d", "#1b1b1b")


def colour(model: str) -> str:
    """The model's colour in every figure; a model that is not the papers' gets one from its name."""
    return COLOURS.get(model) or MORE_COLOURS[sum(map(ord, model)) % len(MORE_COLOURS)]


@contextmanager
def style() -> Iterator[None]:
    """The style of every figure, restored afterwards."""
    settings: dict[Any, Any] = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
        "font.size": 12,
        "axes.titlesize": 13,
        "axes.labelsize": 12,
        "xtick.labelsize": 11,
        "ytick.labelsize": 11,
        "legend.fontsize": 11,
        "legend.frameon": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.edgecolor": "#9a9a9a",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "lines.linewidth": 2,
        "figure.facecolor": "white",
        "svg.hashsalt": "overgen",  # otherwise element names are random
        "svg.fonttype": "path",
    }
    with sns.axes_style("white"), matplotlib.rc_context(settings):
        yield


def save(figure: Figure, folder: Path, name: str, *, dpi: int) -> None:
    """Write `name`.svg and `name`.png into a folder, without dates or versions, and close the figure."""
    with style():
        # The box around all that is drawn, found once: savefig's own "tight" draws everything again for each file.
        box = figure.get_tightbbox(figure.canvas.get_renderer()).padded(0.08)  # type: ignore[attr-defined]
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None}, bbox_inches=box, dpi=dpi)
        figure.savefig(folder / f"{name}.png", metadata={"Software": None}, bbox_inches=box, dpi=dpi)
    plt.close(figure)


def fooling_images(cells: Mapping[str, Cell]) -> Figure:
    """Figure 3: what the attack found, one row a model and objective, one column a target class.

    cells: fool_fgn by model. Under each image its score ỹ; a frame in the model's colour and ✓ where it fooled.
    """
    rows = []
    for model, cell in cells.items():
        examples = cell.examples()
        for i, objective in enumerate(examples["objective"]):
            label = OBJECTIVE_NAMES.get(str(objective), str(objective)) + f"\nτ = {examples['tau'][i]:g}"
            label += f", α = {examples['alpha'][i]:g}" if objective == "scaled" else ""
            rows.append((model, label, {k: examples[k][i] for k in ("image", "score", "fooled")}))
    with style():
        grid = _ImageGrid(len(rows), len(rows[0][2]["score"]), gap=0.34)
        for r, (model, label, found) in enumerate(rows):
            grid.label(r, f"{model_name(model)}\n{label}", colour(model))
            for c, (image, score, fooled) in enumerate(zip(*found.values(), strict=True)):
                frame, ink = (colour(model), "black") if fooled else (None, GREY)
                grid.image(r, c, image, frame=frame, text=f"{_score(float(score))} {'✓' if fooled else '–'}", ink=ink)
        grid.titles([str(c) for c in range(grid.columns)])
        return grid.figure


def fooling_rates(frame: pd.DataFrame, models: Sequence[str], taus: Sequence[str]) -> Figure:
    """Fooling rates reported (hollow) and measured (filled) with their 95 % intervals, one panel a threshold.

    frame: rows of `reported.compare`, experiment fgn, metric fooling_rate, with the columns reported,
    reported_low and reported_high as numbers (NaN where nothing is reported).
    """
    with style():
        figure, axes = plt.subplots(1, len(taus), figsize=(9.2, 0.62 * len(models) + 1.5), sharey=True, squeeze=False)
        for axis, tau in zip(axes[0], taus, strict=True):
            for y, model in enumerate(models):
                row = frame[(frame["model"] == model) & (frame["tau"] == tau)].iloc[0]
                if not math.isnan(row["reported"]):
                    axis.plot([row["reported_low"], row["reported_high"]], [y - 0.16] * 2, color=GREY, lw=1.5)
                    axis.plot(row["reported"], y - 0.16, "o", mfc="white", mec=GREY, ms=8, clip_on=False, zorder=3)
                if not math.isnan(row["low"]):
                    axis.plot([row["low"], row["high"]], [y + 0.16] * 2, color=colour(model), lw=2.5)
                axis.plot(row["reproduced"], y + 0.16, "o", color=colour(model), ms=8, clip_on=False, zorder=3)
            axis.set(
                xlim=(-3, 103),
                ylim=(len(models) - 0.5, -0.5),
                title=f"τ = {tau}",
                xlabel="trials that fool, %",
            )
            axis.set_yticks(range(len(models)), [model_name(model) for model in models])
            axis.tick_params(axis="y", labelsize=12)
            axis.grid(axis="y", visible=False)
        handles = [plt.Line2D([], [], marker="o", color=GREY, lw=2.5, ms=8, label="measured here")]
        if frame["reported"].notna().any():
            handles.insert(0, plt.Line2D([], [], marker="o", color=GREY, mfc="white", lw=1.5, ms=8, label="reported"))
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
        figure.tight_layout()
        return figure


def first_passage(cells: Mapping[str, Cell], taus: Sequence[str], updates: Mapping[str, int]) -> Figure:
    """Share of trials that have fooled, against the number of updates; attack on y, one panel a threshold.

    cells: fool_fgn by model, whose trials.csv has a column `step@tau=…,alpha=…` for each pair, the paper's α
    of a τ first. updates: how long a model's trials were, where its curve ends.
    """
    with style():
        figure, axes = plt.subplots(1, len(taus), figsize=(9.2, 3.6), sharey=True, squeeze=False)
        for axis, tau in zip(axes[0], taus, strict=True):
            for model, cell in cells.items():
                trials = cell.table("trials")
                column = next(name for name in trials.columns if name.startswith(f"step@tau={tau},"))
                steps = trials.loc[trials["objective"] == "y", column]
                _passage_curve(axis, model, steps, updates[model])
            axis.set(title=f"τ = {tau}", xlabel="updates", ylim=(0, 100))
            _updates_axis(axis, max(updates.values()))
        axes[0, 0].set_ylabel("trials that have fooled, %")
        _legend_below(figure, axes[0, 0])
        return figure


def gradient_passage(cells: Mapping[str, Cell], taus: Sequence[str], updates: int) -> Figure:
    """Share of trials that gradient attacks on ỹ have fooled, against updates: rows are starts, columns thresholds.

    cells: fool_gradient by model; the updates are those of all attacks in turn; the paper's α of a τ.
    """
    trials = {model: cell.table("trials") for model, cell in cells.items()}
    starts = list(dict.fromkeys(next(iter(trials.values()))["start"]))
    with style():
        figure, axes = plt.subplots(
            len(starts), len(taus), figsize=(9.2, 2.4 * len(starts) + 0.6), sharex=True, sharey=True, squeeze=False
        )
        for (r, start), (c, tau) in product(enumerate(starts), enumerate(taus)):
            axis = axes[r, c]
            for model, table in trials.items():
                mine = table[(table["start"] == start) & (table["tau"] == float(tau))]
                mine = mine[mine["alpha"] == mine["alpha"].iloc[0]]
                _passage_curve(axis, model, mine["step"], updates)
            axis.set(title=f"from {START_NAMES.get(start, start)}, τ = {tau}", ylim=(0, 100))
            _updates_axis(axis, updates)
        for axis in axes[-1]:
            axis.set_xlabel("updates")
        for axis in axes[:, 0]:
            axis.set_ylabel("fooled, %")
        _legend_below(figure, axes[0, 0])
        return figure


def _passage_curve(axis: Axes, model: str, steps: pd.Series, updates: int) -> None:
    """A model's share of fooled trials, with its Wilson interval at every number of updates.

    steps: of each trial at its first passage, NA where it never came.
    """
    fooled = np.sort(steps.dropna().to_numpy(dtype=np.float64))
    hits = np.r_[0, np.arange(1, len(fooled) + 1), len(fooled)]
    low, high = 100 * np.array([wilson(int(k), len(steps)) for k in hits]).T
    at = np.r_[0, fooled, updates]
    axis.fill_between(at, low, high, step="post", color=colour(model), alpha=0.15, lw=0)
    axis.step(at, 100 * hits / len(steps), where="post", color=colour(model), label=model_name(model), clip_on=False)


def _updates_axis(axis: Axes, updates: int) -> None:
    axis.set_xscale("symlog", linthresh=10)
    axis.set_xlim(0, updates)
    ticks = [0, *(10**k for k in range(1, 6) if 10**k <= updates)]
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.minorticks_off()


def gradient_images(cells: Mapping[str, Cell]) -> Figure:
    """What gradient attacks on ỹ end at, at the highest τ with the paper's α: a row a model and start.

    cells: fool_gradient by model. Under each image its score ỹ; a frame in the model's colour and ✓ where it fooled.
    """
    rows = []
    for model, cell in cells.items():
        found = cell.examples()
        top = found["tau"] == found["tau"].max()
        top &= found["alpha"] == found["alpha"][top][0]
        for i in np.flatnonzero(top):
            start = str(found["start"][i])
            label = f"{model_name(model)}\nfrom {START_NAMES.get(start, start)}"
            rows.append((model, label, {k: found[k][i] for k in ("image", "score", "fooled")}))
    with style():
        grid = _ImageGrid(len(rows), len(rows[0][2]["score"]), gap=0.34)
        for r, (model, label, images) in enumerate(rows):
            grid.label(r, label, colour(model))
            for c, (image, score, fooled) in enumerate(zip(*images.values(), strict=True)):
                frame, ink = (colour(model), "black") if fooled else (None, GREY)
                grid.image(r, c, image, frame=frame, text=f"{_score(float(score))} {'✓' if fooled else '–'}", ink=ink)
        grid.titles([str(c) for c in range(grid.columns)])
        return grid.figure


def open_set(frame: pd.DataFrame, trials: Mapping[str, pd.DataFrame], *, classes: int) -> Figure:
    """Figure 4: F-measure against the number of known classes, one line a model, one panel a threshold.

    frame: rows of `reported.compare`, experiment open_set, metric f_measure, with the columns known (a
    number) and reported (NaN where nothing is reported). trials: trials.csv of evaluate_openset by model,
    whose class subsets are the small points. Dashed: the reported curve.
    """
    taus = sorted(frame["tau"].unique(), key=float)
    with style():
        figure, axes = plt.subplots(1, len(taus), figsize=(5.0 * len(taus) + 0.4, 4.6), sharey=True, squeeze=False)
        for axis, tau in zip(axes[0], taus, strict=True):
            for model, points in trials.items():
                mine = frame[(frame["model"] == model) & (frame["tau"] == tau)].sort_values("known")
                axis.plot(mine["known"], mine["reported"], "--", color=colour(model), lw=1.4, alpha=0.75)
                here = points[np.isclose(points["tau"], float(tau))]
                here = here[here["alpha"] == here["alpha"].iloc[0]]  # the first α of a τ is the paper's
                axis.plot(here["known"], here["f_measure"], "o", color=colour(model), ms=3.5, alpha=0.45, lw=0)
                axis.plot(
                    mine["known"],
                    mine["reproduced"],
                    "-o",
                    color=colour(model),
                    ms=5,
                    label=model_name(model),
                )
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
        _legend_below(figure, axes[0, 0], extra)
        return figure


def one_class_roc(cells: Mapping[str, Cell], frame: pd.DataFrame) -> Figure:
    """Figure 5: ROC curves of one class against all others, averaged over the classes, with their 95 % bands.

    cells: evaluate_oneclass by model; frame: rows of `reported.compare`, experiment one_class, metric auroc, with the
    column reported (NaN where nothing is reported).
    """
    with style():
        figure, axis = plt.subplots(figsize=(5.6, 5.2))
        axis.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
        for model, cell in cells.items():
            curve = cell.table("roc")
            curve = curve[curve["score"].isna()]  # the score without a suffix
            row = frame[(frame["model"] == model) & (frame["metric"] == "auroc")].iloc[0]
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


def one_class_aurocs(cells: Mapping[str, Cell]) -> Figure:
    """AUROC of each class alone, a row a class and a point a model; vertical lines are the means.

    cells: evaluate_oneclass by model; the score of each is the one without a suffix.
    """
    with style():
        trials = {model: cell.table("trials") for model, cell in cells.items()}
        names = [str(name) for name in next(iter(trials.values()))["name"].unique()]
        figure, axis = plt.subplots(figsize=(7.2, 0.36 * len(names) + 1.5))
        for i, (model, table) in enumerate(trials.items()):
            mine = table[table["score"].isna()]
            rows = np.arange(len(mine)) + 0.16 * (i - (len(trials) - 1) / 2)  # points of equal value stay apart
            axis.plot(mine["auroc"], rows, "o", color=colour(model), ms=7, lw=0, label=model_name(model))
            axis.axvline(mine["auroc"].mean(), color=colour(model), lw=1.2, ls="--")
        axis.set(xlabel="AUROC", ylim=(len(names) - 0.5, -0.5))
        axis.set_xlim(right=1.005)
        axis.set_yticks(range(len(names)), names)
        _legend_below(figure, axis)
        return figure


def evolution_confidence(cells: Mapping[str, Cell]) -> Figure:
    """Evolution: median confidence of the champions over generations, with the band between the quartiles.

    cells: fool_evolution by model; one panel an encoding. Only the first seed is drawn. Where all runs have ended, a
    line goes on with the last value: a champion can only be replaced by a better one.
    """
    tables = {model: cell.table("generations") for model, cell in cells.items()}
    encodings = list(dict.fromkeys(name for table in tables.values() for name in table["encoding"]))
    last = max(table["generation"].max() for table in tables.values())
    with style():
        figure, axes = plt.subplots(
            1, len(encodings), figsize=(4.6 * len(encodings) + 0.4, 3.9), sharey=True, squeeze=False
        )
        for axis, encoding in zip(axes[0], encodings, strict=True):
            for model, table in tables.items():
                mine = table[(table["encoding"] == encoding) & (table["seed"] == table["seed"].iloc[0])]
                mine = pd.concat([mine, mine.tail(1).assign(generation=last)])
                generation = mine["generation"]
                axis.fill_between(
                    generation, 100 * mine["q25"], 100 * mine["q75"], color=colour(model), alpha=0.15, lw=0
                )
                axis.plot(generation, 100 * mine["median"], color=colour(model), label=model_name(model))
            axis.set(title=f"{ENCODING_NAMES[encoding]} encoding", xlabel="generation", ylim=(0, 102))
            _updates_axis(axis, last)
        axes[0, 0].set_ylabel("confidence of the champions, %")
        _legend_below(figure, axes[0, 0])
        return figure


def evolution_champions(cell: Cell) -> Figure:
    """The champion images of one model's first run: a row an encoding and stored generation, a column a class."""
    return _champions(cell.examples(), "generation", colour(cell.model))


def retraining_champions(cell: Cell) -> Figure:
    """The champions of the first network of each encoding: a row a round of retraining, a column a class."""
    return _champions(cell.examples(), "round", colour(cell.model))


def _champions(examples: Mapping[str, np.ndarray], step: str, ink: str) -> Figure:
    """A row for each encoding and `step`, of which examples has an array; under each image its confidence."""
    images, scores = examples["image"], examples["confidence"]
    with style():
        grid = _ImageGrid(len(images), images.shape[1], gap=0.34)
        for r, (encoding, number) in enumerate(zip(examples["encoding"], examples[step], strict=True)):
            grid.label(r, f"{ENCODING_NAMES[str(encoding)]}\n{step} {int(number):,}", ink)
            for c in range(grid.columns):
                grid.image(r, c, images[r, c], text=_score(float(scores[r, c])))
        grid.titles([str(c) for c in range(grid.columns)])
        return grid.figure


def retraining(frame: pd.DataFrame) -> Figure:
    """Retraining on fooling images: confidence of the champions evolved afterwards and test error, over the rounds.

    frame: rows of `reported.compare` of one model, experiments retraining_<encoding>; bars are their 95 % intervals.
    """
    panels = {
        "median_confidence": "median confidence of new\nfooling images, %",
        "test_error": "test error, %",
        "recognised_rate": "fooling images of earlier rounds\nthat are recognised, %",
    }
    rounds = frame["metric"].str.partition("=")[2].astype(int)
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(12.4, 3.7), squeeze=False)
        for axis, (metric, label) in zip(axes[0], panels.items(), strict=True):
            for i, (encoding, name) in enumerate(ENCODING_NAMES.items()):
                mine = (frame["experiment"] == f"retraining_{encoding}") & frame["metric"].str.startswith(f"{metric}@")
                if not mine.any():
                    continue
                x, rows = rounds[mine] + 0.06 * (2 * i - 1), frame[mine]
                axis.vlines(x, rows["low"], rows["high"], color=ENCODING_COLOURS[encoding], lw=1.5, alpha=0.7)
                axis.plot(x, rows["reproduced"], "-o", color=ENCODING_COLOURS[encoding], ms=5, label=f"{name} encoding")
            axis.set(title=label, xlabel="round")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set_ylim(0, None if metric == "test_error" else 103)
        _legend_below(figure, axes[0, 0])
        return figure


def reliability(cells: Mapping[str, Cell]) -> Figure:
    """Reliability diagrams: how often a score is right, of y and, for each α, of ỹ; on the diagonal it is calibrated.

    cells: evaluate_confidence by model. Only the first seed is drawn, and only bins of at least 10 images.
    """
    tables = {model: cell.table("reliability") for model, cell in cells.items()}
    alphas = sorted({a for table in tables.values() for a in table["alpha"].dropna()}, reverse=True)
    with style():
        figure, axes = plt.subplots(
            1, 1 + len(alphas), figsize=(3.9 * (1 + len(alphas)), 4), sharey=True, squeeze=False
        )
        for axis, alpha in zip(axes[0], [None, *alphas], strict=True):
            axis.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
            for model, table in tables.items():
                mine = table[table["alpha"].isna() if alpha is None else table["alpha"] == alpha]
                mine = mine[(mine["seed"] == mine["seed"].min()) & (mine["images"] >= 10)]
                if len(mine):
                    axis.plot(mine["score"], mine["accuracy"], "-o", color=colour(model), ms=4, lw=1.6,
                              label=model_name(model))  # fmt: skip
            axis.set(
                title="y" if alpha is None else f"ỹ, α = {alpha:g}", xlabel="score", xlim=(0, 1.02), ylim=(0, 1.02)
            )
        axes[0, 0].set_ylabel("share that is right")
        _legend_below(figure, axes[0, 0])
        return figure


DISTANCE_COLOURS = {"test images": "#0173b2", "known classes": "#0173b2", "unknown classes": "#d55e00",
                    "uniform noise": "#949494", "normal noise": "#1b1b1b"}  # fmt: skip


def distances(cells: Mapping[str, Cell], openset: Mapping[str, Cell]) -> Figure:
    """How far r(x) is from x: test images against noise, and known against unknown classes.

    cells, openset: evaluate_confidence and evaluate_openset of the models that reconstruct; of the latter the number of
    known classes nearest to half. Dashed: the distances beyond which each (τ, α) rejects even where y = 1.
    """
    radii = next(iter(cells.values())).table("radii")
    panels = [(model_name(model), cell.table("distances")) for model, cell in cells.items()]
    for model, cell in openset.items():
        table = cell.table("distances")
        known = min(table["known"].unique(), key=lambda k: abs(k - table["known"].max() / 2))
        panels.append((f"{model_name(model)}, {known} classes known", table[table["known"] == known]))
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.9), squeeze=False)
        handles: dict[str, Any] = {}
        for axis, (title, table) in zip(axes[0], panels, strict=True):
            for kind, mine in table.groupby("kind", sort=False):
                share = 100 * mine["count"] / mine["count"].sum()
                edges = [*mine["low"], mine["high"].iloc[-1]]
                axis.stairs(share, edges, fill=True, alpha=0.35, color=DISTANCE_COLOURS[str(kind)])
                handles[str(kind)] = axis.stairs(
                    share, edges, color=DISTANCE_COLOURS[str(kind)], lw=1.6, label=str(kind)
                )
            axis.set(title=title, xlabel="‖r(x) − x‖₂", ylim=(0, 1.35 * axis.dataLim.y1))  # room for the labels
            axis.set_xlim(left=0)
            finite = radii[np.isfinite(radii["distance"])]  # α = 0 rejects at no distance
            for tau, alpha, radius in finite.sort_values("distance").itertuples(index=False):
                last = radius == finite["distance"].max()  # its label stands right of it, where no other line is
                axis.axvline(radius, color=GREY, lw=1, ls="--")
                axis.annotate(
                    f"τ {tau:g}, α {alpha:g}", (radius, 0.985), (3 if last else -1, 0), rotation=90, fontsize=8.5,
                    xycoords=("data", "axes fraction"), textcoords="offset points", color=GREY,
                    va="top", ha="left" if last else "right",
                )  # fmt: skip
        axes[0, 0].set_ylabel("images, %")
        figure.tight_layout()
        figure.legend(
            handles=list(handles.values()), loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=len(handles)
        )
        return figure


def reconstructions(cells: Mapping[str, Cell]) -> Figure:
    """What the autoencoders restore: one test image of each class, for each model clean, noisy and restored.

    cells: train_autoencoder by model.
    """
    kinds = {
        "clean": "clean",
        "noisy": "noisy",
        "restored": "restored",
        "restored_clean": "restored\nfrom clean",
    }
    with style():
        labels = next(iter(cells.values())).examples()["labels"]
        grid = _ImageGrid(len(cells) * len(kinds), len(labels), gap=0.06)
        for m, (model, cell) in enumerate(cells.items()):
            examples = cell.examples()
            for k, (kind, label) in enumerate(kinds.items()):
                row = m * len(kinds) + k
                grid.label(row, f"{model_name(model)}\n{label}" if k == 0 else label, colour(model))
                for c, image in enumerate(examples[kind]):
                    grid.image(row, c, image / 255)
        grid.titles([str(int(label)) for label in labels])
        return grid.figure


def training_curves(cells: Mapping[str, Cell]) -> Figure:
    """Loss, accuracy and reconstruction loss over epochs on the training images; one thin line a seed.

    cells: train_classifier and train_autoencoder by model. A cross-entropy below 10⁻⁴, where it can be exactly 0, is
    drawn there.
    """
    panels = {
        "classification_loss": "cross-entropy (at least 10⁻⁴)",
        "accuracy": "accuracy, %",
        "reconstruction_loss": "reconstruction loss",
    }
    curves = {model: cell.table("curves") for model, cell in cells.items()}
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(11.5, 3.6), squeeze=False)
        handles: dict[str, Any] = {}
        for axis, (column, label) in zip(axes[0], panels.items(), strict=True):
            for model, table in curves.items():
                if column not in table or not table[column].notna().any() or not (table[column] != 0).any():
                    continue  # the model has no such loss
                scale = 100 if column == "accuracy" else 1
                for _, seed in table.groupby("seed", sort=True):
                    values = scale * seed[column]
                    if column == "classification_loss":
                        values = values.clip(lower=1e-4)
                    (line,) = axis.plot(
                        seed["epoch"] + 1, values, "-o", color=colour(model), ms=2, lw=1.4, label=model_name(model)
                    )
                    handles[model] = line
            axis.set(title=label, xlabel="epoch")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if column == "classification_loss":
                axis.set_yscale("log")
        figure.tight_layout()
        figure.legend(
            handles=list(handles.values()), loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=len(handles)
        )
        return figure


def smallest_changes(cell: Cell) -> Figure:
    """The smallest changes: a row a network; in threes an image, the changed one, and ten times the difference.

    cell: fool_lbfgs. Under a changed image the label that it gets and the rms of the change. Ten times the difference
    is black at −1, grey at 0 and white at 1.
    """
    examples = cell.examples()
    networks = [str(name) for name in examples["network"]]
    shown = min(4, examples["image"].shape[1])
    with style():
        grid = _ImageGrid(len(networks), 3 * shown, gap=0.34)
        for r, c in product(range(len(networks)), range(shown)):
            original, image = examples["original"][r, c] / 255, examples["image"][r, c].astype(np.float64)
            fooled, rms = bool(examples["fooled"][r, c]), float(np.sqrt(np.square(image - original).mean()))
            text = f"{examples['target'][r, c]}, {rms:.3f}" if fooled else "–"
            grid.image(r, 3 * c, original, text=str(examples["label"][r, c]))
            grid.image(r, 3 * c + 1, image, text=text, frame=colour(networks[r]) if fooled else None)
            grid.image(r, 3 * c + 2, np.clip((1 + 10 * (image - original)) / 2, 0, 1))
        for r, name in enumerate(networks):
            grid.label(r, model_name(name), colour(name))
        grid.titles(["image", "changed", "10 × Δ"] * shown)
        return grid.figure


def transfer(cell: Cell) -> Figure:
    """Errors of each network (columns) on the examples made for each (rows), in percent, a panel a distortion."""
    table = cell.table("transfer")
    names = list(dict.fromkeys(table["made_for"]))
    titles = {"smallest": "smallest distortion", "magnified": "the same distortion for all"}
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.6), sharey=True)
        for axis, (kind, title) in zip(axes, titles.items(), strict=True):
            mine = table[table["images"] == kind]
            share = (100 * mine["wrong"] / mine["n"]).to_numpy()
            matrix = pd.DataFrame({"row": mine["made_for"], "column": mine["judge"], "share": share})
            matrix = matrix.pivot(index="row", columns="column", values="share").reindex(index=names, columns=names)
            labels = [model_name(name) for name in names]
            sns.heatmap(
                matrix, ax=axis, annot=True, fmt=".0f", vmin=0, vmax=100, cmap="Blues", cbar=False, square=True,
                linewidths=1, xticklabels=labels, yticklabels=labels,
            )  # fmt: skip
            axis.set(title=title, xlabel="errors of, %", ylabel="made for" if kind == "smallest" else "")
            axis.tick_params(axis="x", rotation=40)
            plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
        figure.tight_layout()
        return figure


def stability(cell: Cell) -> Figure:
    """Images that keep their label under uniform noise on n pixels, against n, and (1 − ε)ⁿ: a panel a network.

    cell: fool_lbfgs.
    """
    table = cell.table("stability")
    names = list(dict.fromkeys(table["network"]))
    with style():
        rows = math.ceil(len(names) / 3)
        figure, axes = plt.subplots(rows, 3, figsize=(10.5, 2.7 * rows + 0.6), sharex=True, sharey=True, squeeze=False)
        for axis, name in zip(axes.flat, names, strict=False):
            mine = table[table["network"] == name]
            axis.plot(mine["pixels"], 100 * mine["fitted"], "--", color=GREY, lw=1.6)
            axis.plot(mine["pixels"], 100 * mine["kept"] / mine["images"], "-o", color=colour(name), ms=4, lw=1.6)
            axis.set(title=model_name(name), xscale="log", ylim=(0, 102))
            axis.set_xticks([1, 10, 100, 784], ["1", "10", "100", "784"])
            axis.minorticks_off()
        for axis in axes.flat[len(names) :]:
            axis.set_visible(False)
        for axis in axes[-1]:
            axis.set_xlabel("pixels changed")
        for axis in axes[:, 0]:
            axis.set_ylabel("label kept, %")
        figure.tight_layout()
        handles = [plt.Line2D([], [], marker="o", color=GREY, ms=4, lw=1.6, label="counted"),
                   plt.Line2D([], [], ls="--", color=GREY, lw=1.6, label="(1 − ε)ⁿ, fitted")]  # fmt: skip
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
        return figure


def rings(cell: Cell) -> Figure:
    """Figure 2: the points of the three rings, y, ỹ, and the two factors of c̃, over the plane.

    cell: train_rings. In the first three panels a class has a colour, and a pixel is their mixture: white is where the
    outputs add up to 0, the implicit reject class. In the last two, white is 0 and black 1.
    """
    examples = cell.examples()
    extent, labels = float(examples["extent"]), examples["labels"]
    ink = np.array([matplotlib.colors.to_rgb(name) for name in RING_COLOURS[: examples["y"].shape[2]]])
    place: dict[str, Any] = {"origin": "lower", "extent": (-extent, extent) * 2, "interpolation": "nearest"}
    with style():
        ratios = (1, 1, 1, 1, 1, 0.05)  # the last one: what black and white stand for
        figure, (*axes, bar) = plt.subplots(1, 6, figsize=(14.2, 3.0), width_ratios=ratios)
        axes[0].scatter(*examples["points"].astype(np.float64).T, s=2, c=ink[labels], lw=0)
        for axis, name in zip(axes[1:3], ("y", "scaled"), strict=True):
            share = examples[name] / 255
            axis.imshow(1 - share @ (1 - ink), **place)
        for axis, name in zip(axes[3:], ("reconstruction", "gate"), strict=True):
            shown = axis.imshow(examples[name] / 255, cmap="Greys", vmin=0, vmax=1, **place)
        titles = ("data", "output y", "scaled output ỹ = c̃·y", "c̃ without Γ", "Γ")
        for axis, title in zip(axes, titles, strict=True):
            axis.set(title=title, aspect="equal", xlim=(-extent, extent), ylim=(-extent, extent))
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.tick_params(labelleft=axis is axes[0])
            axis.grid(visible=False)
            axis.spines[["top", "right"]].set_visible(True)
        figure.colorbar(shown, cax=bar, ticks=(0, 0.5, 1))
        figure.tight_layout(w_pad=0.3)
        return figure


class _ImageGrid:
    """Greyscale images in rows and columns, with a text under each, all in one panel (one for each is slow).

    gap: between rows, as a share of an image's height of 0.82 inch.
    """

    def __init__(self, rows: int, columns: int, *, gap: float) -> None:
        self.rows, self.columns, self.pitch = rows, columns, 1 + gap
        side, width, height = 0.82, columns * 1.06, rows * self.pitch
        self.figure = plt.figure(figsize=(side * width, side * height))
        self.axis = self.figure.add_axes((0, 0, 1, 1))
        self.axis.set(xlim=(0, width), ylim=(height, 0))
        self.axis.axis("off")

    def image(
        self, row: int, column: int, image: np.ndarray, *, frame: str | None = None, text: str = "", ink: str = "black"
    ) -> None:
        """One image with values in [0, 1], black to white; frame: the colour of a bold one."""
        x, y = 1.06 * column, self.pitch * row
        pixels = np.asarray(image, dtype=np.float64)
        self.axis.imshow(
            pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=(x, x + 1, y + 1, y), aspect="auto"
        )
        edge, width = (frame, 2.2) if frame else ("#c8c8c8", 0.6)
        self.axis.add_patch(Rectangle((x, y), 1, 1, fill=False, ec=edge, lw=width, clip_on=False, zorder=3))
        if text:
            self.axis.text(x + 0.5, y + 1.05, text, ha="center", va="top", fontsize=9, color=ink)

    def label(self, row: int, text: str, ink: str) -> None:
        """What stands left of a row."""
        y = self.pitch * row + 0.5
        self.axis.text(-0.12, y, text, ha="right", va="center", color=ink, fontsize=10.5)

    def titles(self, texts: Sequence[str]) -> None:
        """What stands above the columns."""
        self.axis.set(xlim=(0, self.columns * 1.06), ylim=(self.rows * self.pitch, 0))  # imshow moves them
        for c, text in enumerate(texts):
            self.axis.text(1.06 * c + 0.5, -0.06, text, ha="center", va="bottom", fontsize=11)


def _score(score: float) -> str:
    """A score under an image, without a false 1: values just below it keep their nines."""
    if score >= 0.99995:
        return "≈ 1"
    if score >= 0.9995:
        return f"{math.floor(score * 10_000) / 10_000:.4f}"
    return f"{score:.3f}" if score >= 0.001 or score == 0 else f"{score:.0e}".replace("e-0", "e-")


def _legend_below(figure: Figure, axis: Axes, extra: Sequence[Any] = ()) -> None:
    handles, _ = axis.get_legend_handles_labels()
    figure.tight_layout()
    figure.legend(
        handles=[*handles, *extra],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.02),
        ncols=min(4, len(handles) + len(extra)),
    )
