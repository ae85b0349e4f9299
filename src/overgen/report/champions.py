"""Champions of an evolution as a grid of images."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import ENCODING_NAMES
from overgen.report.style import attacked_images


def champions(
    examples: Mapping[str, np.ndarray], step: str, model: str, *, above: float, shown: Collection[int]
) -> Figure:
    """A row for each encoding and each shown value of `step`, of which examples has an array.

    Under each image its confidence; a frame in the model's colour and ✓ where it lies above a threshold.
    """
    rows = []
    for i in np.flatnonzero(np.isin(examples[step], sorted(shown))):
        scores = examples["confidence"][i]
        label = f"{ENCODING_NAMES[str(examples['encoding'][i])]} encoding, {step} {int(examples[step][i]):,}"
        rows.append((model, label, {"image": examples["image"][i], "score": scores, "fooled": scores > above}))
    return attacked_images(rows, examples.get("target"))
