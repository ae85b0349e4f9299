"""Champions of an evolution as a grid of images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import ENCODING_NAMES
from overgen.report.style import ImageGrid, score_text, style


def champions(examples: Mapping[str, np.ndarray], step: str, ink: str) -> Figure:
    """A row for each encoding and `step`, of which examples has an array; under each image its confidence."""
    images, scores = examples["image"], examples["confidence"]
    with style():
        grid = ImageGrid(len(images), images.shape[1], gap=0.34)
        for r, (encoding, number) in enumerate(zip(examples["encoding"], examples[step], strict=True)):
            grid.label(r, f"{ENCODING_NAMES[str(encoding)]}\n{step} {int(number):,}", ink)
            for c in range(grid.columns):
                grid.image(r, c, images[r, c], text=score_text(float(scores[r, c])))
        grid.titles([str(c) for c in range(grid.columns)])
        return grid.figure
