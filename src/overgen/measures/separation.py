"""How well a score tells known images from unknown ones: in one problem, and as a mean over problems.

A problem is a set of known classes and the test images of all classes, scored: **larger = more in-distribution**. What
the problems and the scores are, a stage says. Measures are fractions in a table of problems, a row a problem; the rows
of a cell give those of `PERCENT` in percent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import metrics
from overgen.measures.intervals import stratified_mean
from overgen.measures.means import mean_row
from overgen.run import results

WITHOUT_THRESHOLD = ("auroc", "aupr", "fpr_at_95_tpr", "oscr")
AT_THRESHOLD = ("f_measure", "balanced_accuracy")
PERCENT = frozenset({"fpr_at_95_tpr", "thresholded_accuracy"})


def without_threshold(scores: np.ndarray, is_known: np.ndarray, is_right: np.ndarray | None = None) -> dict[str, float]:
    """The measures of one problem that need no threshold.

    scores: (N,) of the test images; is_known: (N,) bool, whether an image's class is known.
    is_right: (N,) bool, whether the answer is the image's class; without it there is no `oscr`.
    Returns fractions by the names of `WITHOUT_THRESHOLD`; all are NaN where every image is known.
    Raises ValueError if no image is known, or a score is NaN.
    """
    names = WITHOUT_THRESHOLD if is_right is not None else WITHOUT_THRESHOLD[:-1]
    if is_known.all():
        return dict.fromkeys(names, np.nan)
    known, unknown = scores[is_known], scores[~is_known]
    measures = {
        "auroc": metrics.auroc(known, unknown),
        "aupr": metrics.aupr(known, unknown),
        "fpr_at_95_tpr": metrics.fpr_at_tpr(known, unknown, 0.95),
    }
    if is_right is not None:
        measures["oscr"] = metrics.oscr(known, is_right[is_known], unknown)
    return measures


def at_threshold(log_scaled: np.ndarray, labels: np.ndarray, known: np.ndarray, tau: float) -> dict[str, float]:
    """The measures of one problem at a threshold.

    log_scaled: (N, C) log ỹ, or `decisions`; labels: (N,) integers; known: numbers of the known classes.
    tau: threshold on ỹ, in [0, 1); ½ for `decisions`.
    Returns fractions by the names of `AT_THRESHOLD`. Raises ValueError as `metrics.f_measure` does.
    """
    return {
        "f_measure": metrics.f_measure(log_scaled, labels, known.tolist(), tau),
        "balanced_accuracy": metrics.balanced_accuracy(log_scaled, labels, known.tolist(), tau),
    }


def threshold(scores: np.ndarray, keep: float) -> float:
    """The highest threshold that keeps a share of scores, where a score is kept at the threshold and above.

    scores: (N,); keep: the least share that is kept, in (0, 1).
    """
    return float(np.sort(scores)[len(scores) - math.ceil(keep * len(scores) - 1e-9)])


def decisions(predicted: np.ndarray, accepted: np.ndarray, classes: int) -> np.ndarray:
    """Answers as the log scores that `at_threshold` judges at τ = ½.

    predicted: (N,) class numbers; accepted: (N,) bool; classes: C.
    Returns (N, C): of the predicted class 0 if accepted, else −1; −∞ of the others.
    """
    scores = np.full((len(predicted), classes), -np.inf)
    scores[np.arange(len(predicted)), predicted] = np.where(accepted, 0.0, -1.0)
    return scores


def confusion(predicted: np.ndarray, accepted: np.ndarray, labels: np.ndarray, known: np.ndarray) -> pd.DataFrame:
    """How often an image of a class gets which answer; −1 stands for all that is not known.

    predicted: (N,) class numbers; accepted: (N,) bool; labels: (N,) integers; known: numbers of the known classes.
    Returns a row for each pair of `truth` and `answer`, with its `count`.
    """
    answer = np.where(accepted & np.isin(predicted, known), predicted, -1)
    truth = np.where(np.isin(labels, known), labels, -1)
    names = [*known.tolist(), -1]
    counts = [(t, a, int(np.sum((truth == t) & (answer == a)))) for t in names for a in names]
    return pd.DataFrame(counts, columns=["truth", "answer", "count"])


def mean_rows(
    experiment: str,
    problems: pd.DataFrame,
    measures: Iterable[str],
    *,
    over: str,
    suffix: str = "",
    tau: float | None = None,
    minus: pd.DataFrame | None = None,
    scale_mean: bool = False,
    notes: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """A row for each measure: its mean over problems, with Student's t interval.

    experiment: name of the rows.
    problems: a row a problem, a column of fractions for each measure; NaN where a problem has none. A measure that no
        problem has gets no row.
    over: what the problems are, in the plural; suffix: what follows the measure in a row's metric.
    tau: as in `mean_row`.
    minus: the same problems, whose measures are taken away: the rows are of differences.
    scale_mean: scale the mean to percent rather than the values: the last digit may differ, and cells hold it.
    notes: by measure.
    """
    rows = []
    for measure in measures:
        measured = problems[measure].notna()
        fractions = problems.loc[measured, measure].to_numpy()
        if not len(fractions):
            continue
        scale, unit = (100, "percent") if measure in PERCENT else (1, "fraction")
        values = scale * fractions
        if minus is not None:
            values = values - scale * minus.loc[measured, measure].to_numpy()
        rows.append(
            mean_row(
                experiment,
                measure + suffix,
                values,
                unit=unit,
                over=over,
                bounds=(0 if minus is None else -scale, scale),
                mean=float(scale * fractions.mean()) if scale_mean else None,
                tau=tau,
                note=(notes or {}).get(measure, ""),
            )
        )
    return rows


def stratified_row(
    experiment: str, measure: str, strata: Sequence[np.ndarray], *, over: str, suffix: str = ""
) -> dict[str, Any]:
    """The mean of the strata's means, with its t interval (see `stratified_mean`).

    experiment, over, suffix: as in `mean_rows`.
    strata: fractions of the problems of each stratum, one array each; without NaN.
    """
    scale, unit = (100, "percent") if measure in PERCENT else (1, "fraction")
    value, interval = stratified_mean([scale * fractions for fractions in strata], (0, scale))
    return results.row(
        experiment,
        measure + suffix,
        value,
        unit=unit,
        n=sum(len(fractions) for fractions in strata),
        interval=interval,
        kind=f"95 % t interval of the mean over {over}",
    )
