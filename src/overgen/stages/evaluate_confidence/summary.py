"""What `evaluate_confidence` makes of outputs: its tables, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.confidence import acceptance_radius
from overgen.measures import metrics
from overgen.measures.accuracy import NO_LABELS, accuracy_rows, of_labelled
from overgen.measures.histograms import histograms
from overgen.measures.outputs import pixels_of, scaled_scores
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results

Outputs = dict[str, np.ndarray]  # `image_outputs` stacked over seeds, (S, N, ...); of test images also labels and seeds


def cell(
    outputs: Outputs, noise: Mapping[str, Outputs], pairs: Sequence[tuple[float, float]], beta: float, bins: int
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame]]:
    """The rows and the tables of the cell.

    outputs: of the test images; noise: of each kind of noise; pairs: (τ, α); beta: β of Γ.
    bins: of the reliability diagrams; histograms of distances have four times as many.
    """
    reconstructs = "distance" in outputs
    rows, diagrams = accuracy_rows(outputs, pairs, beta), []
    for alpha in [None, *dict.fromkeys(alpha for _, alpha in pairs if reconstructs)]:
        errors, diagram = calibration(outputs, alpha, beta, bins)
        name = "calibration_error" if alpha is None else f"scaled_calibration_error@alpha={alpha:g}"
        n = len(errors) * int((outputs["labels"] >= 0).sum())
        error, note = (float(np.mean(errors)), "") if n else (None, NO_LABELS)
        rows.append(results.row("confidence", name, error, unit="fraction", n=n, note=note))
        diagrams.append(diagram)
    for kind, values in noise.items():
        rows += noise_rows(kind, values, pairs, beta)
    tables = {"reliability": pd.concat(diagrams, ignore_index=True)}
    if reconstructs:
        distances = {"test images": outputs["distance"]}
        distances |= {f"{kind} noise": values["distance"] for kind, values in noise.items()}
        tables["distances"] = histograms(distances, 4 * bins)
        radii = [(tau, alpha, acceptance_radius(tau, alpha=alpha, pixels=pixels_of(outputs))) for tau, alpha in pairs]
        tables["radii"] = pd.DataFrame(radii, columns=["tau", "alpha", "distance"])
    return rows, tables


def noise_rows(kind: str, outputs: Outputs, pairs: Sequence[tuple[float, float]], beta: float) -> list[dict[str, Any]]:
    """How much noise of a kind is accepted at each (τ, α), and how often γ > 0 on it.

    outputs: of noise images (S, N, ...).
    """
    rows = []
    members, count = outputs["log_y"].shape[:2]
    for tau, alpha in pairs:
        scores = [scaled_scores(outputs, member, alpha=alpha, beta=beta).max(1) for member in range(members)]
        hits = [int((score > np.log(tau)).sum()) for score in scores]
        name = f"noise_accepted@{kind}-noise{alpha_suffix(pairs, (tau, alpha))}"
        rows.append(results.rate_row("confidence", name, hits, count, of="noise images", tau=tau))
    if "gamma" in outputs:
        hits = [int((gamma > 0).sum()) for gamma in outputs["gamma"]]
        rows.append(results.rate_row("curvature", f"gamma_positive_rate@{kind}-noise", hits, count, of="noise images"))
    return rows


def calibration(outputs: Outputs, alpha: float | None, beta: float, bins: int) -> tuple[list[float], pd.DataFrame]:
    """The expected calibration error of each seed, a fraction, and the reliability diagrams.

    Both are of the images that have a label; if there are none the error is NaN, and in the diagrams the accuracy.
    outputs: of the test images; alpha: α of ỹ, or None for y; beta: β of Γ; bins: of a diagram.
    """
    errors, diagrams = [], []
    labelled = of_labelled(outputs)
    unknown = not len(labelled["labels"])
    outputs = dict(outputs if unknown else labelled)
    for member, seed in enumerate(outputs["seeds"].tolist()):
        if alpha is None:
            scores = outputs["log_y"][member].astype(np.float64)
        else:
            scores = scaled_scores(outputs, member, alpha=alpha, beta=beta)
        diagram = metrics.reliability(np.exp(scores.max(1)), scores.argmax(1) == outputs["labels"], bins)
        if unknown:
            diagram = diagram._replace(accuracy=np.full(bins, np.nan))
        errors.append(metrics.calibration_error(diagram))
        diagrams.append(pd.DataFrame({"seed": seed, "alpha": alpha} | diagram._asdict()))
    return errors, pd.concat(diagrams, ignore_index=True)
