"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.explore_denoising import summary

WAYS = {"noisy": 14.0, "median": 17.0, "gaussian": 18.0, "nlm": 19.0, "pca": 20.0, "ae": 18.5, "dae": 22.0,
        "dae_sym": 23.0}  # dB at the noise of the training  # fmt: skip
LEVELS = {"gaussian": (0.0, 0.2, 0.5), "salt_and_pepper": (0.1, 0.2), "occlusion": (0.1,)}
STRENGTHS = {"median": [3.0], "gaussian": [0.7], "nlm": [5.0, 0.2], "pca": [32.0]}


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    ways: Sequence[str] = tuple(WAYS),
    levels: Mapping[str, Sequence[float]] = LEVELS,
    seeds: int = 2,
    images: int = 30,
) -> None:
    """Networks that were trained on noise are ahead of filters, but for the median on salt and pepper."""
    found = {}
    for noise, level in ((kind, level) for kind, of in levels.items() for level in of):
        arrays: dict[str, np.ndarray] = {}
        for way in ways:
            better = 8.0 if (noise, way) == ("salt_and_pepper", "median") else 0.0
            many = seeds if way in ("ae", "dae") else 1
            values = WAYS[way] + better - 12 * (level - 0.2) + draw.normal(0, 1, (many, images))
            arrays |= {f"psnr.{way}": values, f"ssim.{way}": values / 40}
            if way in STRENGTHS:
                arrays |= {f"strength.{way}": np.array(STRENGTHS[way]), f"held_out.{way}": np.array(WAYS[way] + better)}
        arrays |= {f"picture.{way}": as_bytes(blobs(draw, 6)) for way in ("image", *ways)}
        found[noise, level] = arrays
    epochs = pd.DataFrame(
        [{"seed": seed, "epoch": epoch, "psnr": 22 - 6 / epoch + 0.1 * seed}
         for seed in range(seeds) for epoch in range(1, 9)]
    )  # fmt: skip
    dataset = path.parts[-3]
    results.write(
        path,
        budget={f"train_codes.{dataset}.{k}": n for k, n in (("images", 1000), ("epochs", 8), ("test_images", images))}
        | spent(path, held_out=20),
        metrics=summary.rows(found, epochs, sigma=0.2, share=0.2),
        tables={"trials": summary.trials(found), "epochs": epochs},
        examples=summary.pictures({kind: found[kind, 0.2] for kind in ("gaussian", "salt_and_pepper")}),
    )
