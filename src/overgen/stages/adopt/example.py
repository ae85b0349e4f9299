"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from overgen.models.adopted.saved import BUDGET
from overgen.run import results
from overgen.run.example import outputs, pairs_of
from overgen.stages.adopt import summary

IMAGES = 400


def example_cell(path: Path, draw: np.random.Generator, *, classes: int = 10, labelled: bool = True) -> None:
    """A network that labels most test images right. labelled: whether these have labels."""
    labels = np.arange(IMAGES) % classes
    log_y = outputs(draw, path.name, labels, classes=classes)["log_y"]
    seen = {"log_y": log_y, "labels": labels if labelled else np.full(IMAGES, -1)}
    rows, diagram = summary.cell(seen, pairs_of(path.name), bins=10, resamples=20, key=path.parts[-3:])
    facts = {"kind": "module", "SHA-256 of net.pt": "0123456789abcdef" * 4, "parameters": "1,199,882"}
    about = pd.DataFrame({"what": list(facts), "value": list(facts.values())})
    results.write(path, budget=BUDGET, metrics=rows, tables={"about": about, "reliability": diagram})
