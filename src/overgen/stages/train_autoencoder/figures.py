"""Figures of the autoencoders in the report."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, ImageGrid, colour, style


def reconstructions(study: Study) -> Figure:
    """What the autoencoders restore: one test image of each class, clean, noisy, and as each model restores it."""
    rows: list[tuple[str, str, np.ndarray]] = []
    for model, cell in study.cells("train_autoencoder").items():
        examples = cell.examples()
        for kind, text in (("clean", "a test image"), ("noisy", "with noise")):
            if not any(np.array_equal(examples[kind], images) for _, _, images in rows):  # once for models of one noise
                rows.append((text, GREY, examples[kind]))
        rows.append((f"with noise, restored by {model_name(model)}", colour(model), examples["restored"]))
    with style():
        grid = ImageGrid(len(rows), len(rows[0][2]), head=0.4, foot=0.06)
        for r, (text, ink, images) in enumerate(rows):
            grid.label(r, text, ink)
            for c, image in enumerate(images):
                grid.image(r, c, image / 255)
        return grid.figure
