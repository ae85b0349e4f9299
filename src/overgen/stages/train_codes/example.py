"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import spent
from overgen.stages.train_codes.params import Member
from overgen.stages.train_codes.run import COLUMNS, rows

SIZES = {"ae": (2, 16, 64), "dae": (64,), "linear": (2, 16, 64), "ae_mse": (64,), "vae": (16,)}


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    sizes: Mapping[str, Sequence[int]] = SIZES,
    seeds: int = 2,
    epochs: int = 6,
    own: Mapping[str, int] | None = None,
) -> None:
    """Errors fall from epoch to epoch, and with the size of the code. own: epochs of kinds that have their own."""
    tables = []
    for member in (Member(k, size, seed) for k, of in sizes.items() for size in of for seed in range(seeds)):
        error = 0.05 / np.sqrt(member.size) * (1 + 1 / np.arange(1, epochs + 1)) * (1 + 0.02 * member.seed)
        values = {"epoch": range(epochs), "loss": 4 * error, "test_error": error, "test_psnr": -10 * np.log10(error)}
        about = {"network": member.name, "kind": member.kind, "size": member.size, "seed": member.seed}
        tables.append(pd.DataFrame(about | values))
    table = pd.concat(tables)[COLUMNS]
    budgets = {kind: spent(path, **{f"codes.{kind}.epochs": count}) for kind, count in (own or {}).items()}
    results.write(path, budget=spent(path, images=1000, epochs=epochs), metrics=rows(table, budgets),
                  tables={"curves": table})  # fmt: skip
