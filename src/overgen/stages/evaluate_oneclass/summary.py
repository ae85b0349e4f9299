"""What `evaluate_oneclass` makes of stored outputs: its tables, and the rows of its cell.

A problem is to tell the test images of the one class that was trained on from all others. The paper does not say which
score it sweeps. Taken for its number: c̃ of a network that reconstructs, since a softmax that has met one class only has
nothing to tell apart; y of one that does not (for COOL ỹ = y); the decision function of a one-class SVM.

The paper averages ROC curves over the problems. At each false positive rate the mean of the true ones is a curve whose
area is the mean of the areas: the mean AUROC is its number, however the figure was averaged so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.confidence import log_gate, log_reconstruction
from overgen.measures import metrics, separation
from overgen.measures.intervals import mean_interval
from overgen.measures.means import mean_row
from overgen.measures.outputs import pixels_of

MEASURES = separation.WITHOUT_THRESHOLD[:3]  # one class is known: there is no class to be right on
NOTE = "the paper's problems are these too: what makes a class easy or hard is in this interval, but not between papers"

Scores = Mapping[str, np.ndarray]  # (N,) of the test images by the suffix of a score's metrics


def scores(outputs: Mapping[str, np.ndarray], member: int, alphas: Sequence[float], beta: float) -> Scores:
    """The scores of a member's outputs; the first, without a suffix, is taken for the paper's.

    outputs: of `train_oneclass`, arrays (M, N, ...), labels (N,) and classes (M,).
    alphas: α of ỹ; c̃ is at the first, which the names of ỹ leave out. beta: β of Γ.
    Beside c̃: ỹ of the class that was trained, and −‖r(x) − x‖₂. **Larger = more in-distribution.**
    """
    if "score" in outputs:
        return {"": outputs["score"][member]}
    arrays = {k: outputs[k][member].astype(np.float64) for k in ("log_y", "distance", "gamma") if k in outputs}
    if "distance" not in arrays:
        return {"": arrays["log_y"][:, outputs["classes"][member]]}
    gate = log_gate(arrays["gamma"], beta=beta)
    pixels = pixels_of(outputs)
    confidence = [log_reconstruction(arrays["distance"], alpha=a, pixels=pixels) + gate for a in alphas]
    by_suffix = {"": confidence[0]}
    if "log_y" in arrays:
        log_y = arrays["log_y"][:, outputs["classes"][member]]
        suffixes = ["", *(f"@alpha={alpha:g}" for alpha in alphas[1:])]
        by_suffix |= {f"@score=scaled{s}": c + log_y for s, c in zip(suffixes, confidence, strict=True)}
    by_suffix["@score=distance"] = -arrays["distance"]
    return by_suffix


def trials(labels: np.ndarray, classes: Iterable[int], names: Iterable[str], scores: Sequence[Scores]) -> pd.DataFrame:
    """A row for each problem and score: class, name, score (its suffix), and `MEASURES` as fractions.

    labels: (N,) of the test images; classes, names, scores: one a problem.
    """
    return pd.DataFrame(
        [
            {"class": int(chosen), "name": str(name), "score": suffix}
            | separation.without_threshold(values, labels == chosen)
            for chosen, name, by_suffix in zip(classes, names, scores, strict=True)
            for suffix, values in by_suffix.items()
        ]
    )


def averaged_roc(
    labels: np.ndarray, classes: Iterable[int], scores: Sequence[Scores], suffix: str, fpr: np.ndarray
) -> pd.DataFrame:
    """The mean true positive rate over problems at each false positive rate, with its 95 % t interval at each.

    labels, classes, scores: as in `trials`; suffix: of the score; fpr: (K,) in [0, 1]. Returns K rows.
    """
    swept = [(labels == chosen, by_suffix[suffix]) for chosen, by_suffix in zip(classes, scores, strict=True)]
    heights = np.stack([metrics.roc(score[is_known], score[~is_known], fpr) for is_known, score in swept])  # (M, K)
    band = [mean_interval(at, bounds=(0, 1)) or (np.nan, np.nan) for at in heights.T]
    low, high = zip(*band, strict=True)
    return pd.DataFrame({"score": suffix, "fpr": fpr, "tpr": heights.mean(0), "low": low, "high": high})


def mean_rows(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over the problems of each score."""
    rows = []
    for suffix, problems in trials.groupby("score", sort=False):
        notes = {"auroc": NOTE} if suffix == "" else {}
        rows += separation.mean_rows(
            "one_class", problems, MEASURES, over="classes", suffix=str(suffix), scale_mean=True, notes=notes
        )
    return rows


def share_rows(outputs: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """How often scores could differ, over test images and problems, of what a network's outputs have.

    elsewhere_rate: the largest output is not of the class that was trained; else the largest ỹ is ỹ of the class.
    gamma_positive_rate: γ > 0; else c̃ ranks images as −‖r(x) − x‖₂ does, at every α.
    """
    shares = {}
    if "log_y" in outputs:
        shares["elsewhere_rate"] = outputs["log_y"].argmax(2) != outputs["classes"][:, None]
    if "gamma" in outputs:
        shares["gamma_positive_rate"] = outputs["gamma"] > 0
    return [
        mean_row("one_class", name, 100 * hits.mean(1), unit="percent", over="classes", bounds=(0, 100))
        for name, hits in shares.items()
    ]
