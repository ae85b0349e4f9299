"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.explore_compression import summary

SIZES = {"ae": (2, 64, 256), "dae": (64,), "linear": (2, 64, 256), "ae_mse": (64,), "pca": (2, 64, 256)}
KINDS = {"test": 1.0, "other": 4.0, "silhouettes": 5.0, "shuffled": 8.0, "noise": 12.0}  # error in times of its own


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    sizes: Mapping[str, Sequence[int]] = SIZES,
    size: int = 64,
    kinds: Sequence[str] = tuple(KINDS),
    shown: Sequence[int] = (2, 64),
) -> None:
    """Deep codes with two units lose less than PCA, with many more; JPEG takes more bits than the code."""
    rows, rates = [], []
    for kind, seed in ((code, s) for code in sizes for s in range(1 if code == "pca" else 2)):
        for k in sizes[kind]:
            error = (
                0.05
                / np.sqrt(k)
                * (1 if kind in ("pca", "linear") else 0.01 * k + 0.7)
                * (1 + (0.002 if kind == "linear" else 0.02) * seed)
            )
            error *= 0.95 if kind == "ae_mse" else 1
            for on in kinds if k == size else ["test"]:
                squared = error * KINDS[on]
                rows.append({"kind": kind, "size": k, "seed": seed, "on": on, "squared_error": squared,
                             "spread": squared / 3, "relative_error": 900 * squared,
                             "cross_entropy": 0.08 + squared * (1.2 if kind == "ae_mse" else 1),
                             "psnr": -10 * np.log10(squared), "exact": 0, "images": 100})  # fmt: skip
            if kind in ("ae", "pca"):
                rates.append({"of": kind, "size": k, "seed": seed, "bits": 8.0 * k, "squared_error": 1.05 * error})
    for codec, bits in (("png", 1900.0), ("gzip", 1500.0), ("xz", 1300.0)):
        rates.append({"of": codec, "how": "together", "bits": bits, "squared_error": 0.0})
    for how, head in (("together", 300.0), ("alone", 3000.0)):
        for quality in (10, 50, 90):
            rates.append({"of": "jpeg", "how": how, "quality": quality, "bits": head + 10.0 * quality,
                          "squared_error": 0.05 / quality})  # fmt: skip
    alone = {codec: draw.normal(2000, 100, 20) for codec in ("png", "gzip", "xz")}
    errors, table = pd.DataFrame(rows), pd.DataFrame(rates)
    names = ["image", *(f"{kind} {k}" for k in shown for kind in ("ae", "pca"))]
    results.write(
        path,
        budget={f"train_codes.{path.parts[-3]}.images": 1000, f"train_codes.{path.parts[-3]}.epochs": 8,
                f"explore_compression.{path.parts[-3]}.images": 100},
        metrics=summary.rows(errors, table, alone, size=size, pixels=784, hidden=64),
        tables={"errors": errors, "rates": table},
        examples={"image": as_bytes(blobs(draw, len(names), 10)), "row": np.array(names),
                  "kind_image": as_bytes(blobs(draw, len(kinds), 2)), "kind": np.array(list(kinds)),
                  "kind_restored": as_bytes(blobs(draw, len(kinds), 2))},
    )  # fmt: skip
