"""How well scores tell known from unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from overgen.measures import metrics

MEASURES = ["auroc", "aupr", "fpr_at_95_tpr", "oscr", "f_measure", "balanced_accuracy"]
# What unknown images are besides those of other classes: noise; images of the known classes, the pixels of each in an
# order of its own; images of another data set; images that fooled the study's networks.
KINDS = ("uniform", "normal", "shuffled", "other_data", "fooling")


def threshold(scores: np.ndarray, keep: float) -> float:
    """The highest threshold that keeps at least a share `keep` of scores (N,), where "keep" is score ≥ threshold."""
    return float(np.sort(scores)[len(scores) - math.ceil(keep * len(scores) - 1e-9)])


def decisions(predicted: np.ndarray, accepted: np.ndarray, classes: int) -> np.ndarray:
    """Classes and acceptances as the log scores that `metrics` judges at τ = ½. Returns (N, classes)."""
    found = np.full((len(predicted), classes), -np.inf)
    found[np.arange(len(predicted)), predicted] = np.where(accepted, 0.0, -1.0)
    return found


def trial(
    scores: Mapping[str, np.ndarray], labels: np.ndarray, known: np.ndarray, keep: float, classes: int
) -> dict[str, float]:
    """One method on one member.

    scores: of `held_out`, `test`, and those of KINDS that there are, (N,) each, and `predicted` classes (N,) of the
    test images; labels: (N,); known: the known classes. What tells known from unknown is NaN where all classes are
    known, and of a kind of which there is no image.
    """
    mine, found = np.isin(labels, known), scores["test"]
    at = threshold(scores["held_out"], keep)
    result: dict[str, float] = dict.fromkeys(MEASURES, np.nan)
    if not mine.all():
        right = scores["predicted"][mine] == labels[mine]
        result["auroc"] = metrics.auroc(found[mine], found[~mine])
        result["aupr"] = metrics.aupr(found[mine], found[~mine])
        result["fpr_at_95_tpr"] = metrics.fpr_at_tpr(found[mine], found[~mine], 0.95)
        result["oscr"] = metrics.oscr(found[mine], right, found[~mine])
    answers = decisions(scores["predicted"], found >= at, classes)
    result["f_measure"] = metrics.f_measure(answers, labels, known.tolist(), 0.5)
    result["balanced_accuracy"] = metrics.balanced_accuracy(answers, labels, known.tolist(), 0.5)
    for kind in KINDS:
        result[f"auroc_{kind}"] = metrics.auroc(found[mine], scores[kind]) if kind in scores else np.nan
    return result | {"threshold": at, "known_accepted": float(np.mean(found[mine] >= at))}


def confusion(scores: Mapping[str, np.ndarray], labels: np.ndarray, known: np.ndarray, at: float) -> pd.DataFrame:
    """How often an image of a class (−1: unknown) gets which answer at a threshold: truth, answer, count."""
    answer = np.where((scores["test"] >= at) & np.isin(scores["predicted"], known), scores["predicted"], -1)
    truth = np.where(np.isin(labels, known), labels, -1)
    names = [*known.tolist(), -1]
    counts = [(t, a, int(np.sum((truth == t) & (answer == a)))) for t in names for a in names]
    return pd.DataFrame(counts, columns=["truth", "answer", "count"])
