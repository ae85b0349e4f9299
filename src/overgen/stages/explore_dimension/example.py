"""A made-up cell of this stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen.data.scene import PARAMETERS
from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.explore_dimension import summary
from overgen.stages.explore_dimension.summary import Arrays

PARTS, SIZES, MIXED, POINTS, SHOWN = 3, (250, 500), (500, 2000), 2000, 5
MANIFOLDS = {"plane": 2, "swiss_roll": 2, "sphere": 5, "cube_5": 5, "cube_5_repeated": 5, "cube_7": 7, "cube_20": 20}
VARIED = {"shift": 2, "lamp": 2, "turn": 3, "all": len(PARAMETERS)}


def example_cell(path: Path, draw: np.random.Generator, *, classes: int = 10) -> None:
    """Classes of 8 to 17 dimensions, by every estimator a little less than by the one before."""
    each = {}
    for c in range(classes):
        around = np.sort(draw.normal(8 + c, 1, 300))
        image = as_bytes(blobs(draw, 2, SHOWN))
        each[str(c)] = clouds(draw, 8 + c, SIZES, whole=6000) | {
            "local": around,
            "image": image,
            "image_local": np.stack([around[:SHOWN], around[-SHOWN:]]),
        }
    views = {name: (true, clouds(draw, true, (POINTS,), whole=PARTS * POINTS if name == "all" else None))
             for name, true in VARIED.items()}  # fmt: skip
    table = summary.table(
        each,
        clouds(draw, 12, MIXED),
        {name: (true, clouds(draw, true, (POINTS,))) for name, true in MANIFOLDS.items()},
        views,
    )
    results.write(
        path,
        budget={f"explore_dimension.{path.parts[-3]}.points": POINTS},
        metrics=summary.rows(table, pixels=784, parts=PARTS),
        tables={"dimensions": table, "local": summary.quantiles(each)},
        examples=summary.shown(each, as_bytes(blobs(draw, 10))),
    )


def clouds(draw: np.random.Generator, true: float, sizes: tuple[int, ...], whole: int | None = None) -> Arrays:
    """What `run.stacked` gives: parts of some sizes, and one cloud more."""
    at = [(size, part) for size in sizes for part in range(PARTS)] + ([(whole, 0)] if whole else [])
    size, part = (np.array(column) for column in zip(*at, strict=True))
    found = {"size": size, "part": part, "points": size, "repeated": np.zeros_like(size)}
    return found | {
        name: share * true + draw.normal(0, 0.1, len(size))
        for name, share in zip(summary.ESTIMATORS, (1.0, 0.9, 0.8), strict=True)
    }
