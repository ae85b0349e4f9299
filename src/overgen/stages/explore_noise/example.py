"""A made-up cell of this stage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs, reconstructs
from overgen.stages.explore_noise import summary
from overgen.stages.explore_noise.run import KINDS

NETWORKS, PAIRS = ("cnn", "dae_sym"), [(0.9, 20.0), (0.99, 3.0)]
IMAGES, RUNS = 50, 3  # of each kind of noise, and of subset simulation
VOLUME = {"y": -3.0, "scaled": -250.0}  # about; of ỹ at the larger τ the levels end first


def example_cell(path: Path, draw: np.random.Generator, *, budget: Mapping[str, int] | None = None) -> None:
    """y is sure of some noise, ỹ of none; the volumes lie about where `VOLUME` says."""
    networks = {name: network(draw, reconstructs(name)) for name in NETWORKS}
    balls = np.array([[dimension, summary.log10_of_ball(0.5, dimension) + draw.normal(0, 0.1)]
                      for dimension in (2, 10) for _ in range(RUNS)])  # fmt: skip
    rows, tables, examples = summary.cell(networks, balls, PAIRS, KINDS)
    counts = {"images": IMAGES, "runs": RUNS, "chains": 5, "length": 10, "levels": 300}
    own = {f"explore_noise.{path.parts[-3]}.{name}": n for name, n in counts.items()}
    results.write(path, budget=dict(budget or {}) | own, metrics=rows, tables=tables, examples=examples)


def network(draw: np.random.Generator, with_scaled: bool) -> dict[str, np.ndarray]:
    """What the stage's `of_network` gives."""
    arrays: dict[str, np.ndarray] = {}
    for kind in KINDS:
        log_y = np.log(draw.uniform(0.3, 1, IMAGES))
        lower = [log_y - alpha / 784 * 8 for _, alpha in PAIRS] if with_scaled else []
        arrays |= {
            f"{kind}.scores": np.stack([log_y, *lower]).astype(np.float32),
            f"{kind}.label": draw.integers(0, 10, IMAGES),
            f"{kind}.image": as_bytes(blobs(draw))[None],
        }
    rows = []
    sets = [("y", tau, math.nan) for tau, _ in PAIRS] + [("scaled", *pair) for pair in PAIRS] * with_scaled
    for score, tau, alpha in sets:
        reached = score == "y" or tau == PAIRS[0][0]
        for run in range(RUNS):
            log10 = VOLUME[score] + draw.normal(0, 1)
            rows.append([score == "scaled", tau, alpha, run, log10, reached, 1.5, 300, 13_500, 20 * reached, 1.0])
    inside = as_bytes(blobs(draw, len(rows)))[:, None]
    sure = np.array([math.log((1 + row[1]) / 2) if row[5] else math.nan for row in rows])
    return arrays | {"volumes": np.array(rows, float), "inside": inside, "sure": sure}
