"""Accuracy at thresholds on the scaled output, from stored outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overgen.measures import metrics
from overgen.measures.outputs import scaled_scores
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results


def accuracy_rows(
    outputs: Mapping[str, np.ndarray], pairs: Sequence[tuple[float, float]], beta: float
) -> list[dict[str, Any]]:
    """Thresholded accuracy on the test images: right label and ỹ > τ, at τ = 0 and at each pair.

    outputs: `image_outputs` stacked over seeds, (S, N, ...), with labels (N,) and seeds (S,).
    pairs: (τ, α); beta: β of Γ.
    The rows are of the experiment "fgn", since the paper reports them beside its fooling rates.
    """
    labels, seeds = outputs["labels"], range(len(outputs["seeds"]))
    n = len(labels)
    rows = []
    for tau, alpha in [(0.0, 0.0), *pairs]:
        scores = [scaled_scores(outputs, s, alpha=alpha, beta=beta) for s in seeds]
        hits = [round(n * metrics.thresholded_accuracy(score, labels, tau)) for score in scores]
        name = "thresholded_accuracy" + (alpha_suffix(pairs, (tau, alpha)) if tau else "")
        rows.append(results.rate_row("fgn", name, hits, n, of="test images", tau=tau))
    return rows
