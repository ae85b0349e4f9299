"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overgen.stages.evaluate_scores.example import example_cell as scores_cell


def example_cell(path: Path, draw: np.random.Generator, **options: Any) -> None:
    """As a cell of `evaluate_scores`, whose form it has."""
    scores_cell(path, draw, experiment="control_scores", **options)
