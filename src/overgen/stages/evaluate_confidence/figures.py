"""Figures of how far scores can be trusted in the report."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overgen.measures.intervals import wilson
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, colour, ridges, style
from overgen.run.results import Cell

Ridge = tuple[str, np.ndarray, np.ndarray]  # kind of images, counts and edges


def reliability(study: Study) -> Figure:
    """Reliability diagrams, a panel a model: how often a score is right, and below it how many images have that score.

    Of y and, where there is a c̃, of ỹ at the largest α, which is furthest from y; on the diagonal a score is
    calibrated. Bars are 95 % Wilson intervals. Only the first seed is drawn.
    """
    tables = {model: cell.table("reliability") for model, cell in study.cells("evaluate_confidence").items()}
    columns = min(2, len(tables))
    rows = math.ceil(len(tables) / columns)
    alphas = [alpha for table in tables.values() for alpha in table["alpha"].dropna().unique()]
    height = 2.9 * rows + 0.8
    with style():
        figure = plt.figure(figsize=(WIDTH, height))
        outer = figure.add_gridspec(
            rows, columns, hspace=0.24, wspace=0.06, left=0.12, right=1, top=0.97, bottom=0.8 / height
        )
        for i, (model, table) in enumerate(tables.items()):
            inner = outer[divmod(i, columns)].subgridspec(2, 1, height_ratios=(2.6, 1), hspace=0.08)
            above, below = figure.add_subplot(inner[0]), figure.add_subplot(inner[1])
            diagram(above, below, table[table["seed"] == table["seed"].min()], colour(model))
            above.set_title(model_name(model))
            if i % columns == 0:
                above.set_ylabel("share that is right")
                below.set_ylabel("images")
            for axis in (above, below):
                axis.tick_params(labelleft=i % columns == 0)
            if i >= len(tables) - columns:
                below.set_xlabel("score")
        handles = [plt.Line2D([], [], color=GREY, marker="o", ms=5, lw=0, label="y"),
                   plt.Line2D([], [], color=GREY, lw=1, ls=":", label="calibrated")]  # fmt: skip
        if alphas:
            text = f"ỹ, α = {max(alphas):g}"
            handles.insert(1, plt.Line2D([], [], color=GREY, marker="s", mfc="white", ms=5, lw=0, label=text))
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.55, 0.3 / height), ncols=3)
        return figure


def diagram(above: Axes, below: Axes, table: pd.DataFrame, ink: str) -> None:
    """One model's diagram and the counts of its bins. table: reliability.csv of one seed."""
    above.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
    for alpha in [math.nan, table["alpha"].max()]:
        of_y = math.isnan(alpha)
        bins = table[table["alpha"].isna()] if of_y else table[table["alpha"] == alpha]
        if bins.empty or (not of_y and table["alpha"].isna().all()):
            continue
        full = bins[bins["accuracy"].notna()]  # NaN of an empty bin, and where images have no labels
        hits = (full["accuracy"] * full["images"]).round().astype(int)
        ends = np.array([wilson(k, n) for k, n in zip(hits, full["images"], strict=True)]).reshape(-1, 2)
        above.vlines(full["score"], *ends.T, color=ink, lw=1.2, alpha=0.7)
        marker, fill = ("o", ink) if of_y else ("s", "white")
        above.plot(full["score"], full["accuracy"], marker, color=ink, mfc=fill, ms=4.5, lw=0)
        edges = [*bins["low"], bins["high"].iloc[-1]]
        below.stairs(bins["images"], edges, color=ink, fill=of_y, alpha=0.4 if of_y else 1, lw=0 if of_y else 1.2)
    above.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    above.tick_params(labelbottom=False)
    below.set(xlim=(-0.02, 1.02), yscale="log", ylim=(0.7, 3 * table["images"].max()))
    for axis in (above, below):
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    below.set_yticks([1, 100, 10_000], ["1", "100", "10,000"])
    below.minorticks_off()


