"""Figures of silhouettes and letters in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, score_text, style
from overgen.stages.explore_silhouettes import summary
from overgen.stages.explore_silhouettes.names import KIND_NAMES


def silhouettes_accepted(study: Study) -> Figure | None:
    """How many animals and letters each network is sure of, by y and by ỹ, at the largest τ; intervals over them."""
    rows = study.rows(experiment=summary.EXPERIMENT, metric="accepted", alpha="")
    if rows.empty:
        return None
    rows = rows[rows["tau"] == max(rows["tau"], key=float)]
    kinds, models = (list(dict.fromkeys(rows[name])) for name in ("kind", "model"))
    with style():
        figure, axes = plt.subplots(
            1, len(kinds), figsize=(WIDTH, 0.42 * len(models) + 1.3), sharey=True, sharex=True, squeeze=False
        )
        for axis, kind in zip(axes[0], kinds, strict=True):
            for row in records(rows[rows["kind"] == kind]):
                of_y = row["score"] == "y"
                y = models.index(row["model"]) + (-0.13 if of_y else 0.13)
                ink = colour(row["model"])
                axis.hlines(y, row["low"], row["high"], color=ink, lw=1.6)
                axis.plot(row["reproduced"], y, "o" if of_y else "s", color=ink, mfc=ink if of_y else "white", ms=5.5)
            axis.set_title(KIND_NAMES[kind], fontsize=10)
            axis.set(xlim=(-3, 103))
            axis.set_xticks([0, 50, 100])
        axes[0, 0].set_yticks(range(len(models)), [model_name(model) for model in models])
        axes[0, 0].invert_yaxis()
        figure.supxlabel(f"accepted at τ = {rows['tau'].iloc[0]}, %", fontsize=10.5)
        handles = [plt.Line2D([], [], color=GREY, marker="o", ms=5.5, lw=0, label="y"),
                   plt.Line2D([], [], color=GREY, marker="s", mfc="white", ms=5.5, lw=0, label="ỹ")]  # fmt: skip
        figure.tight_layout()
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
        return figure


def silhouettes_answers(study: Study) -> Figure | None:
    """One image of each animal, and what each network makes of it."""
    return answers(study, "animals")


def letters_answers(study: Study) -> Figure | None:
    """Ten letters, and what each network makes of them."""
    return answers(study, "letters")


def answers(study: Study, kind: str) -> Figure | None:
    """Images of a kind in a row a network: its answer and ỹ; framed where ỹ is above the largest τ."""
    cell = study.cell("explore_silhouettes")
    if not (examples := cell.examples())["kind"].tolist().count(kind):
        return None
    places = np.flatnonzero(examples["kind"] == kind)
    taus = study.taus(summary.EXPERIMENT, "accepted")
    with style():
        grid = ImageGrid(len(examples["model"]), len(places), head=0.42, foot=0.62)
        for r, model in enumerate(examples["model"].tolist()):
            grid.label(r, model_name(model), colour(model))
            for c, i in enumerate(places):
                score = float(examples["score"][r, i])
                sure = score > float(taus[-1])
                text = f"{examples['answer'][r, i]}\n{score_text(score)}"
                frame, ink = (colour(model), "black") if sure else (None, GREY)
                grid.image(r, c, examples["image"][i] / 255, frame=frame, text=text, ink=ink)
        return grid.figure
