"""Made-up cells for tests of what reads cells: each is written by its stage's own `example_cell`."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np


def example_cell(root: Path, stage: str, model: str, *, dataset: str = "mnist", **options: Any) -> Path:
    """Write a made-up cell below a folder of cells; the same one for the same name. Returns its folder.

    options: of the stage's `example_cell`.
    """
    path = root / dataset / stage / model
    key = hashlib.md5("/".join(path.parts[-3:]).encode()).digest()[:4]
    draw = np.random.default_rng(int.from_bytes(key, "big"))
    importlib.import_module(f"overgen.stages.{stage}.example").example_cell(path, draw, **options)
    return path
