"""Figures of a denoiser's scores under attack in the report."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import WIDTH, ImageGrid, colour, legend_below, style
from overgen.stages.attack_denoiser.names import BESIDE, EXPERIMENT, HELD_BACK, MODEL, method_name
from overgen.stages.attack_scores.figures import DIRECTIONS, NORMS

INKS = ("#1b6ca8", "#8ab6d6", "#d1495b", "#edae49", "#5b8e7d", "#8d6a9f")


def ink_of(study: Study, method: str) -> str:
    """The colour of a score, the same in all figures."""
    if method.startswith(BESIDE):
        return colour("dae_sym")
    methods = list(dict.fromkeys(study.rows(experiment=EXPERIMENT, metric="kept")["method"]))
    return INKS[methods.index(method) % len(INKS)]


def lines(study: Study) -> list[tuple[str, str, str, str]]:
    """What is drawn: method, label, colour and line of each curve. That of the autoencoder beside is dashed."""
    rows = study.rows(experiment=EXPERIMENT, metric="kept")
    methods = [method for method in dict.fromkeys(rows["method"]) if method != HELD_BACK]
    return [
        (method, method_name(method), ink_of(study, method), "--" if method.startswith(BESIDE) else "-")
        for method in methods
    ]


def denoiser_balls(study: Study) -> Figure | None:
    """How many images are accepted, or rejected, within a ball of each radius: a line a score."""
    rows = study.rows(experiment=EXPERIMENT, metric="moved")
    if rows.empty:
        return None
    drawn = lines(study)
    with style():
        figure, axes = plt.subplots(len(DIRECTIONS), len(NORMS), figsize=(WIDTH, 5.2), sharey=True)
        for (direction, title), line in zip(DIRECTIONS.items(), axes, strict=True):
            for (norm, norm_name), axis in zip(NORMS.items(), line, strict=True):
                for method, _, ink, dashes in drawn:
                    curve = rows[(rows["method"] == method) & (rows["direction"] == direction) & (rows["norm"] == norm)]
                    if curve.empty:
                        continue
                    curve = curve.assign(at=curve["radius"].astype(float)).sort_values("at")
                    at = np.arange(len(curve))
                    axis.fill_between(at, curve["low"], curve["high"], color=ink, alpha=0.12, lw=0)
                    axis.plot(at, curve["reproduced"], color=ink, lw=1.7, ls=dashes)
                    axis.set_xticks(at, [f"{radius:g}" for radius in curve["at"]])
                axis.set(ylim=(-3, 103), xlabel=f"{norm_name} radius")
            line[0].set_ylabel("of images, %")
            line[0].set_title(title, loc="left", fontsize=10)
        handles = [Line2D([], [], color=ink, lw=1.7, ls=dashes, label=label) for _, label, ink, dashes in drawn]
        legend_below(figure, axes[0, 0], handles, columns=2)
        return figure


def denoiser_restored(study: Study) -> Figure | None:
    """Test images, the same under noise, and what each network makes of them."""
    cell = study.cells("attack_denoiser").get(MODEL)
    if cell is None:
        return None
    arrays = cell.examples()
    beside = model_name(study.settings[f"attack_denoiser.{study.dataset}.beside"])
    shown = {"clean": "test image", "noisy": "under noise", "beside": beside, "denoiser": "denoiser"}
    with style():
        grid = ImageGrid(len(shown), len(arrays["clean_image"]), head=0.36, foot=0.05)
        for r, (what, label) in enumerate(shown.items()):
            grid.label(r, label, "black")
            for c, image in enumerate(arrays[f"{what}_image"]):
                grid.image(r, c, image / 255)
        return grid.figure


def denoiser_images(study: Study) -> Figure | None:
    """Images that fooled, a row a score: the judge's word under each."""
    cell = study.cells("attack_denoiser").get(MODEL)
    if cell is None:
        return None
    arrays = cell.examples()
    methods = list(dict.fromkeys(arrays["shown_method"].tolist()))
    if not methods:
        return None
    with style():
        columns = max(int((arrays["shown_method"] == method).sum()) for method in methods)
        grid = ImageGrid(len(methods), columns, head=0.46, foot=0.3)
        for r, method in enumerate(methods):
            of = arrays["shown_method"] == method
            grid.label(r, method_name(method), ink_of(study, method))
            shown = zip(*(arrays[f"shown_{part}"][of] for part in ("image", "target", "not_of_class")), strict=True)
            for c, (image, target, none) in enumerate(shown):
                grid.image(r, c, image / 255, text=f"{target}{'' if none else ' ✓'}")
        return grid.figure
