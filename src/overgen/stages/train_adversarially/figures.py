"""The figure of training on adversarial examples in the report."""

from __future__ import annotations

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.measures.intervals import wilson
from overgen.report.study import Study
from overgen.report.style import MORE_COLOURS, WIDTH, legend_below, style

NAMES = {
    "weight_decay": "weight decay",
    "dropout": "dropout",
    "adversarial": "examples of every layer",
    "adversarial_pixels": "examples of the pixels",
}


def training_name(training: str) -> str:
    """A training as it is written in the report."""
    return NAMES.get(training, training.replace("_", " "))


def adversarial_errors(study: Study) -> Figure | None:
    """Left: test error against the smallest distortion, a mark a training and seed, with Wilson bars.

    Right: how far the examples of the lowest level with a pool were changed that an epoch began with, a line a training
    and seed.
    """
    cells = study.cells("train_adversarially")
    if not cells:
        return None
    cell = next(iter(cells.values()))
    errors, trials, curves = (cell.table(name) for name in ("errors", "trials", "curves"))
    names = list(dict.fromkeys(errors["training"]))
    inks = dict(zip(names, cycle(MORE_COLOURS), strict=False))
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
        for name in names:
            own = errors[errors["training"] == name]
            rms = trials[(trials["training"] == name) & trials["found"]].groupby("seed")["distortion"].mean()
            x = rms.reindex(own["seed"]).to_numpy()
            share = 100 * own["test_wrong"] / own["test_images"]
            ends = 100 * np.array([wilson(k, n) for k, n in zip(own["test_wrong"], own["test_images"], strict=True)])
            left.vlines(x, *ends.T, color=inks[name], lw=1.4)
            left.plot(x, share, "o", color=inks[name], ms=4.5, label=training_name(name))
            if "distortion" not in curves:
                continue
            for _, line in curves[(curves["training"] == name) & curves["distortion"].notna()].groupby("seed"):
                right.plot(line["epoch"], line["distortion"], color=inks[name], lw=1.2)
        left.set(xlabel="smallest distortion, rms", ylabel="test error, %", ylim=(0, None))
        right.set(xlabel="epoch", ylabel="rms of the examples made", ylim=(0, None))
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, left)
        return figure
