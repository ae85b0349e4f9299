"""Figures of the Fooling Generator Network in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from overgen.measures.verdicts import reported_interval
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, attacked_images, colour, legend_below, passage_curve, style, updates_axis

OBJECTIVE_NAMES = {"y": "attack on y", "scaled": "attack on ỹ"}


def fooling_images(study: Study) -> Figure:
    """Figure 3: what the attack found, one row a model and objective, one column a target class.

    Under each image its score ỹ; a frame in the model's colour and ✓ where it fooled.
    """
    rows = []
    for model, cell in study.cells("fool_fgn").items():
        examples = cell.examples()
        for i, objective in enumerate(examples["objective"]):
            label = OBJECTIVE_NAMES.get(str(objective), str(objective)) + f"\nτ = {examples['tau'][i]:g}"
            label += f", α = {examples['alpha'][i]:g}" if objective == "scaled" else ""
            rows.append((model, label, {k: examples[k][i] for k in ("image", "score", "fooled")}))
    return attacked_images(rows)


def fooling_rates(study: Study) -> Figure:
    """Fooling rates reported (hollow) and measured (filled) with their 95 % intervals, one panel a threshold."""
    frame = study.reported("fgn", "fooling_rate")
    taus, models = study.taus("fgn", "fooling_rate"), list(study.cells("fool_fgn"))
    with style():
        figure, axes = plt.subplots(1, len(taus), figsize=(9.2, 0.62 * len(models) + 1.5), sharey=True, squeeze=False)
        for axis, tau in zip(axes[0], taus, strict=True):
            for y, model in enumerate(models):
                row = frame[(frame["model"] == model) & (frame["tau"] == tau)].iloc[0]
                if not math.isnan(row["reported"]):
                    theirs = reported_interval("fooling_rate", row["reported"], n=row["reported_n"])
                    axis.plot(theirs, [y - 0.16] * 2, color=GREY, lw=1.5)
                    axis.plot(row["reported"], y - 0.16, "o", mfc="white", mec=GREY, ms=8, clip_on=False, zorder=3)
                if not math.isnan(row["low"]):
                    axis.plot([row["low"], row["high"]], [y + 0.16] * 2, color=colour(model), lw=2.5)
                axis.plot(row["reproduced"], y + 0.16, "o", color=colour(model), ms=8, clip_on=False, zorder=3)
            axis.set(xlim=(-3, 103), ylim=(len(models) - 0.5, -0.5), title=f"τ = {tau}", xlabel="trials that fool, %")
            axis.set_yticks(range(len(models)), [model_name(model) for model in models])
            axis.tick_params(axis="y", labelsize=12)
            axis.grid(axis="y", visible=False)
        handles = [plt.Line2D([], [], marker="o", color=GREY, lw=2.5, ms=8, label="measured here")]
        if frame["reported"].notna().any():
            handles.insert(0, plt.Line2D([], [], marker="o", color=GREY, mfc="white", lw=1.5, ms=8, label="reported"))
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
        figure.tight_layout()
        return figure


def first_passage(study: Study) -> Figure:
    """Share of trials that have fooled, against the number of updates; attack on y, one panel a threshold.

    trials.csv has a column `step@tau=…,alpha=…` for each pair, the paper's α of a τ first. A model's curve ends where
    its trials did.
    """
    cells, taus = study.cells("fool_fgn"), study.taus("fgn", "fooling_rate")
    updates = {model: cell.budget[f"fool_fgn.{cell.dataset}.updates"] for model, cell in cells.items()}
    with style():
        figure, axes = plt.subplots(1, len(taus), figsize=(9.2, 3.6), sharey=True, squeeze=False)
        for axis, tau in zip(axes[0], taus, strict=True):
            for model, cell in cells.items():
                trials = cell.table("trials")
                column = next(name for name in trials.columns if name.startswith(f"step@tau={tau},"))
                passage_curve(axis, model, trials.loc[trials["objective"] == "y", column], updates[model])
            axis.set(title=f"τ = {tau}", xlabel="updates", ylim=(0, 100))
            updates_axis(axis, max(updates.values()))
        axes[0, 0].set_ylabel("trials that have fooled, %")
        legend_below(figure, axes[0, 0])
        return figure
