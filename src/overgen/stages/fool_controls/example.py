"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overgen.stages.fool_gradient.example import example_cell as gradient_cell


def example_cell(path: Path, draw: np.random.Generator, **options: Any) -> None:
    """As a cell of `fool_gradient`, whose form it has."""
    gradient_cell(path, draw, experiment="control_gradient", **options)
