"""Figures of clutter in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, legend_below, score_text, style
from overgen.stages.explore_clutter import summary
from overgen.stages.explore_clutter.names import COLOURS, OF_CANVASES, WAYS


def clutter_pictures(study: Study) -> Figure | None:
    """Pictures over the strongest ground, within the true mask, the mask that is found, and within that."""
    cell = study.cell("explore_clutter")
    examples = cell.examples()
    models = list(dict.fromkeys(name.split(".")[0] for name in examples if name.endswith(".answer")))
    model, labels = models[-1], examples["labels"].tolist()
    with style():
        grid = ImageGrid(4, len(labels), head=0.4, foot=0.55, side=0.8)
        for r, (name, text) in enumerate(
            (("whole", f"whole picture; below, what {model_name(model)} says, and ỹ"), ("true", "within the true mask"),
             ("mask", "the mask that is found"), ("found", "within it"))
        ):  # fmt: skip
            grid.label(r, text, "black")
            for c, label in enumerate(labels):
                said, ink, frame = "", "black", None
                if name != "mask":
                    answer = int(examples[f"{model}.{name}.answer"][c])
                    said = f"{answer}\n{score_text(float(examples[f'{model}.{name}.score'][c]))}"
                    ink, frame = ("black", colour(model)) if answer == label else (GREY, None)
                grid.image(r, c, examples[name][c] / 255, text=said, ink=ink, frame=frame)
        return grid.figure


def clutter_strength(study: Study) -> Figure | None:
    """The share of pictures that are labelled right, and right and accepted, by strength of the ground and way."""
    rows = study.rows(experiment=summary.EXPERIMENT, metric=("right", "accepted_right"))
    if rows.empty:
        return None
    models = list(dict.fromkeys(rows["model"]))
    tau = min((tau for tau in rows["tau"] if tau), key=float)
    with style():
        figure, axes = plt.subplots(2, len(models), figsize=(WIDTH, 4.6), sharex=True, sharey=True, squeeze=False)
        for x, model in enumerate(models):
            for y, (metric, at) in enumerate((("right", ""), ("accepted_right", tau))):
                axis, shown = (
                    axes[y, x],
                    rows[(rows["model"] == model) & (rows["metric"] == metric) & (rows["tau"] == at)],
                )
                for way, points in shown.groupby("view", sort=False):
                    strength, ink = points["strength"].astype(float), COLOURS[str(way)]
                    axis.plot(strength, points["reproduced"], "o-", color=ink, label=WAYS[str(way)], ms=4, lw=1.6)
                    axis.fill_between(strength, points["low"], points["high"], color=ink, alpha=0.15, lw=0)
            axes[0, x].set_title(model_name(model), loc="left", color=colour(model))
            axes[1, x].set_xlabel("strength of the ground")
        axes[0, 0].set_ylabel("right, %")
        axes[1, 0].set_ylabel(f"right and ỹ > {tau}, %")
        axes[0, 0].set_ylim(-2, 102)
        legend_below(figure, axes[0, 0], columns=3)
        return figure


def clutter_objects(study: Study) -> Figure | None:
    """The share of objects on a canvas that are found, by their number and way."""
    rows = study.rows(experiment=summary.EXPERIMENT, metric="objects_found")
    if rows.empty:
        return None
    models = list(dict.fromkeys(rows["model"]))
    with style():
        figure, axes = plt.subplots(1, len(models), figsize=(WIDTH, 2.9), sharey=True, squeeze=False)
        for axis, model in zip(axes[0], models, strict=True):
            ways = list(dict.fromkeys(rows["view"]))
            for row in records(rows[rows["model"] == model]):
                x, ink = int(row["objects"]) + 0.12 * (ways.index(row["view"]) - 1.5), COLOURS[row["view"]]
                axis.vlines(x, row["low"], row["high"], color=ink, lw=1.6)
                axis.plot(x, row["reproduced"], "o", color=ink, ms=4.5)
            axis.set_title(model_name(model), loc="left", color=colour(model))
            axis.set_xlabel("objects")
            axis.set_xticks(sorted({int(count) for count in rows["objects"]}))
        axes[0, 0].set(ylim=(-2, 102), ylabel="objects found, %")
        for way in dict.fromkeys(rows["view"]):
            axes[0, 0].plot([], [], "o-", color=COLOURS[way], ms=4.5, label=OF_CANVASES[way])
        legend_below(figure, axes[0, 0], columns=2)
        return figure
