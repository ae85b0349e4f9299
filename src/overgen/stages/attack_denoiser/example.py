"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.attack_denoiser.names import BESIDE, EXPERIMENT, HELD_BACK, SCALED
from overgen.stages.attack_denoiser.summary import TOLD, restored_rows, told_rows
from overgen.stages.attack_scores.example import made_up

METHODS = ("restoration", HELD_BACK, "restoration_mean", f"{SCALED}_alpha2", f"{BESIDE}_alpha2", "likelihood")


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    methods: Sequence[str] = METHODS,
    better: float = 2.0,
    budget: Mapping[str, int] | None = None,
    **options: Any,
) -> None:
    """As a cell of attack_scores; known images lie two deviations above the others. better: by so many dB the denoiser
    restores images better than the dAE."""
    rows, tables, examples = made_up(draw, methods=methods, **options)
    told = {
        method: {f"{TOLD}known": draw.normal(2, 1, 200)}
        | {f"{TOLD}{kind}": draw.normal(0, 1, 100) for kind in ("noise", "other_data")}
        for method in methods
    }
    beside = draw.normal(20, 1, 100)
    examples |= {f"{what}_image": as_bytes(blobs(draw, 10)) for what in ("clean", "noisy", "beside", "denoiser")}
    restored = {"denoiser": beside + better + draw.normal(0, 0.5, 100), "beside": beside}
    rows = [row | {"experiment": EXPERIMENT} for row in rows] + told_rows(told) + restored_rows(restored)
    results.write(path, budget=dict(budget or {}) | spent(path, restarts=4), metrics=rows, tables=tables,
                  examples=examples)  # fmt: skip
