"""What autoencoders that are trained otherwise than the plain one gain over it, class by class."""

from __future__ import annotations

from typing import Any

import pandas as pd

from overgen.measures.intervals import mean_interval
from overgen.run import results

PLAIN = "autoencoder_pixels"
OTHERWISE = (
    "denoising_pixels",
    "contractive_weak_pixels",
    "contractive_pixels",
    "contractive_strong_pixels",
    "energy_gan_pixels",
)
LEVEL = 1 - 0.05 / len(OTHERWISE)  # Bonferroni's: 95 % for all together


def gain_rows(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """The mean over classes of the difference of the AUROC to the plain autoencoder's, a row for each other that was
    tried; with Student's t interval, at the `LEVEL` that makes 95 % of all of them together.

    trials: of `evaluate_oneclass.summary.trials`. None without the plain autoencoder.
    """
    areas = trials.pivot(index="class", columns="score", values="auroc")
    plain = f"@score={PLAIN}"
    tried = [name for name in OTHERWISE if f"@score={name}" in areas]
    if plain not in areas:
        return []
    rows = []
    for name in tried:
        gains = (areas[f"@score={name}"] - areas[plain]).to_numpy()
        interval = mean_interval(gains, LEVEL, bounds=(-1, 1))
        kind = f"{100 * LEVEL:g} % t interval of the mean difference over classes"
        rows.append(
            results.row("one_class", f"auroc_gain@score={name}", float(gains.mean()), unit="fraction", n=len(gains),
                        interval=interval, kind=kind)
        )  # fmt: skip
    return rows
