"""Figures of how far scores can be trusted in the report."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, colour, legend_below, style


def reliability(study: Study) -> Figure:
    """Reliability diagrams: how often a score is right, of y and, for each α, of ỹ; on the diagonal it is calibrated.

    Only the first seed is drawn, and only bins of at least 10 images.
    """
    tables = {model: cell.table("reliability") for model, cell in study.cells("evaluate_confidence").items()}
    alphas = sorted({a for table in tables.values() for a in table["alpha"].dropna()}, reverse=True)
    with style():
        figure, axes = plt.subplots(
            1, 1 + len(alphas), figsize=(3.9 * (1 + len(alphas)), 4), sharey=True, squeeze=False
        )
        for axis, alpha in zip(axes[0], [None, *alphas], strict=True):
            axis.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
            for model, table in tables.items():
                bins = table[table["alpha"].isna() if alpha is None else table["alpha"] == alpha]
                bins = bins[(bins["seed"] == bins["seed"].min()) & (bins["images"] >= 10)]
                if len(bins):
                    axis.plot(bins["score"], bins["accuracy"], "-o", color=colour(model), ms=4, lw=1.6,
                              label=model_name(model))  # fmt: skip
            axis.set(
                title="y" if alpha is None else f"ỹ, α = {alpha:g}", xlabel="score", xlim=(0, 1.02), ylim=(0, 1.02)
            )
        axes[0, 0].set_ylabel("share that is right")
        legend_below(figure, axes[0, 0])
        return figure


DISTANCE_COLOURS = {"test images": "#0173b2", "known classes": "#0173b2", "unknown classes": "#d55e00",
                    "uniform noise": "#949494", "normal noise": "#1b1b1b"}  # fmt: skip


def distances(study: Study) -> Figure | None:
    """How far r(x) is from x: test images against noise, and known against unknown classes; None where none has an r.

    Of the open-set networks those with the number of known classes nearest to half. Dashed: the distances beyond which
    each (τ, α) rejects even where y = 1.
    """
    cells, openset = (
        {model: cell for model, cell in study.cells(stage).items() if model in study.cells("train_autoencoder")}
        for stage in ("evaluate_confidence", "evaluate_openset")
    )
    if not cells:
        return None
    radii = next(iter(cells.values())).table("radii")
    panels = [(model_name(model), cell.table("distances")) for model, cell in cells.items()]
    for model, cell in openset.items():
        table = cell.table("distances")
        known = min(table["known"].unique(), key=lambda k: abs(k - table["known"].max() / 2))
        panels.append((f"{model_name(model)}, {known} classes known", table[table["known"] == known]))
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.9), squeeze=False)
        handles: dict[str, Any] = {}
        for axis, (title, table) in zip(axes[0], panels, strict=True):
            for kind, bins in table.groupby("kind", sort=False):
                share = 100 * bins["count"] / bins["count"].sum()
                edges = [*bins["low"], bins["high"].iloc[-1]]
                axis.stairs(share, edges, fill=True, alpha=0.35, color=DISTANCE_COLOURS[str(kind)])
                handles[str(kind)] = axis.stairs(
                    share, edges, color=DISTANCE_COLOURS[str(kind)], lw=1.6, label=str(kind)
                )
            axis.set(title=title, xlabel="‖r(x) − x‖₂", ylim=(0, 1.35 * axis.dataLim.y1))  # room for the labels
            axis.set_xlim(left=0)
            finite = radii[np.isfinite(radii["distance"])]  # α = 0 rejects at no distance
            for tau, alpha, radius in finite.sort_values("distance").itertuples(index=False):
                last = radius == finite["distance"].max()  # its label stands right of it, where no other line is
                axis.axvline(radius, color=GREY, lw=1, ls="--")
                axis.annotate(
                    f"τ {tau:g}, α {alpha:g}", (radius, 0.985), (3 if last else -1, 0), rotation=90, fontsize=8.5,
                    xycoords=("data", "axes fraction"), textcoords="offset points", color=GREY,
                    va="top", ha="left" if last else "right",
                )  # fmt: skip
        axes[0, 0].set_ylabel("images, %")
        figure.tight_layout()
        figure.legend(
            handles=list(handles.values()), loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=len(handles)
        )
        return figure
