"""How well a score tells known images from unknown ones: of two arrays, in one problem, and as a mean over problems.

    from overgen.measures.separation import separate
    separate(scores_of_known, scores_of_unknown)["auroc"]  # Estimate(value=0.93, interval=(0.91, 0.95))

A problem is a set of known classes and the test images of all classes, scored: **larger = more in-distribution**. What
the problems and the scores are, a stage says. Measures are fractions in a table of problems, a row a problem; the rows
of a cell give those of `PERCENT` in percent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from overgen.measures import metrics
from overgen.measures.intervals import Interval, stratified_mean, wilson
from overgen.measures.means import mean_row
from overgen.run import results

WITHOUT_THRESHOLD = ("auroc", "aupr", "fpr_at_95_tpr", "oscr")
AT_THRESHOLD = ("f_measure", "balanced_accuracy")
PERCENT = frozenset({"fpr_at_95_tpr", "thresholded_accuracy"})
Z = float(special.ndtri(0.975))  # of a two-sided 95 % interval


class Estimate(NamedTuple):
    """A number measured on some images, a fraction, and its 95 % interval over images; None where one side is one."""

    value: float
    interval: Interval | None


def separate(
    known: np.ndarray, unknown: np.ndarray, right: np.ndarray | None = None, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """How well a score tells known from unknown, each number with its interval over images.

    known: (N,) scores of known images, **larger = more in-distribution**; unknown: (M,) of unknown ones.
    right: (N,) bool, whether the class that a known image gets is right; without it there is no `oscr`.
    resamples, seed: of the bootstrap of `aupr`.
    Returns, by name:
        auroc: the chance that a known image scores above an unknown one, ties half;
        fpr95: with *known* as positive, the share of unknown images accepted where 95 % of the known ones are;
        fpr95_unknown_positive: the other convention, the share of known images rejected where 95 % of the unknown are.
            Libraries differ in which of the two they call FPR at 95 % TPR: 0.64 and 0.98 on the same scores;
        aupr, aupr_unknown_positive: average precision with either side as positive; chance is the side's share;
        oscr: as auroc, where only known images that are right count (Dhamija et al. 2018).
    Raises ValueError on another shape, an empty side or a NaN.
    """
    turned = -np.asarray(unknown, np.float64), -np.asarray(known, np.float64)
    numbers = {
        "auroc": area(known, unknown),
        "fpr95": fpr_at_tpr(known, unknown),
        "fpr95_unknown_positive": fpr_at_tpr(*turned),
        "aupr": average_precision(known, unknown, resamples=resamples, seed=seed),
        "aupr_unknown_positive": average_precision(*turned, resamples=resamples, seed=seed),
    }
    return numbers | ({} if right is None else {"oscr": area(known, unknown, right)})


def area(known: np.ndarray, unknown: np.ndarray, right: np.ndarray | None = None) -> Estimate:
    """`metrics.auroc`, or `metrics.oscr` where right is given, with its interval.

    The variance is that of DeLong, DeLong & Clarke-Pearson (1988), who write the area as a mean over known images and
    as one over unknown ones (with right, an image that is wrong counts 0 in both); the interval is taken on the logit
    scale, which keeps it in 0..1. Where no pair is out of order, or all are ties, that variance is 0, though little may
    have been seen: there the interval is Wilson's, of that share of as many trials as the smaller side has images.
    Arguments and errors as of `separate`.
    """
    value = metrics.auroc(known, unknown) if right is None else metrics.oscr(known, right, unknown)
    counts = np.asarray(known, np.float64), np.sort(np.asarray(unknown, np.float64))
    hits = np.ones(len(known), bool) if right is None else np.asarray(right)
    over_known = hits * _shares_below(counts[0], counts[1])
    over_unknown = len(known[hits]) / len(known) * (1 - _shares_below(counts[1], np.sort(counts[0][hits])))
    smaller = min(map(len, counts))
    if smaller < 2:
        return Estimate(value, None)
    variance = over_known.var(ddof=1) / len(over_known) + over_unknown.var(ddof=1) / len(over_unknown)
    if value in (0, 1) or not variance:
        return Estimate(value, _of_trials(value, smaller))
    half = Z * math.sqrt(variance) / (value * (1 - value))
    low, high = special.expit(special.logit(value) + np.array([-half, half]))
    return Estimate(value, (float(low), float(high)))


def _of_trials(share: float, n: int) -> Interval:
    """Wilson's interval of a share of n trials, which need not be a whole number of them."""
    return wilson(math.floor(share * n), n)[0], wilson(math.ceil(share * n), n)[1]


def _shares_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each score the share of the others, which are sorted, that lie below it; ties half, ½ of none."""
    if not len(others):
        return np.full(len(scores), 0.5)
    return (np.searchsorted(others, scores, "left") + np.searchsorted(others, scores, "right")) / (2 * len(others))


def fpr_at_tpr(known: np.ndarray, unknown: np.ndarray, tpr: float = 0.95) -> Estimate:
    """`metrics.fpr_at_tpr` with its interval: the share of unknown images accepted where `tpr` of the known ones are.

    Both sides vary: the unknown images that are accepted at a threshold (Wilson), and the threshold, whose interval
    is one of two known images, the order statistics of a quantile. The two are put together as Zou & Donner (2008) do.
    Arguments and errors as of `separate`.
    """
    value = metrics.fpr_at_tpr(known, unknown, tpr)
    ordered, others, m = np.sort(np.asarray(known, np.float64)), np.asarray(unknown, np.float64), len(known)
    if m < 2:
        return Estimate(value, None)
    half = Z * math.sqrt(m * tpr * (1 - tpr))
    places = [math.floor(m * (1 - tpr) - half), math.ceil(m * (1 - tpr) + half)]
    most, least = (float(np.mean(others >= ordered[min(max(place, 0), m - 1)])) for place in places)
    low, high = wilson(round(value * len(others)), len(others))
    low = value - math.hypot(value - low, value - min(least, value))
    high = value + math.hypot(high - value, max(most, value) - value)
    return Estimate(value, (max(low, 0.0), min(high, 1.0)))


def average_precision(known: np.ndarray, unknown: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """`metrics.aupr` with its interval: the percentile bootstrap over images, of each side so many as there are.

    Where every draw gives the same, it is Wilson's, as in `area`.
    resamples, seed: of the draws. Arguments and errors as of `separate`.
    """
    value = metrics.aupr(known, unknown)
    known, unknown = (np.asarray(side, np.float64) for side in (known, unknown))
    if min(len(known), len(unknown)) < 2:
        return Estimate(value, None)
    scores, place = np.unique(np.concatenate([known, unknown]), return_inverse=True)
    draws, values = np.random.default_rng(seed), np.zeros(resamples)
    for i in range(resamples):
        hits, wrong = (
            np.bincount(side[draws.integers(len(side), size=len(side))], minlength=len(scores))[::-1]
            for side in np.split(place, [len(known)])
        )
        accepted = np.cumsum(hits)
        values[i] = (hits * accepted / np.maximum(accepted + np.cumsum(wrong), 1)).sum() / len(known)
    low, high = np.quantile(values, [0.025, 0.975])
    if low == high:
        return Estimate(value, _of_trials(value, min(len(known), len(unknown))))
    return Estimate(value, (float(low), float(high)))


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
