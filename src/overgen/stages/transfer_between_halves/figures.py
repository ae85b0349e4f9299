"""The figure of networks on halves in the report."""

from __future__ import annotations

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, MORE_COLOURS, legend_below, style
from overgen.stages.transfer_between_halves.summary import EXPERIMENT, NOISE


def halves_errors(study: Study) -> Figure | None:
    """Errors on the examples made for the first network, brought to growing distortions: a line a network asked.

    Dashed and dotted, in the network's colour: its errors on noise as large. Bars are 95 % intervals.
    """
    rows = study.rows(experiment=EXPERIMENT, metric="error")
    rows = rows[~rows["rms"].isin(["", "0"])].assign(rms=lambda table: table["rms"].replace("", "nan").astype(float))
    names = list(dict.fromkeys(rows["made_for"]))
    if not names:
        return None
    first = next(name for name in names if name not in NOISE)
    with style():
        figure, axis = plt.subplots(figsize=(5.2, 3.4))
        for judge, ink in zip(dict.fromkeys(rows["model"]), cycle(MORE_COLOURS), strict=False):
            for made_for, line in ((first, "-o"), ("noise", "--"), ("free_noise", ":")):
                curve = rows[(rows["made_for"] == made_for) & (rows["model"] == judge)].sort_values("rms")
                label = model_name(judge) if made_for == first else "_"
                axis.plot(curve["rms"], curve["reproduced"], line, color=ink, ms=3.5, lw=1.4, label=label)
                axis.vlines(curve["rms"], *np.array(curve[["low", "high"]]).T, color=ink, lw=1.2)
        axis.set(xlabel="distortion, rms", ylabel="errors, %", ylim=(0, 103), xlim=(0, None))
        styles = {"--": "on noise kept in [0, 1]", ":": "on noise not kept in it"}
        noise = [plt.Line2D([], [], ls=line, color=GREY, lw=1.4, label=label) for line, label in styles.items()]
        legend_below(figure, axis, noise, columns=2)
        return figure