def distances(study: Study) -> Figure | None:
    """How far r(x) is from x, a panel a network: of test images, of noise, and of what the attacks ended at.

    And of known and unknown classes, of the open-set networks with the number of known classes nearest to half.
    Dashed: the distances beyond which each τ, with the paper's α, rejects even where y = 1. None where no network has
    an r.
    """
    cells, openset = (
        {model: cell for model, cell in study.cells(stage).items() if model in study.cells("train_autoencoder")}
        for stage in ("evaluate_confidence", "evaluate_openset")
    )
    if not cells:
        return None
    panels = [(model_name(model), ridges_of(study, model, cell)) for model, cell in cells.items()]
    for model, cell in openset.items():
        table = cell.table("distances")
        known = min(table["known"].unique(), key=lambda k: abs(k - table["known"].max() / 2))
        rows = [binned(str(kind), bins) for kind, bins in table[table["known"] == known].groupby("kind", sort=False)]
        panels.append((f"{model_name(model)}, {known} class{'es' if known > 1 else ''} known", rows))
    radii = next(iter(cells.values())).table("radii").drop_duplicates("tau")  # the first α of a τ is the paper's
    radii = radii[np.isfinite(radii["distance"])].sort_values("distance")  # α = 0 rejects at no distance
    ratios = [len(rows) + 0.4 for _, rows in panels]
    with style():
        figure, axes = plt.subplots(
            len(panels), 1, figsize=(WIDTH, 0.42 * sum(ratios) + 0.75), sharex=True, squeeze=False, height_ratios=ratios
        )
        for axis, (title, rows) in zip(axes[:, 0], panels, strict=True):
            ridges(axis, rows)
            axis.set_title(title, loc="right", y=0.97, fontsize=10.5)
            for radius in radii["distance"]:
                axis.axvline(radius, color="#0b5394", lw=1.2, ls="--")
        axes[-1, 0].set_xlabel("‖r(x) − x‖₂, pixels in [0, 1]")
        axes[-1, 0].set_xlim(left=0)
        for i, (tau, alpha, radius) in enumerate(radii.itertuples(index=False)):
            axes[0, 0].annotate(
                f"τ = {tau:g}, α = {alpha:g}", (radius, 1), (-2 if i == 0 else 2, 3 + 11 * max(0, i - 1)), fontsize=8.5,
                xycoords=("data", "axes fraction"), textcoords="offset points", color="#0b5394",
                ha="right" if i == 0 else "left",
            )  # fmt: skip
        figure.tight_layout(h_pad=0.3)
        return figure


def ridges_of(study: Study, model: str, cell: Cell) -> list[Ridge]:
    """Of one network the distances of test images, of the images at which attacks ended, and of noise."""
    table = cell.table("distances")
    drawn = {str(kind): binned(str(kind), bins) for kind, bins in table.groupby("kind", sort=False)}
    edges = next(iter(drawn.values()))[2]
    ends: dict[str, pd.Series] = {}
    if attack := study.cells("fool_fgn").get(model):
        trials = attack.table("trials")
        for objective, text in (("y", "FGN on y"), ("scaled", "FGN on ỹ")):
            ends[text] = trials.loc[trials["objective"] == objective, "final_distance"]
    if attack := study.cells("fool_gradient").get(model):
        trials = attack.table("trials")
        top = trials[trials["tau"] == trials["tau"].max()]
        ends["gradients of ỹ"] = top.loc[top["alpha"] == top["alpha"].iloc[0], "final_distance"]
    first, *noise = drawn.values()
    counted = [(kind, *np.histogram(values.dropna(), edges)) for kind, values in ends.items() if values.notna().any()]
    return [first, *counted, *reversed(noise)]


def binned(kind: str, bins: pd.DataFrame) -> Ridge:
    """A stored histogram."""
    return kind, bins["count"].to_numpy(), np.array([*bins["low"], bins["high"].iloc[-1]])
