"""Figures of the trained networks in the report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, blank, colour, legend_below, style

NONE = 1e-6  # percent: below the share of any one image


def training_curves(study: Study) -> Figure:
    """Errors in training over the epochs, a panel a network and a line a seed, and the reconstruction losses in a last.

    On a logarithmic scale: an epoch without an error lies below it. Dashed: the error on the test images, after each
    epoch where the cell has a test curve, else after the last.
    """
    curves = {
        model: cell.table("curves") for model, cell in study.cells("train_classifier", "train_autoencoder").items()
    }
    labelling = [model for model, table in curves.items() if learns(table, "accuracy")]
    restoring = [model for model, table in curves.items() if learns(table, "reconstruction_loss")]
    panels = len(labelling) + bool(restoring)
    with style():
        columns = min(3, panels)
        rows = math.ceil(panels / columns)
        figure, axes = plt.subplots(rows, columns, figsize=(2 * columns, 1.9 * rows + 0.5), squeeze=False)
        least = 1.0
        for axis, model in zip(axes.flat, labelling, strict=False):
            row = study.find(experiment="train", metric="test_accuracy", model=model)
            errors(axis, curves[model], colour(model), row["reproduced"] if row else math.nan)
            axis.set_title(model_name(model))
            shares = 100 * (1 - curves[model][["accuracy", *tested(curves[model])]].to_numpy())
            least = min(least, shares[shares > NONE].min())
        for axis in axes.flat[: len(labelling)]:
            axis.set_ylim(0.7 * least, 100)
        if restoring:
            losses(axes.flat[len(labelling)], {model: curves[model] for model in restoring})
        blank(axes.flat[panels:])
        for axis in axes[:, 0][: math.ceil(len(labelling) / columns)]:
            axis.set_ylabel("errors, %")
        extra = [plt.Line2D([], [], color=GREY, label="in training, each epoch"),
                 plt.Line2D([], [], color=GREY, ls="--", lw=1.2, label=on_test_images(curves.values()))]  # fmt: skip
        legend_below(figure, axes.flat[0], extra, columns=2)
        return figure


def tested(table: pd.DataFrame) -> list[str]:
    """The column of the test curve, of a cell that has one."""
    return ["test_accuracy"] if "test_accuracy" in table else []


def on_test_images(tables: Iterable[pd.DataFrame]) -> str:
    """What is dashed, of networks that classify."""
    kinds = {bool(tested(table)) for table in tables if learns(table, "accuracy")}
    return "test images" + ("" if len(kinds) > 1 else ", each epoch" if True in kinds else ", at the end")


def learns(table: pd.DataFrame, column: str) -> bool:
    """Whether a model has such a loss or accuracy."""
    return column in table and bool((table[column].notna() & (table[column] != 0)).any())


def errors(axis: Axes, table: pd.DataFrame, ink: str, accuracy: float) -> None:
    """The errors of a network's seeds in percent; accuracy: on the test images at the end, NaN if not measured."""
    for _, seed in table.groupby("seed", sort=True):
        share = 100 * (1 - seed["accuracy"])
        axis.plot(seed["epoch"] + 1, np.maximum(share, NONE), color=ink, lw=1.2, marker=".", ms=2.5)
        for name in tested(table):
            axis.plot(seed["epoch"] + 1, np.maximum(100 * (1 - seed[name]), NONE), color=ink, ls="--", lw=1.2)
    if accuracy < 100 and not tested(table):
        axis.axhline(100 - accuracy, color=ink, ls="--", lw=1.2)
    axis.set(yscale="log", xlabel="epoch")
    axis.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    axis.minorticks_off()
    axis.xaxis.set_major_locator(MaxNLocator(3, integer=True))


def losses(axis: Axes, curves: dict[str, pd.DataFrame]) -> None:
    """Reconstruction losses of several models, broken lines upon whole ones where they lie upon each other."""
    for i, (model, table) in enumerate(curves.items()):
        dashes: dict[str, Any] = {"dashes": (3, 2)} if i % 2 else {}
        for _, seed in table.groupby("seed", sort=True):
            axis.plot(seed["epoch"] + 1, seed["reconstruction_loss"], color=colour(model), lw=1.6, **dashes)
        axis.plot([], [], color=colour(model), lw=1.6, label=model_name(model), **dashes)
    axis.set(title="reconstruction loss", xlabel="epoch")
    axis.legend(fontsize=8.5, handlelength=1.6, borderaxespad=0)
    axis.xaxis.set_major_locator(MaxNLocator(3, integer=True))
