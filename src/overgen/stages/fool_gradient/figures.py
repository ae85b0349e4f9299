"""Figures of gradient attacks in the report."""

from __future__ import annotations

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study, rising
from overgen.report.style import WIDTH, attacked_images, legend_below, passage_curve, style, updates_axis

START_NAMES = {"noise": "noise", "mean_image": "mean image", "other_class": "another class"}


def gradient_passage(study: Study) -> Figure:
    """Share of trials that gradient attacks on ỹ have fooled, against updates: rows are starts, columns thresholds.

    The updates are those of all attacks in turn; the paper's α of a τ.
    """
    cells, taus = study.cells("fool_gradient"), rising(study.rows(experiment="gradient")["tau"])
    updates = next(iter(cells.values())).budget[f"fool_gradient.{study.dataset}.updates"]
    trials = {model: cell.table("trials") for model, cell in cells.items()}
    starts = list(dict.fromkeys(next(iter(trials.values()))["start"]))
    with style():
        figure, axes = plt.subplots(
            len(starts), len(taus), figsize=(WIDTH, 1.75 * len(starts) + 0.5), sharex=True, sharey=True, squeeze=False
        )
        for (r, start), (c, tau) in product(enumerate(starts), enumerate(taus)):
            axis = axes[r, c]
            for model, table in trials.items():
                rows = table[(table["start"] == start) & (table["tau"] == float(tau))]
                rows = rows[rows["alpha"] == rows["alpha"].iloc[0]]
                passage_curve(axis, model, rows["step"], updates)
            axis.set(title=f"from {START_NAMES.get(start, start)}, τ = {tau}", ylim=(0, 102))
            updates_axis(axis, updates)
        for axis in axes[-1]:
            axis.set_xlabel("updates")
        for axis in axes[:, 0]:
            axis.set_ylabel("fooled, %")
        legend_below(figure, axes[0, 0])
        return figure


def gradient_images(study: Study) -> Figure:
    """What gradient attacks on ỹ end at, at the highest τ with the paper's α: a row a model and start.

    Under each image its score ỹ; a frame in the model's colour and ✓ where it fooled.
    """
    rows, targets = [], None
    for model, cell in study.cells("fool_gradient").items():
        examples = cell.examples()
        targets = examples.get("target")
        top = examples["tau"] == examples["tau"].max()
        top &= examples["alpha"] == examples["alpha"][top][0]
        for i in np.flatnonzero(top):
            start = str(examples["start"][i])
            label = f"{model_name(model)}, from {START_NAMES.get(start, start)}"
            rows.append((model, label, {k: examples[k][i] for k in ("image", "score", "fooled")}))
    return attacked_images(rows, targets)
