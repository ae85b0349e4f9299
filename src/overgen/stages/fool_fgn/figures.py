"""Figures of the Fooling Generator Network in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.measures.verdicts import reported_interval
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.style import GREY, WIDTH, attacked_images, colour, legend_below, passage_curve, style, updates_axis

OBJECTIVE_NAMES = {"y": "attack on y", "scaled": "attack on ỹ"}


def fooling_images(study: Study) -> Figure:
    """Figure 3: what the attack found, one row a model and objective, one column a target class.

    Under each image its score ỹ; a frame in the model's colour and ✓ where it fooled.
    """
    rows, targets = [], None
    for model, cell in study.cells("fool_fgn").items():
        examples = cell.examples()
        targets = examples.get("target")
        for i, objective in enumerate(examples["objective"]):
            label = f"{model_name(model)}, {OBJECTIVE_NAMES.get(str(objective), str(objective))}"
            label += f", τ = {examples['tau'][i]:g}"
            label += f", α = {examples['alpha'][i]:g}" if objective == "scaled" else ""
            rows.append((model, label, {k: examples[k][i] for k in ("image", "score", "fooled")}))
    return attacked_images(rows, targets)


def first_passage(study: Study) -> Figure:
    """Share of trials that have fooled, against the number of updates; attack on y, one panel a threshold.

    Thin lines are the classes of one network: their trials are alike. Right of the curves the rates at their end,
    measured (filled) and reported (hollow), with 95 % intervals. trials.csv has a column `step@tau=…,alpha=…` for each
    pair, the paper's α of a τ first. A model's curve ends where its trials did.
    """
    cells, taus = study.cells("fool_fgn"), study.taus("fgn", "fooling_rate")
    updates = {model: cell.budget[f"fool_fgn.{cell.dataset}.updates"] for model, cell in cells.items()}
    last = max(updates.values())
    with style():
        figure, axes = plt.subplots(len(taus), 1, figsize=(WIDTH, 2.5 * len(taus) + 0.4), sharex=True, squeeze=False)
        for axis, tau in zip(axes[:, 0], taus, strict=True):
            updates_axis(axis, last)
            for i, (model, cell) in enumerate(cells.items()):
                trials = cell.table("trials").query("objective == 'y'")
                column = next(name for name in trials.columns if name.startswith(f"step@tau={tau},"))
                some = trials[column].notna().any()
                if some:
                    for _, of_class in trials.groupby("target"):
                        passage_curve(axis, model, of_class[column], updates[model], lw=0.6, alpha=0.45, label=None)
                passage_curve(axis, model, trials[column], updates[model], dashes=() if some or i % 2 else (3, 2))
                row = study.find(experiment="fgn", metric="fooling_rate", model=model, tau=tau)
                if row:
                    final_rates(axis, row, last * 1.35 * 1.32**i)
            axis.set(ylim=(-3, 103), ylabel=f"fooled at τ = {tau}, %", xlim=(0, last * 1.35 * 1.32 ** len(cells)))
            axis.axvspan(last, axis.get_xlim()[1], color="#f3f3f3", lw=0)
        axes[-1, 0].set_xlabel("updates (right, shaded: at the end)")
        extra = [plt.Line2D([], [], marker="o", color=GREY, lw=1.5, ms=5, label="measured")]
        if any(row and row["value"] for row in rates(study)):
            extra.append(plt.Line2D([], [], marker="o", color=GREY, mfc="white", lw=1.5, ms=5, label="reported"))
        legend_below(figure, axes[0, 0], extra, columns=3)
        return figure


def rates(study: Study) -> list[Row | None]:
    """The fooling rates of every model and threshold, attack on y."""
    return [
        study.find(experiment="fgn", metric="fooling_rate", model=model, tau=tau)
        for model in study.cells("fool_fgn")
        for tau in study.taus("fgn", "fooling_rate")
    ]


def final_rates(axis: Axes, row: Row, x: float) -> None:
    """One rate at the place x, measured and, right of it, reported, with their intervals."""
    ink = colour(row["model"])
    if not math.isnan(row["low"]):
        axis.plot([x, x], [row["low"], row["high"]], color=ink, lw=1.5)
    axis.plot(x, row["reproduced"], "o", color=ink, ms=5, clip_on=False, zorder=3)
    if row["value"]:
        theirs = float(row["value"])
        low_high = reported_interval("fooling_rate", theirs, n=row["reported_n"])
        axis.plot([1.13 * x] * 2, low_high, color=ink, lw=1.5)
        axis.plot(1.13 * x, theirs, "o", mfc="white", mec=ink, ms=5, clip_on=False, zorder=3)
