"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.stages.evaluate_fooling.run import COLUMNS, rows

IMAGES = 8  # that fooled, by each attack on each network


def example_cell(
    path: Path, draw: np.random.Generator, *, attacked: Sequence[str], budget: Mapping[str, int] | None = None
) -> None:
    """Of 8 images that fooled another network the witness labels 5 as the target, and accepts 2 of them.

    attacked: the models that are attacked, of which the witness may be one.
    """
    labels = np.arange(IMAGES)
    tables = [
        pd.DataFrame(
            {
                "attack": attack,
                "variant": variant,
                "tau": 0.9,
                "alpha": 0.0,
                "target": labels,
                "score": 0.95,
                "fooled": True,
                "attacked": model,
                "seen": np.where(labels < 5, labels, (labels + 1) % 10),
                "witness_score": np.where(labels < 2, 0.95, 0.5),
            }
        )
        for (attack, variant), model in product((("fool_fgn", "y"), ("fool_gradient", "noise")), attacked)
        if model != path.name
    ]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    results.write(path, budget=dict(budget or {}), metrics=rows(table[COLUMNS]), tables={"images": table[COLUMNS]})
