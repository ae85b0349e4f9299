"""Figures of what networks make of noise in the report."""

from __future__ import annotations

import math
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.measures.intervals import mean_interval, wilson
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, ImageGrid, colour, legend_below, score_text, style

KIND_NAMES = {"uniform": "uniform", "normal": "normal", "shuffled": "pixels shuffled", "phase": "phases drawn anew"}
SCORE_NAMES = {"y": "y", "scaled": "ỹ"}


def noise_called_a_class(study: Study) -> Figure:
    """The share of each kind of noise that is called a class, a panel a kind, a line a network: y full, ỹ open.

    At the largest τ; bars are 95 % Wilson intervals.
    """
    table = study.cell("explore_noise").table("noise")
    table = table[table["tau"] == table["tau"].max()]
    names, kinds = list(dict.fromkeys(table["network"])), list(dict.fromkeys(table["kind"]))
    with style():
        figure, axes = plt.subplots(
            2, math.ceil(len(kinds) / 2), figsize=(WIDTH, 0.62 * len(names) + 1.9), sharex=True, sharey=True
        )
        for axis, kind in zip(axes.flat, kinds, strict=False):
            for of in table[table["kind"] == kind].itertuples():
                low, high = (100 * end for end in wilson(of.called, of.images))
                place = names.index(of.network) + (0.16 if of.score == "scaled" else -0.16)
                ink = colour(of.network)
                axis.hlines(place, low, high, color=ink, lw=2)
                fill = "white" if of.score == "scaled" else ink
                axis.plot(100 * of.called / of.images, place, "o", color=ink, mfc=fill, ms=6, clip_on=False)
            axis.set_title(KIND_NAMES.get(kind, kind))
            axis.set(xlim=(0, 100), ylim=(len(names) - 0.5, -0.5))
            axis.set_yticks(range(len(names)), [model_name(name) for name in names])
        for axis in axes[-1]:
            axis.set_xlabel("called a class, %")
        tau = f"τ = {table['tau'].iloc[0]:g}"
        handles = [plt.Line2D([], [], marker="o", color=GREY, lw=2, label=f"y, {tau}"),
                   plt.Line2D([], [], marker="o", color=GREY, mfc="white", lw=2, label=f"ỹ, {tau}")]  # fmt: skip
        legend_below(figure, axes.flat[0], handles)
        return figure


def surest_noise(study: Study) -> Figure:
    """Of each kind (rows) the image that each network (columns) is surest of, with the class and y."""
    shown = study.cell("explore_noise").examples()
    networks, kinds = [str(name) for name in shown["network"]], [str(kind) for kind in shown["kind"]]
    with style():
        grid = ImageGrid(len(kinds), len(networks), head=0.42, foot=0.26, side=0.95)
        for (r, kind), (c, name) in product(enumerate(kinds), enumerate(networks)):
            if c == 0:
                grid.label(r, KIND_NAMES.get(kind, kind), "black")
            text = f"{shown['label'][c, r]}: {score_text(float(shown['score'][c, r]))}"
            frame = colour(name) if shown["score"][c, r] > 0.9 else None
            grid.image(r, c, shown["image"][c, r] / 255, text=text, frame=frame)
        grid.titles([model_name(name) for name in networks])
        return grid.figure


def volumes(study: Study) -> Figure:
    """log10 of the share of the cube that is called a class, a line a network and score, and the check on balls.

    A point a run, bars are t intervals over runs; a triangle where the levels ended before the set.
    """
    cell = study.cell("explore_noise")
    table, balls = cell.table("volumes"), cell.table("balls")
    lines = list(table.groupby(["network", "score", "tau"], sort=False))
    checks = list(balls.groupby("dimension", sort=False))
    with style():
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(WIDTH, 0.3 * (len(lines) + len(checks)) + 1.9), height_ratios=(len(lines), len(checks))
        )
        for y, ((name, _, _), runs) in enumerate(lines):
            ink = colour(str(name))
            if runs["reached"].all():
                ends = mean_interval(runs["log10"].to_numpy()) or (math.nan, math.nan)
                above.hlines(y, *ends, color=ink, lw=5, alpha=0.3)
            marks = np.where(runs["reached"], "o", "<")
            for x, mark in zip(runs["log10"], marks, strict=True):
                above.plot(x, y, mark, color=ink, ms=5, clip_on=False)
        above.set_yticks(
            range(len(lines)),
            [f"{model_name(str(n))}, {SCORE_NAMES[str(s)]} > {t:g}: {in_words(runs)}" for (n, s, t), runs in lines],
        )
        above.set_ylim(len(lines) - 0.5, -0.5)
        above.set_xlim(1.06 * table["log10"].min(), 0)
        above.set_title("called a class: log₁₀ of the share of the cube", loc="left")
        for y, (_, runs) in enumerate(checks):
            gap = runs["log10"] - runs["exact"]
            below.hlines(y, *(mean_interval(gap.to_numpy()) or (math.nan, math.nan)), color=GREY, lw=5, alpha=0.3)
            below.plot(gap, [y] * len(gap), "o", color=GREY, ms=5)
        below.axvline(0, color="black", lw=1)
        texts = [f"D = {dimension}: {runs['exact'].iloc[0]:.1f}".replace("-", "−") for dimension, runs in checks]
        below.set_yticks(range(len(checks)), texts)
        below.set_ylim(len(checks) - 0.5, -0.5)
        below.set_title("the check on balls: estimate − exact log₁₀", loc="left")
        figure.tight_layout()
        return figure


def in_words(runs: pd.DataFrame) -> str:
    """The mean of runs that all reached their set; of others the smallness that all have."""
    text = f"{runs['log10'].mean():.1f}" if runs["reached"].all() else f"< {runs['log10'].max():.0f}"
    return text.replace("-", "−")


def images_called_a_class(study: Study) -> Figure | None:
    """An image drawn at random from each set that was reached, with its score: a column a network. None if none was."""
    shown = study.cell("explore_noise").examples()
    if not len(shown["inside"]):
        return None
    of = [(str(s), float(t)) for s, t in zip(shown["inside_score"], shown["inside_tau"], strict=True)]
    lines = sorted(set(of), key=lambda pair: (pair[0] == "scaled", pair[1]))
    networks = list(dict.fromkeys(str(name) for name in shown["inside_network"]))
    with style():
        grid = ImageGrid(len(lines), len(networks), head=0.42, foot=0.26, side=0.95)
        for r, (score, tau) in enumerate(lines):
            grid.label(r, f"{SCORE_NAMES[score]} > {tau:g}", "black")
        for i, pair in enumerate(of):
            place = lines.index(pair), networks.index(str(shown["inside_network"][i]))
            grid.image(*place, shown["inside"][i] / 255, text=score_text(float(shown["inside_sure"][i])))
        grid.titles([model_name(name) for name in networks])
        return grid.figure
