"""Figures of how labels outlive noise on n pixels in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.measures.intervals import wilson
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, blank, colour, legend_below, style


def power_law(study: Study) -> Figure:
    """Labels that outlive noise on n pixels, (1 − ε)ⁿ, and exp(−(λn)ᵏ): a panel a network, with 95 % Wilson bars."""
    table = study.cell("explore_stability").table("stability")
    names = list(dict.fromkeys(table["network"]))
    columns = min(3, len(names))
    with style():
        rows = math.ceil(len(names) / columns)
        figure, axes = plt.subplots(
            rows, columns, figsize=(WIDTH, 2.0 * rows + 0.6), sharex=True, sharey=True, squeeze=False
        )
        n = np.geomspace(1, table["pixels"].max(), 200)
        for axis, name in zip(axes.flat, names, strict=False):
            of = table[table["network"] == name]
            ends = 100 * np.array([wilson(k, m) for k, m in zip(of["never_lost"], of["images"], strict=True)])
            axis.plot(n, 100 * smooth(of, "power", n), "--", color="black", lw=1.2)
            axis.plot(n, 100 * smooth(of, "wider", n), color=colour(name), lw=1.2)
            axis.vlines(of["pixels"], *ends.T, color=colour(name), lw=1.6)
            axis.plot(of["pixels"], 100 * of["never_lost"] / of["images"], "o", color=colour(name), ms=4)
            axis.set(title=model_name(name), xscale="log", ylim=(0, 103))
            axis.set_xticks([1, 10, 100], ["1", "10", "100"])
            axis.minorticks_off()
        blank(axes.flat[len(names) :])
        for axis in axes[-1]:
            axis.set_xlabel("pixels changed, n")
        for axis in axes[:, 0]:
            axis.set_ylabel("label kept, %")
        legend_below(figure, axes[0, 0], handles(), columns=3)
        return figure


def smooth(table: pd.DataFrame, name: str, n: np.ndarray) -> np.ndarray:
    """A fitted law between the numbers of pixels of the table: log(−log) of it is a straight line over log n."""
    shares = table[name].clip(1e-12, 1 - 1e-12)
    slope, height = np.polyfit(np.log(table["pixels"]), np.log(-np.log(shares)), 1)
    return np.exp(-np.exp(height + slope * np.log(n)))


def handles() -> list[plt.Line2D]:
    """Of the legend."""
    return [plt.Line2D([], [], marker="o", color=GREY, ms=4, lw=0, label="counted"),
            plt.Line2D([], [], ls="--", color="black", lw=1.2, label="(1 − ε)ⁿ"),
            plt.Line2D([], [], color=GREY, lw=1.2, label="exp(−(λn)ᵏ)")]  # fmt: skip


def exponents(study: Study) -> Figure:
    """−log of the share that keeps its label against n, both logarithmic: the law says lines of slope 1.

    A line a network; only numbers of pixels at which some labels, but not all, are lost.
    """
    table = study.cell("explore_stability").table("stability")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.2))
        n = np.array([1.0, table["pixels"].max()])
        for start in 10.0 ** np.arange(-6, 1):
            axis.plot(n, start * n, color="#d0d0d0", lw=0.8, zorder=0)
        for name, of in table.groupby("network", sort=False):
            of = of[(of["never_lost"] > 0) & (of["never_lost"] < of["images"])]
            depth = -np.log(of["never_lost"] / of["images"])
            axis.plot(of["pixels"], depth, "-o", color=colour(str(name)), ms=4, label=model_name(str(name)))
        axis.set(xscale="log", yscale="log", ylim=(5e-4, 10), xlim=(0.9, 1.1 * n[1]))
        axis.set(xlabel="pixels changed, n", ylabel="−log of the share that keeps its label")
        extra = [plt.Line2D([], [], color="#c0c0c0", lw=0.8, label="slope 1: (1 − ε)ⁿ")]
        legend_below(figure, axis, extra, columns=3)
        return figure
