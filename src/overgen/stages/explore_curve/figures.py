"""Figures of the curve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.measures.intervals import mean_interval
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, legend_below, style
from overgen.stages.explore_curve.geometry import Curve
from overgen.stages.explore_curve.params import Shape
from overgen.stages.explore_curve.summary import KINDS

CLASSES = ("#0173b2", "#d55e00")
KIND_NAMES = {"uniform": "anywhere in the cube", "near": "just off the curve", "worst": "just off it, worst direction"}
MOVES = 12  # points whose smallest change is drawn
KIND_INKS = {"uniform": "#0173b2", "near": "#de8f05", "worst": "#b2182b"}


def curve_of(study: Study) -> Curve:
    """The curve as params.yaml has it."""
    names = Shape.model_fields
    return Curve(Shape(**{name: study.settings[f"explore_curve.curve.{name}"] for name in names}))


def draw_curve(axis: Axes, curve: Curve) -> None:
    """The curve with its classes, in a square panel."""
    u = np.linspace(0, 1, 1001)
    points, labels = curve.points(u), curve.labels(u)
    for part in np.split(np.arange(len(u)), np.flatnonzero(np.diff(labels)) + 1):
        axis.plot(*points[part].T, color=CLASSES[labels[part[0]]], lw=3.5, solid_capstyle="butt", zorder=3)
    axis.set(aspect="equal", xlim=(-1, 1), ylim=(-1, 1))
    axis.set_xticks([-1, 0, 1])
    axis.set_yticks([-1, 0, 1])
    axis.grid(visible=False)
    axis.spines[["top", "right"]].set_visible(True)


def curve_boundaries(study: Study) -> Figure:
    """The boundaries that all networks chose, in the plane itself and in the plane within the most dimensions."""
    cell = study.cell("explore_curve")
    curve, maps = curve_of(study), cell.examples()["map"]
    dimensions = study.settings["explore_curve.dimensions"]
    side = maps.shape[-1]
    axis_of = (np.arange(side) + 0.5) * 2 / side - 1
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.3), sharey=True)
        for axis, of, dimension in zip(axes, maps, (dimensions[0], dimensions[-1]), strict=True):
            for one in of:
                if one.min() < 0 < one.max():
                    axis.contour(axis_of, axis_of, one.astype(float), levels=[0], colors=[GREY], linewidths=0.6,
                                 alpha=0.5)  # fmt: skip
            draw_curve(axis, curve)
            where = "the plane alone" if dimension == 2 else f"the same plane in {dimension} dimensions"
            axis.set_title(where)
        figure.tight_layout()
        return figure


def curve_moves(study: Study) -> Figure:
    """One network in the plane: the boundary, and the smallest change of some points of the curve."""
    cell = study.cell("explore_curve")
    shown, curve = cell.examples(), curve_of(study)
    side = shown["map"].shape[-1]
    axis_of = (np.arange(side) + 0.5) * 2 / side - 1
    with style():
        figure, axis = plt.subplots(figsize=(0.75 * WIDTH, 0.75 * WIDTH))
        one = shown["map"][0, 0].astype(float)
        if one.min() < 0 < one.max():
            axis.contourf(axis_of, axis_of, one, levels=[-128, 0, 128], colors=["#cfe3f1", "#f7dcc8"])
        draw_curve(axis, curve)
        starts, ends = (shown[name][:MOVES].astype(float) for name in ("start", "end"))
        for start, end in zip(starts, ends, strict=True):
            arrow = {"arrowstyle": "->", "color": "black", "lw": 1.1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
            axis.annotate("", end, start, arrowprops=arrow, zorder=4)
        axis.plot(*starts.T, "o", color="black", ms=3.5, zorder=5)
        axis.set(xlabel="one feature", ylabel="another feature")
        figure.tight_layout()
        return figure


def dimension_axis(axis: Axes, dimensions: list[int]) -> None:
    """Dimensions on a logarithmic axis."""
    axis.set_xscale("log")
    ticks = [dimension for dimension in dimensions if dimension in (2, 8, 32, 128, dimensions[-1])]
    axis.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("dimensions of the space around the curve")


def band(axis: Axes, by: Iterable[tuple[Any, pd.Series]], **line: Any) -> None:
    """The mean over seeds against a number, with its 95 % t interval."""
    at, means, ends = [], [], []
    for key, values in by:
        interval = mean_interval(values.to_numpy(dtype=np.float64))
        at.append(key)
        means.append(values.mean())
        ends.append(interval or (values.mean(), values.mean()))
    axis.plot(at, means, marker="o", ms=4, **line)
    axis.fill_between(at, *np.array(ends).T.clip(min=1e-9), color=line["color"], alpha=0.2, lw=0)


def curve_distances(study: Study) -> Figure:
    """How far a point is from another class, by the number of dimensions around the curve."""
    cell = study.cell("explore_curve")
    table = cell.table("boundaries")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.3))
        for column, ink, label in (
            ("random", "#7f7f7f", "in a random direction off the curve"),
            ("along", "#029e73", "along the curve"),
            ("smallest", "#b2182b", "by the smallest change"),
        ):
            band(axis, table.groupby("dimension")[column], color=ink, label=label)
        axis.set_yscale("log")
        dimension_axis(axis, study.settings["explore_curve.dimensions"])
        axis.set_ylabel("median distance\nto another class")
        legend_below(figure, axis, columns=1)
        return figure


def other_needed(study: Study) -> Figure:
    """How many negatives are needed to reject nearly all points of a kind, by the number of dimensions."""
    prefix = "explore_curve."
    budget = study.settings[f"{prefix}negatives.counts"][-1]
    dimensions = study.settings[f"{prefix}dimensions"]
    beyond = 100 * 3
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.5))
        for kind, shift in zip(KINDS, (0.92, 1.0, 1.08), strict=True):
            rows = [study.find(experiment="other", model="mlp", metric="needed", kind=kind, dimension=f"{d:g}")
                    for d in dimensions]  # fmt: skip
            at = np.array(dimensions) * shift
            values = [beyond if row is None or pd.isna(row["reproduced"]) else row["reproduced"] for row in rows]
            ink = KIND_INKS[kind]
            axis.plot(at, values, color=ink, lw=1, alpha=0.6)
            for x, value, row in zip(at, values, rows, strict=True):
                out = value == beyond
                axis.plot(x, value, "^" if out else "o", color=ink, ms=6, mfc="white" if out else ink)
                if row is not None and not pd.isna(row["low"]):
                    high = beyond if pd.isna(row["high"]) else row["high"]
                    axis.vlines(x, row["low"], high, color=ink, lw=1.2)
            axis.plot([], [], "o-", color=ink, label=KIND_NAMES[kind])
        axis.axhline(100, color=GREY, lw=1, ls=":")
        axis.set_yscale("log")
        axis.set_yticks([0.1, 1, 10, 100, beyond], ["0.1 %", "1 %", "10 %", "100 %", "more"])
        axis.minorticks_off()
        axis.set_ylabel(f"negatives needed,\nof a budget of {budget:,}")
        dimension_axis(axis, dimensions)
        legend_below(figure, axis, columns=1)
        return figure


def other_off(study: Study) -> Figure:
    """What is accepted as one of the classes with the whole budget, by how far it is off the plane of the curve."""
    cell = study.cell("explore_curve")
    table = cell.table("negatives")
    off = study.settings["explore_curve.distances"]
    most = table[(table["negatives"] == table["negatives"].max()) & table[f"off_{off[0]:g}"].notna()]
    inks = plt.get_cmap("viridis")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
        dimensions = sorted(most["dimension"].unique())
        for i, dimension in enumerate(dimensions):
            own = most[most["dimension"] == dimension]
            long = pd.concat([pd.DataFrame({"off": d, "share": 100 * own[f"off_{d:g}"]}) for d in off])
            ink = inks(0.9 * (1 - i / max(1, len(dimensions) - 1)))
            band(axis, long.groupby("off")["share"], color=ink, label=f"{dimension} dimensions")
        axis.set_xscale("log")
        axis.set_xticks(off, [f"{d:g}" for d in off])
        axis.minorticks_off()
        axis.set_xlabel("distance off the plane; the curve lies within 1 of the origin")
        axis.set_ylabel("accepted as a class, %")
        axis.set_ylim(0, 100)
        legend_below(figure, axis, columns=3)
        return figure
