"""Figures of the trained networks in the report."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import colour, style


def training_curves(study: Study) -> Figure:
    """Loss, accuracy and reconstruction loss over epochs on the training images; one thin line a seed.

    A cross-entropy below 10⁻⁴, where it can be exactly 0, is drawn there.
    """
    cells = study.cells("train_classifier", "train_autoencoder")
    panels = {
        "classification_loss": "cross-entropy (at least 10⁻⁴)",
        "accuracy": "accuracy, %",
        "reconstruction_loss": "reconstruction loss",
    }
    curves = {model: cell.table("curves") for model, cell in cells.items()}
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(11.5, 3.6), squeeze=False)
        handles: dict[str, Any] = {}
        for axis, (column, label) in zip(axes[0], panels.items(), strict=True):
            for model, table in curves.items():
                if column not in table or not table[column].notna().any() or not (table[column] != 0).any():
                    continue  # the model has no such loss
                scale = 100 if column == "accuracy" else 1
                for _, seed in table.groupby("seed", sort=True):
                    values = scale * seed[column]
                    if column == "classification_loss":
                        values = values.clip(lower=1e-4)
                    (line,) = axis.plot(
                        seed["epoch"] + 1, values, "-o", color=colour(model), ms=2, lw=1.4, label=model_name(model)
                    )
                    handles[model] = line
            axis.set(title=label, xlabel="epoch")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if column == "classification_loss":
                axis.set_yscale("log")
        figure.tight_layout()
        figure.legend(
            handles=list(handles.values()), loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=len(handles)
        )
        return figure
