"""Figures of paths from one image to another."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, WIDTH, ImageGrid, colour, score_text, style

WAY_NAMES = {"pixels": "straight, pixels", "geodesic": "along neighbours"}
INKS = {"pixels": "#3b3b3b", "geodesic": "#d55e00"}
KIND_NAMES = {"within": "one class", "across": "two classes"}


def way_name(way: str) -> str:
    """How a way is called in figures and tables."""
    return WAY_NAMES.get(way, f"code of {model_name(way)}")


def ink_of(way: str) -> str:
    return INKS.get(way) or ("#0173b2" if way == "autoencoder" else colour(way))


def path_curves(study: Study) -> Figure:
    """What is measured along the way: medians over pairs, with the band of the middle 80 % for each way."""
    table = study.cell("explore_paths").table("curves")
    prefix = f"explore_paths.{study.dataset}."
    denoiser, classifier = (model_name(study.settings[prefix + key]) for key in ("denoiser", "classifier"))
    measures = {
        "distance": "distance to the data",
        "error": f"‖r(x) − x‖\n{denoiser}",
        "scaled": f"largest ỹ\n{denoiser}",
        "score": f"largest y\n{classifier}",
    }
    with style():
        figure, axes = plt.subplots(len(measures), 2, figsize=(WIDTH, 7.6), sharex=True, sharey="row")
        for row, (measure, label) in zip(axes, measures.items(), strict=True):
            for axis, kind in zip(row, KIND_NAMES, strict=True):
                own = table[(table["measure"] == measure) & (table["kind"] == kind)]
                for way, line in own.groupby("way", sort=False):
                    ink = ink_of(str(way))
                    axis.fill_between(line["position"], line["q10"], line["q90"], color=ink, alpha=0.12, lw=0)
                    axis.plot(line["position"], line["q50"], color=ink, label=way_name(str(way)), lw=1.8)
                axis.set_xlim(0, 1)
            row[0].set_ylabel(label)
            lowest = table.loc[table["measure"] == measure, "q10"].min()
            scores = (math.floor(4 * lowest) / 4, 1.03)  # in quarters
            row[0].set_ylim(scores if measure in ("scaled", "score") else (0, None))
        for axis, name in zip(axes[0], KIND_NAMES.values(), strict=True):
            axis.set_title(name)
        for axis in axes[-1]:
            axis.set_xticks([0, 0.5, 1], ["one end", "half-way", "the other"])
            for text, side in zip(axis.get_xticklabels(), ("left", "center", "right"), strict=True):
                text.set_ha(side)
        figure.tight_layout(h_pad=0.6)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.53, 0.01), ncols=2)
        return figure


def path_pictures(study: Study) -> Figure:
    """Images along the paths of some pairs, a row a way; under each the classifier's answer and its y."""
    shown = study.cell("explore_paths").examples()
    ways, pairs = len(shown["way"]), len(shown["kind"])
    across = shown["score"].shape[2]
    tau = max(float(tau) for tau in study.rows(experiment="paths", metric="middle_sure")["tau"])
    with style():
        grid = ImageGrid(pairs * ways, across, head=0.34, foot=0.32, side=WIDTH / (PITCH * across - 0.1))
        for p in range(pairs):
            for w, way in enumerate(shown["way"].tolist()):
                row = p * ways + w
                grid.label(row, f"{KIND_NAMES[str(shown['kind'][p])]}: {way_name(way)}", ink_of(way))
                for i in range(across):
                    score = float(shown["score"][p, w, i])
                    text = f"{int(shown['answer'][p, w, i])}: {score_text(score)}"
                    grid.image(row, i, shown["image"][p, w, i] / 255, text=text, ink="black" if score > tau else GREY)
        return grid.figure
