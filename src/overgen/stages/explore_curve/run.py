"""Two features: a curve in the plane with two classes on it, the boundaries that networks choose, and what is off it.

    python -m overgen.run explore_curve --dataset curve --model mlp

It needs no data: points are drawn. The plane lies in spaces of more and more dimensions. Writes the cell:
boundaries.csv, a row a dimension and network of two classes: how far a point of the curve is from another class, along
the curve and off it; negatives.csv, a row a dimension and network with a class "other": how many points of no class are
accepted all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overgen.run import results
from overgen.run.stage import Stage
from overgen.stages.explore_curve import boundaries, negatives, summary

ENGINE = "explore_curve"  # the section that holds `threads`


def main(stage: Stage) -> None:
    """Write the cell."""
    settings = stage.params("explore_curve")
    dimensions = settings.dimensions
    names = [f"{half}-{dimension}" for half in ("boundaries", "negatives") for dimension in dimensions]

    def compute(i: int, _: Any) -> dict[str, np.ndarray]:
        half = boundaries if i < len(dimensions) else negatives
        return half.explore(settings, dimensions[i % len(dimensions)])

    members = stage.members(names, compute)
    if stage.rank != 0:
        return
    of_boundaries = dict(zip(dimensions, members[: len(dimensions)], strict=True))
    of_negatives = dict(zip(dimensions, members[len(dimensions) :], strict=True))
    tables = summary.tables(of_boundaries, of_negatives, settings)
    budget = {
        "explore_curve.boundaries.seeds": settings.boundaries.seeds,
        "explore_curve.boundaries.steps": settings.boundaries.steps,
        "explore_curve.negatives.seeds": settings.negatives.seeds,
        "explore_curve.negatives.steps": settings.negatives.steps,
    }
    results.write(
        stage.cell,
        budget=budget,
        metrics=summary.rows(tables, settings),
        tables=tables,
        examples=summary.shown(of_boundaries),
    )
