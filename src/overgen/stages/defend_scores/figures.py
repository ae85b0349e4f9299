"""Figures of scores with a defence under attack, in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import WIDTH, ImageGrid, legend_below, style
from overgen.stages.defend_scores.params import ADVERSARIAL, ENSEMBLE, NONE, SMOOTHED
from overgen.stages.defend_scores.summary import BALLS, EXPERIMENT, SCORE
from overgen.stages.evaluate_scores.names import method_name

NORMS = {"linf": "L∞", "l2": "L2"}
DIRECTIONS = {"accept": "accepted", "reject": "rejected"}
DEFENCES = {
    NONE: "no defence",
    SMOOTHED: "median over noise",
    ENSEMBLE: "least of several dAEs",
    ADVERSARIAL: "trained further",
}
INKS = {NONE: "#1b1b1b", SMOOTHED: "#0173b2", ENSEMBLE: "#de8f05", ADVERSARIAL: "#cc78bc"}


def defended_balls(study: Study) -> Figure | None:
    """How many images are moved past the threshold within a ball of each radius, a line a defence: a row of panels a
    score. Dotted: no more than so many, as a certificate says."""
    rows = study.rows(experiment=EXPERIMENT, metric="moved")
    if rows.empty:
        return None
    scores = list(dict.fromkeys(zip(rows["model"], rows["method"], strict=True)))
    certified = study.rows(experiment=EXPERIMENT, metric="certified")
    with style():
        figure, axes = plt.subplots(
            len(scores), len(BALLS), figsize=(WIDTH, 1.5 + 1.6 * len(scores)), sharey=True, squeeze=False
        )
        for (model, method), line in zip(scores, axes, strict=True):
            for (direction, norm), axis in zip(BALLS, line, strict=True):
                some = of_panel(rows, model, method, direction)
                some = some[some["norm"] == norm]
                sure = of_panel(certified, model, method, direction) if norm == "l2" else some.iloc[:0]
                radii = sorted({float(radius) for radius in [*some["radius"], *sure["radius"]]})
                for defence, curve in some.groupby("defence", sort=False):
                    ink = INKS[str(defence)]
                    at, curve = placed(curve, radii)
                    axis.fill_between(at, curve["low"], curve["high"], color=ink, alpha=0.12, lw=0)
                    axis.plot(at, curve["reproduced"], color=ink, lw=1.6, marker="o", ms=2.5)
                if len(sure):
                    at, curve = placed(sure, radii)
                    axis.plot(at, 100 - curve["reproduced"], color=INKS[SMOOTHED], ls=":", lw=1.6)
                axis.set_xticks(range(len(radii)), [f"{radius:g}" for radius in radii])
                axis.tick_params(axis="x", labelsize=6.5)
                axis.set(ylim=(-4, 104))
            line[0].set_ylabel(f"{method_name(method)},\n{model_name(model)}", fontsize=7.5)
        for (direction, norm), top, bottom in zip(BALLS, axes[0], axes[-1], strict=True):
            top.set_title(f"{DIRECTIONS[direction]}, %", loc="left", fontsize=9)
            bottom.set_xlabel(f"{NORMS[norm]} radius", fontsize=9)
        shown = [defence for defence in DEFENCES if (rows["defence"] == defence).any()]
        handles = [Line2D([], [], color=INKS[name], lw=1.6, label=DEFENCES[name]) for name in shown]
        if len(certified):
            bound = Line2D([], [], color=INKS[SMOOTHED], ls=":", lw=1.6, label="certified: no more than")
            handles.append(bound)
        legend_below(figure, axes[0, 0], handles, columns=3)
        return figure


def of_panel(rows: pd.DataFrame, model: str, method: str, direction: str) -> pd.DataFrame:
    if rows.empty:
        return rows
    return rows[(rows["model"] == model) & (rows["method"] == method) & (rows["direction"] == direction)]


def placed(curve: pd.DataFrame, radii: list[float]) -> tuple[np.ndarray, pd.DataFrame]:
    """The places of a curve's radii among all of a panel, and its rows in their order."""
    curve = curve.assign(at=curve["radius"].astype(float)).sort_values("at")
    return np.searchsorted(radii, curve["at"]), curve


def defended_images(study: Study) -> Figure | None:
    """Images that fooled in the cube, a row a score and defence: the judge's word under each."""
    rows = []
    for cell in study.cells("defend_scores").values():
        arrays = cell.examples()
        names = np.stack([arrays[name] for name in SCORE], 1)
        for name in dict.fromkeys(map(tuple, names.tolist())):
            of = (names == name).all(1)
            rows.append((name, *(arrays[part][of] for part in ("image", "target", "not_of_class"))))
    if not rows:
        return None
    with style():
        grid = ImageGrid(len(rows), max(len(row[1]) for row in rows), head=0.36, foot=0.3)
        for r, ((model, method, defence), images, targets, no_class) in enumerate(rows):
            grid.label(r, f"{method_name(method)}, {model_name(model)}: {DEFENCES[defence]}", INKS[defence])
            for c, (image, target, none) in enumerate(zip(images, targets, no_class, strict=True)):
                grid.image(r, c, image / 255, text=f"{target}{'' if none else ' ✓'}")
        return grid.figure
