"""Figures of anomalies in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, legend_below, ridges, style
from overgen.stages.evaluate_unknowns.names import kind_name
from overgen.stages.explore_anomaly import summary
from overgen.stages.explore_anomaly.names import COLOURS, SHORT

CODE = ("mahalanobis", "gaussian_density", "knn")


def anomaly_errors(study: Study) -> Figure | None:
    """Errors of reconstruction of test images and of each kind of unknown ones, by the first network; thresholds."""
    cell = study.cell("explore_anomaly")
    table, limits = cell.table("errors"), cell.table("thresholds")
    model = table["model"].iloc[0]
    rows = [
        (named(str(kind)), bins["count"].to_numpy(), np.array([*bins["low"], bins["high"].iloc[-1]]))
        for kind, bins in table[table["model"] == model].groupby("kind", sort=False)
    ]
    limits = limits[(limits["model"] == model) & (limits["measure"] == "rmse")].drop_duplicates("k")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(rows) + 1))
        ridges(axis, rows)
        for k, limit in zip(limits["k"], limits["threshold"], strict=True):
            axis.axvline(limit, color="#0b5394", lw=1.2, ls="--")
            axis.annotate(f"{k}", (limit, 1), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
                          ha="center", fontsize=8.5, color="#0b5394")  # fmt: skip
        axis.annotate("k =", (limits["threshold"].min(), 1), (-8, 2), xycoords=("data", "axes fraction"), ha="right",
                      textcoords="offset points", fontsize=8.5, color="#0b5394")  # fmt: skip
        axis.set_xlabel(f"RMS error of the reconstruction by the {model_name(model)}, pixels in [0, 1]")
        axis.set_xlim(left=0)
        figure.tight_layout()
        return figure


def anomaly_roc(study: Study) -> Figure | None:
    """ROC of each measure, a panel a network: a mean over kinds, with the interval over the known images' classes."""
    cell = study.cell("explore_anomaly")
    table = cell.table("roc")
    models = list(dict.fromkeys(table["model"]))
    with style():
        figure, axes = plt.subplots(1, len(models), figsize=(WIDTH, 3.1), sharey=True, squeeze=False)
        for axis, model in zip(axes[0], models, strict=True):
            for measure, points in table[table["model"] == model].groupby("measure", sort=False):
                ink, line = COLOURS[str(measure)], "--" if measure in CODE else "-"
                axis.plot(
                    100 * points["fpr"], 100 * points["tpr"], color=ink, ls=line, label=SHORT[str(measure)], lw=1.6
                )
                axis.fill_between(100 * points["fpr"], 100 * points["low"], 100 * points["high"], color=ink, alpha=0.15,
                                  lw=0)  # fmt: skip
            axis.plot([0, 100], [0, 100], color=GREY, lw=1, ls=":")
            axis.set(xlim=(0, 100), ylim=(0, 101), xlabel="test images rejected, %")
            axis.set_title(model_name(model), loc="left", color=colour(model))
        axes[0, 0].set_ylabel("unknown images rejected, %")
        legend_below(figure, axes[0, 0], columns=2)
        return figure


def anomaly_kinds(study: Study) -> Figure | None:
    """AUROC of every measure (rows) on every kind (columns), a panel a network."""
    cell = study.cell("explore_anomaly")
    areas = cell.table("classes").groupby(["model", "measure", "kind"], sort=False)["auroc"].mean()
    models = list(dict.fromkeys(areas.index.get_level_values("model")))
    with style():
        figure, axes = plt.subplots(len(models), 1, figsize=(WIDTH, 1.45 * len(models) + 1), squeeze=False)
        for axis, model in zip(axes[:, 0], models, strict=True):
            wide = areas[model].unstack("kind", sort=False)
            axis.imshow(wide, vmin=0.5, vmax=1, cmap="cividis", aspect="auto")
            for y, x in np.ndindex(*wide.shape):
                value = float(wide.iloc[y, x])
                text = "1" if value >= 0.995 else f"{value:.2f}".removeprefix("0")
                axis.text(x, y, text, ha="center", va="center", fontsize=8.5, color="black" if value > 0.8 else "white")
            axis.set_yticks(range(len(wide)), [SHORT[str(measure)] for measure in wide.index])
            axis.set_xticks(range(wide.shape[1]), [named(str(kind)) for kind in wide.columns])
            axis.tick_params(axis="x", labelrotation=35, labelbottom=axis is axes[-1, 0])
            plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
            axis.set_title(model_name(model), loc="left", color=colour(model))
            axis.grid(visible=False)
        figure.tight_layout()
        return figure


def anomaly_pictures(study: Study) -> Figure | None:
    """Of the test images and of each kind the image with the median error, its reconstruction and the verdict."""
    cell = study.cell("explore_anomaly")
    examples, limits = cell.examples(), cell.table("thresholds")
    model = limits["model"].iloc[0]
    limits = limits[(limits["model"] == model) & (limits["measure"] == "rmse")]
    limit = float(limits.loc[limits["k"].idxmax(), "threshold"])
    count = len(examples["kind"])
    columns = min(6, count)
    blocks = -(-count // columns)
    with style():
        grid = ImageGrid(2 * blocks, columns, head=0.3, foot=0.4, side=0.82)
        for i, (kind, image, r, error) in enumerate(
            zip(*(examples[name] for name in ("kind", "image", "reconstruction", "error")), strict=True)
        ):
            row, column = 2 * (i // columns), i % columns
            grid.image(row, column, image / 255, text=named(str(kind)).replace(" ", "\n", 1))
            strange = error > limit
            text = f"{error:.3f}\n{'anomaly' if strange else 'passes'}"
            grid.image(row + 1, column, r / 255, text=text, frame="#b2182b" if strange else None)
        return grid.figure


def anomaly_tutorial(study: Study) -> Figure | None:
    """Mean and deviation of the errors of the tutorial's network by epoch, beside those of the slides."""
    cell = study.cell("explore_anomaly")
    curves: pd.DataFrame = cell.table("tutorial")
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.5))
        for axis, column, title, reported in (
            (axes[0], "mean", "mean", summary.REPORTED_MEAN),
            (axes[1], "deviation", "deviation over images", summary.REPORTED_DEVIATION),
        ):
            for _, of_seed in curves.groupby("seed"):
                axis.plot(of_seed["epoch"], of_seed[column], color=colour("autoencoder"), lw=1.2)
            axis.axhline(reported, color="#b2182b", lw=1.4, ls="--")
            axis.annotate("slides", (1, reported), (-2, 3), xycoords=("axes fraction", "data"), ha="right", fontsize=9,
                          textcoords="offset points", color="#b2182b")  # fmt: skip
            axis.set(xlabel="epoch", ylim=(0, None))
            axis.set_title(title, loc="left")
        axes[0].set_ylabel("error, nats per pixel")
        figure.tight_layout()
        return figure


def named(kind: str) -> str:
    return "test images" if kind == "known" else kind_name(kind)
