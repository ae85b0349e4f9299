"""Figures of the linear classifier in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from overgen.measures.intervals import wilson
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.style import GREY, WIDTH, legend_below, score_text, style
from overgen.run.results import Cell

INKS = ("#0173b2", "#de8f05", "#029e73")  # the two classes and the third
NOISE_INKS = ("#8a8a8a", "#8c564b", "#c44e52", "#17a2b8")
KIND_NAMES = {"uniform": "uniform noise", "normal": "normal noise", "shuffled": "pixels shuffled",
              "phase": "phases drawn anew"}  # fmt: skip


def names_of(cell: Cell) -> dict[str, str]:
    """How each kind of images is called."""
    table = cell.table("images").astype({"kind": str, "name": str})
    return {kind: KIND_NAMES.get(kind, name) for kind, name in zip(table["kind"], table["name"], strict=True)}


def linear_plane(study: Study) -> Figure:
    """The images in the plane of the direction that the classifier looks at and the one in which they differ most.

    The background is y of the likelier class, the line in the middle the boundary. Above, the picture of each kind at
    its median distance, in the order of these, with its y and a line to its point.
    """
    cell = study.cell("explore_linear")
    table, shown = cell.table("points").astype({"kind": str}), cell.examples()
    norm, names = float(cell.table("plane")["norm"].iloc[0]), names_of(cell)
    kinds = list(dict.fromkeys(table["kind"]))
    inks = dict(zip(kinds, (*INKS, *NOISE_INKS), strict=True))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 6.2))
        low, high = table[["distance", "height"]].min() - 0.5, table[["distance", "height"]].max() + 0.5
        top = high["height"] + 0.3 * (high["height"] - low["height"])
        x = np.linspace(low["distance"], high["distance"], 400)
        y = 1 / (1 + np.exp(-np.abs(x) * norm))
        for least, shade in ((0.9, "#f1f1f1"), (0.99, "#e2e2e2")):
            axis.fill_between(x, low["height"], top, where=y >= least, color=shade, lw=0, zorder=0)
        axis.axvline(0, color="black", lw=1.4, zorder=1)
        for kind in kinds:
            of = table[table["kind"] == kind]
            axis.plot(of["distance"], of["height"], "o", color=inks[kind], ms=3.5, alpha=0.6, mew=0, label=names[kind])
        order = np.argsort(shown["distance"], kind="stable")
        slots = low["distance"] + (np.arange(len(order)) + 0.5) / len(order) * (high["distance"] - low["distance"])
        for slot, i in zip(slots, order, strict=True):
            ink, point = inks[str(shown["kind"][i])], (shown["distance"][i], shown["height"][i])
            picture = OffsetImage(shown["image"][i] / 255, zoom=1.35 * 28 / shown["image"].shape[1], cmap="gray",
                                  norm=plt.Normalize(0, 1))  # fmt: skip
            axis.add_artist(AnnotationBbox(
                picture, point, (slot, top - 0.14 * (top - low["height"])), pad=0.08, bboxprops={"ec": ink, "lw": 2},
                arrowprops={"arrowstyle": "-", "color": ink, "lw": 1},
            ))  # fmt: skip
            axis.plot(*point, "o", color=ink, ms=7, mec="black", mew=0.8, zorder=4)
            text = f"{score_text(float(shown['score'][i]))}"
            axis.text(slot, top - 0.02 * (top - low["height"]), text, ha="center", va="top", fontsize=9)
        high["height"] = top
        axis.set(xlim=(low["distance"], high["distance"]), ylim=(low["height"], high["height"]))
        axis.grid(visible=False)
        axis.set_xlabel(f"← {names[kinds[0]]}    distance from the boundary, pixels    {names[kinds[1]]} →")
        axis.set_ylabel("along the boundary, pixels")
        extra = [plt.Rectangle((0, 0), 1, 1, fc="#f1f1f1", label="y > 0.9"),
                 plt.Rectangle((0, 0), 1, 1, fc="#e2e2e2", label="y > 0.99")]  # fmt: skip
        legend_below(figure, axis, extra, columns=3)
        return figure


def linear_shares(study: Study) -> Figure:
    """How often y lies above τ, a row a class or kind of noise, with 95 % Wilson bars."""
    cell = study.cell("explore_linear")
    table, names = cell.table("images").astype({"kind": str}), names_of(cell)
    inks = {"known": "#1b1b1b", "other": "#d55e00", "noise": "#8a8a8a"}
    kinds = [kind for group in inks for kind in dict.fromkeys(table.loc[table["group"] == group, "kind"])]
    taus = sorted(table["tau"].unique())
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * len(kinds) + 1.3))
        for of in records(table):
            place = kinds.index(of["kind"]) + (0.13 if of["tau"] == taus[-1] else -0.13)
            low, high = (100 * end for end in wilson(of["sure"], of["images"]))
            ink = inks[of["group"]]
            axis.hlines(place, low, high, color=ink, lw=2)
            fill = "white" if of["tau"] == taus[-1] and len(taus) > 1 else ink
            axis.plot(100 * of["sure"] / of["images"], place, "o", color=ink, mfc=fill, ms=5.5, clip_on=False)
        axis.set_yticks(range(len(kinds)), [names[kind] for kind in kinds])
        axis.set(xlim=(0, 100), ylim=(len(kinds) - 0.5, -0.5), xlabel="images with y > τ, %")
        handles = [
            plt.Line2D([], [], marker="o", color=GREY, lw=2, mfc="white" if i else GREY, label=f"τ = {tau:g}")
            for i, tau in enumerate((taus[0], taus[-1])[: len(taus)])
        ]
        handles += [
            plt.Line2D([], [], color=ink, lw=4, label=text)
            for ink, text in zip(inks.values(), ("what it was trained on", "other classes", "noise"), strict=True)
        ]
        legend_below(figure, axis, handles, columns=3)
        return figure
