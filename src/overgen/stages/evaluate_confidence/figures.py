"""Figures of how far scores can be trusted in the report."""

from __future__ import annotations

import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.report.names import model_name
from overgen.report.reliability import draw_bins, panels
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
    alphas = [alpha for table in tables.values() for alpha in table["alpha"].dropna().unique()]
    handles = [Line2D([], [], color=GREY, marker="o", ms=5, lw=0, label="y")]
    if alphas:
        text = f"ỹ, α = {max(alphas):g}"
        handles.append(Line2D([], [], color=GREY, marker="s", mfc="white", ms=5, lw=0, label=text))
    drawn = {
        model_name(model): partial(diagram, table=table[table["seed"] == table["seed"].min()], ink=colour(model))
        for model, table in tables.items()
    }
    with style():
        return panels(drawn, handles)


def diagram(above: Axes, below: Axes, *, table: pd.DataFrame, ink: str) -> None:
    """One model's diagram and the counts of its bins. table: reliability.csv of one seed."""
    largest = table["alpha"].max()
    for alpha in (math.nan,) if math.isnan(largest) else (math.nan, largest):
        of_y = math.isnan(alpha)
        bins = table[table["alpha"].isna()] if of_y else table[table["alpha"] == alpha]
        if not bins.empty:
            draw_bins(above, below, bins, ink, filled=of_y, marker="o" if of_y else "s")


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
