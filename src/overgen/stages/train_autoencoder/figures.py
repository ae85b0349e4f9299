"""Figures of the autoencoders in the report."""

from __future__ import annotations

from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import ImageGrid, colour, style


def reconstructions(study: Study) -> Figure:
    """What the autoencoders restore: one test image of each class, for each model clean, noisy and restored."""
    cells = study.cells("train_autoencoder")
    kinds = {"clean": "clean", "noisy": "noisy", "restored": "restored", "restored_clean": "restored\nfrom clean"}
    with style():
        labels = next(iter(cells.values())).examples()["labels"]
        grid = ImageGrid(len(cells) * len(kinds), len(labels), gap=0.06)
        for m, (model, cell) in enumerate(cells.items()):
            examples = cell.examples()
            for k, (kind, label) in enumerate(kinds.items()):
                row = m * len(kinds) + k
                grid.label(row, f"{model_name(model)}\n{label}" if k == 0 else label, colour(model))
                for c, image in enumerate(examples[kind]):
                    grid.image(row, c, image / 255)
        grid.titles([str(int(label)) for label in labels])
        return grid.figure
