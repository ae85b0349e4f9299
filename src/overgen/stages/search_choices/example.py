"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overgen.run import results
from overgen.run.example import BETA, outputs, pairs_of
from overgen.stages.search_choices import summary


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    settings: Sequence[Mapping[str, Any]] = ({}, {"output_std": 0.1}),
    sure: Sequence[float] = (4.0, 8.0),
) -> None:
    """sure: by how much each setting's logit of the label is higher than the others, on average."""
    labels, tried = np.arange(50) % 10, [dict(setting) for setting in settings]
    trained = []
    for logit in sure:
        by_part = {"output": outputs(draw, path.name, labels, sure=logit)}
        by_part["noise"] = outputs(draw, path.name, np.full(100, -1))
        arrays = {f"{part}.{name}": array[0] for part, some in by_part.items() for name, array in some.items()}
        trained.append(arrays | {"curve.loss": np.array([1.0, 1 / logit])})
    table, rows = summary.settings(tried, trained, labels, pairs_of(path.name), BETA)
    key = f"search_choices.{path.parts[-3]}.{path.name}"
    budget = {f"{key}.epochs": 2, f"{key}.settings": len(tried), f"{key}.held_out": len(labels)}
    results.write(path, budget=budget, metrics=rows, tables={"settings": table})
