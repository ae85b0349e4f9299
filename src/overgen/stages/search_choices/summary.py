"""What `search_choices` makes of the settings that it tried: a table, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.metrics import thresholded_accuracy
from overgen.measures.outputs import part, scaled_scores
from overgen.run import results


def settings(
    settings: Sequence[dict[str, Any]],
    trained: Sequence[dict[str, np.ndarray]],
    labels: np.ndarray,
    pairs: Sequence[tuple[float, float]],
    beta: float,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """A row for each setting, and its accuracies as rows of the cell.

    settings: what each changes; trained: arrays of each: `curve.*`, `output.*` of the held-out images, `noise.*`.
    labels: (N,) of the held-out images; pairs: (τ, α), besides which τ = 0 is judged; beta: β of Γ.
    """
    table, rows = [], []
    for i, (setting, arrays) in enumerate(zip(settings, trained, strict=True)):
        outputs, noise = ({k: v[None] for k, v in part(arrays, name).items()} for name in ("output", "noise"))
        row: dict[str, Any] = {"setting": text(setting), "final_loss": float(arrays["curve.loss"][-1])}
        for tau, alpha in [(0.0, 0.0), *pairs]:
            scores = scaled_scores(outputs, 0, alpha=alpha, beta=beta)
            hits = round(len(labels) * thresholded_accuracy(scores, labels, tau))
            name = f"accuracy@tau={tau:g},alpha={alpha:g}"
            row[name] = 100 * hits / len(labels)
            rows.append(results.rate_row("search", f"{name},setting={i}", [hits], len(labels), of="held-out images"))
        tau, alpha = pairs[0]
        best = scaled_scores(noise, 0, alpha=alpha, beta=beta).max(1)
        row["noise_median_score"] = float(np.exp(np.median(best)))
        row[f"noise_accepted@tau={tau:g},alpha={alpha:g}"] = 100 * float((best > np.log(tau)).mean())
        if "distance" in outputs:
            row["median_distance"] = float(np.median(outputs["distance"]))
        table.append(row)
    return pd.DataFrame(table), rows


def text(setting: dict[str, Any]) -> str:
    """A setting as "output_std: 0.1, l2: 5", or "base"."""
    return ", ".join(f"{name}: {value}" for name, value in setting.items()) or "base"
