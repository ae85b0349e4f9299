"""Figures of scores under attack in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, legend_below, style
from overgen.stages.attack_scores.summary import EXPERIMENT
from overgen.stages.evaluate_scores.names import method_name

NORMS = {"linf": "L∞", "l2": "L2"}
DIRECTIONS = {"accept": "images of no class, accepted", "reject": "test images, rejected"}


def attacked_rates(study: Study) -> Figure | None:
    """A line a score: from how often it is fooled and not of the class to how often it is fooled, in the cube."""
    rows = study.rows(experiment=EXPERIMENT, metric="fooled", start="")
    rows = rows[rows["reproduced"].notna()]
    if rows.empty:
        return None
    shown = sorted(records(rows), key=lambda row: (row["reproduced"], row["model"]))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.22 * len(shown) + 1.2))
        for y, row in enumerate(shown):
            ink = colour(row["model"])
            axis.plot([row["low"], row["high"]], [y, y], color=ink, lw=1.5, alpha=0.5)
            axis.plot(row["reproduced"], y, "o", color=ink, ms=5)
            of = {"experiment": EXPERIMENT, "model": row["model"], "method": row["method"]}
            rest = study.find(**of, metric="fooled_not_of_class")
            if rest is not None and rest["reproduced"] is not None:
                axis.plot(rest["reproduced"], y, "|", color=ink, ms=9, mew=1.8)
        axis.set_yticks(
            range(len(shown)), [f"{method_name(row['method'])}, {model_name(row['model'])}" for row in shown]
        )
        axis.tick_params(axis="y", labelsize=8)
        axis.set(xlim=(-2, 102), ylim=(len(shown) - 0.5, -0.5), xlabel="of trials, %")
        marks = [
            Line2D([], [], color=GREY, marker="o", lw=1.5, ms=5, label="fooled, with 95 % interval"),
            Line2D([], [], color=GREY, marker="|", lw=0, ms=9, mew=1.8, label="fooled, and not of the class"),
        ]
        legend_below(figure, axis, marks)
        return figure


def attacked_balls(study: Study) -> Figure | None:
    """How many images are accepted, or rejected, within a ball of each radius: a line a score, those that are compared
    in the models' colours, the others grey."""
    rows = study.rows(experiment=EXPERIMENT, metric="moved")
    if rows.empty:
        return None
    named = named_lines(study)
    with style():
        figure, axes = plt.subplots(len(DIRECTIONS), len(NORMS), figsize=(WIDTH, 5.2), sharey=True)
        for (direction, title), line in zip(DIRECTIONS.items(), axes, strict=True):
            for (norm, norm_name), axis in zip(NORMS.items(), line, strict=True):
                some = rows[(rows["direction"] == direction) & (rows["norm"] == norm)]
                for (model, method), curve in some.groupby(["model", "method"], sort=False):
                    curve = curve.assign(at=curve["radius"].astype(float)).sort_values("at")
                    drawn = named.get((str(model), str(method)))
                    at = np.arange(len(curve))
                    if drawn is None:
                        axis.plot(at, curve["reproduced"], color="#c4c4c4", lw=0.8, zorder=1)
                    else:
                        ink, dashes = drawn
                        axis.fill_between(at, curve["low"], curve["high"], color=ink, alpha=0.15, lw=0)
                        axis.plot(at, curve["reproduced"], color=ink, ls=dashes, lw=1.8, zorder=3)
                    axis.set_xticks(at, [f"{radius:g}" for radius in curve["at"]])
                axis.set(ylim=(-3, 103), xlabel=f"{norm_name} radius")
            line[0].set_ylabel("of images, %")
            line[0].set_title(title, loc="left", fontsize=10)
        handles = [
            Line2D([], [], color=ink, ls=dashes, lw=1.8, label=f"{method_name(method)}, {model_name(model)}")
            for (model, method), (ink, dashes) in named.items()
        ]
        legend_below(
            figure, axes[0, 0], [*handles, Line2D([], [], color="#c4c4c4", lw=0.8, label="another score")], columns=2
        )
        return figure


def named_lines(study: Study) -> dict[tuple[str, str], tuple[str, str]]:
    """The scores that are drawn in colour, with colour and line: softmax and ỹ of each network, and neighbours."""
    rows = study.rows(experiment=EXPERIMENT, metric="kept")
    pairs = list(zip(rows["model"], rows["method"], strict=True))
    lines: dict[tuple[str, str], tuple[str, str]] = {}
    for model, method in pairs:
        if method.startswith("scaled_output") or (model, method) == ("cnn", "softmax"):
            used = sum(1 for other in lines if other[0] == model)
            lines[model, method] = (colour(model), ("-", "--", ":")[min(used, 2)])
    if ("cnn", "knn_normalised") in pairs:
        lines["cnn", "knn_normalised"] = (colour("cnn"), "--")
    return lines


def attacked_images(study: Study) -> Figure | None:
    """Images that fooled, a row a score: the judge's word under each."""
    cells = study.cells("attack_scores")
    rows = []
    for model, cell in cells.items():
        arrays = cell.examples()
        for method in dict.fromkeys(arrays["shown_method"].tolist()):
            of = arrays["shown_method"] == method
            rows.append((model, method, *(arrays[f"shown_{part}"][of] for part in ("image", "target", "not_of_class"))))
    if not rows:
        return None
    with style():
        grid = ImageGrid(len(rows), max(len(row[2]) for row in rows), head=0.36, foot=0.3)
        for r, (model, method, images, targets, no_class) in enumerate(rows):
            grid.label(r, f"{method_name(method)}, {model_name(model)}", colour(model))
            for c, (image, target, none) in enumerate(zip(images, targets, no_class, strict=True)):
                grid.image(r, c, image / 255, text=f"{target}{'' if none else ' ✓'}")
        return grid.figure
