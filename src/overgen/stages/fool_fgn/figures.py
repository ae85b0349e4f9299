"""Figures of the Fooling Generator Network in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from overgen.report.grid import Cell
from overgen.report.names import model_name
from overgen.report.style import GREY, ImageGrid, colour, legend_below, passage_curve, score_text, style, updates_axis

OBJECTIVE_NAMES = {"y": "attack on y", "scaled": "attack on ỹ"}


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
        grid = ImageGrid(len(rows), len(rows[0][2]["score"]), gap=0.34)
        for r, (model, label, found) in enumerate(rows):
            grid.label(r, f"{model_name(model)}\n{label}", colour(model))
            for c, (image, score, fooled) in enumerate(zip(*found.values(), strict=True)):
                frame, ink = (colour(model), "black") if fooled else (None, GREY)
                grid.image(
                    r, c, image, frame=frame, text=f"{score_text(float(score))} {'✓' if fooled else '–'}", ink=ink
                )
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
                passage_curve(axis, model, steps, updates[model])
            axis.set(title=f"τ = {tau}", xlabel="updates", ylim=(0, 100))
            updates_axis(axis, max(updates.values()))
        axes[0, 0].set_ylabel("trials that have fooled, %")
        legend_below(figure, axes[0, 0])
        return figure
