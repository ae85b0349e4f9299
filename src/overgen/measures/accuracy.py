"""Accuracy at thresholds on the scaled output, from stored outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overgen.measures import metrics
from overgen.measures.outputs import scaled_scores
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results

NO_LABELS = "not testable: no labels"


def of_labelled(outputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The outputs of the images that have a label. outputs: as in `accuracy_rows`."""
    labelled = outputs["labels"] >= 0
    if labelled.all():
        return outputs
    own = {"labels": outputs["labels"][labelled], "seeds": outputs["seeds"]}
    return {name: array[:, labelled] for name, array in outputs.items() if name not in own} | own


def accuracy_rows(
    outputs: Mapping[str, np.ndarray], pairs: Sequence[tuple[float, float]], beta: float
) -> list[dict[str, Any]]:
    """Thresholded accuracy on the test images: right label and ỹ > τ, at τ = 0 and at each pair.

    outputs: `image_outputs` stacked over seeds, (S, N, ...), with labels (N,), −1 for none, and seeds (S,).
    pairs: (τ, α); beta: β of Γ.
    The rows are of the experiment "fgn", since the paper reports them beside its fooling rates. They are of the images
    that have a label, without a number if there are none.
    """
    outputs = of_labelled(outputs)
    labels, seeds = outputs["labels"], range(len(outputs["seeds"]))
    n = len(labels)
    rows = []
    for tau, alpha in [(0.0, 0.0), *pairs]:
        name = "thresholded_accuracy" + (alpha_suffix(pairs, (tau, alpha)) if tau else "")
        if not n:
            rows.append(results.row("fgn", name, None, unit="percent", n=0, tau=tau, note=NO_LABELS))
            continue
        scores = [scaled_scores(outputs, s, alpha=alpha, beta=beta) for s in seeds]
        hits = [round(n * metrics.thresholded_accuracy(score, labels, tau)) for score in scores]
        rows.append(results.rate_row("fgn", name, hits, n, of="test images", tau=tau))
    return rows
