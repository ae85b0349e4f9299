"""Measures of open-set recognition and fooling, on the scaled output of a network.

Scores are log ỹ (see `confidence.ScaledOutput`): larger = more confident = more in-distribution. Every
function returns a fraction in [0, 1]. Networks always have one output per class of the data set, known or
not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def thresholded_accuracy(log_scaled: np.ndarray, labels: np.ndarray, tau: float) -> float:
    """Share of images with the right label **and** a score above the threshold (Spigler 2019, Section 4.2).

    log_scaled: (N, C) log ỹ.
    labels: (N,) integers in 0..C-1.
    tau: threshold on ỹ, in [0, 1).
    Returns a fraction. Raises ValueError on a wrong shape, a NaN or a label outside the outputs.
    """
    log_scaled, labels = _check_outputs(log_scaled, labels)
    predicted, accepted = _decide(log_scaled, tau)
    return float(np.mean((predicted == labels) & accepted))


def openness(known: int, total: int = 10) -> float:
    """1 - sqrt(known / total): 0 when every class is known (Spigler 2019, Section 4.3).

    Raises ValueError unless 1 <= known <= total.
    """
    if not 1 <= known <= total:
        raise ValueError(f"known = {known} of {total} classes: must lie in 1..{total}")
    return 1 - math.sqrt(known / total)


def openness_scheirer(training: int, target: int, testing: int) -> float:
    """1 - sqrt(2·training / (target + testing)): the common definition (Scheirer et al. 2013, Eq. 1).

    training: number of classes trained on.
    target: number of classes to be recognised.
    testing: number of classes met in testing.
    With training = target = k of n it is smaller than `openness(k, n)`.
    Raises ValueError unless 1 <= training, target and target, training <= testing.
    """
    if not (1 <= training <= testing and 1 <= target <= testing):
        raise ValueError(
            f"training = {training}, target = {target}, testing = {testing} classes: "
            "training and target must lie in 1..testing"
        )
    return 1 - math.sqrt(min(1.0, 2 * training / (target + testing)))


def f_measure(log_scaled: np.ndarray, labels: np.ndarray, known: Sequence[int], tau: float) -> float:
    """Open-set F-measure: the mean of 2PR/(P+R) over the known classes and one unknown class (protocol §1.6).

    log_scaled: (N, C) log ỹ.
    labels: (N,) integers in 0..C-1, of known and unknown classes.
    known: numbers of the classes trained on.
    tau: threshold on ỹ, in [0, 1).
    An image is rejected (called unknown) when its largest score is not above tau, or belongs to no known class. F = 0
    where P + R = 0. The unknown class is left out when every class is known. The paper does not define its macro
    average; this one gives its 0.091 for a network that accepts everything at one known class of ten.
    Returns a fraction. Raises ValueError on a wrong shape, a NaN, a label outside the outputs, or classes in
    `known` that are repeated, missing or not outputs.
    """
    answer, truth, scored = _open_set_answers(log_scaled, labels, known, tau)
    # 2PR/(P+R) = 2·TP / (2·TP + FP + FN), which is 0/0 only for a class neither present nor predicted.
    scores = []
    for label in scored:
        hits = int(np.sum((answer == label) & (truth == label)))
        both = int(np.sum(answer == label) + np.sum(truth == label))
        scores.append(2 * hits / both if both else 0.0)
    return float(np.mean(scores))


def f_measure_interval(
    log_scaled: np.ndarray,
    labels: np.ndarray,
    known: Sequence[int],
    tau: float,
    *,
    resamples: int,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap of `f_measure` over the test images: what it would be on other images of these classes.

    log_scaled, labels, known, tau, and errors: as for `f_measure`.
    resamples: how many draws of N images.
    level: share of the draws between the ends, in (0, 1).
    seed: of the draws.
    Returns (low, high), fractions.
    """
    answer, truth, scored = _open_set_answers(log_scaled, labels, known, tau)
    outcomes = np.asarray(log_scaled).shape[1] + 1
    pairs = np.bincount(truth * outcomes + answer, minlength=outcomes**2)
    draws = np.random.default_rng(seed).multinomial(len(truth), pairs / len(truth), size=resamples)
    confusion = draws.reshape(resamples, outcomes, outcomes)  # truth, answer
    hits = np.diagonal(confusion, axis1=1, axis2=2)[:, scored]
    both = (confusion.sum(1) + confusion.sum(2))[:, scored]
    low, high = np.quantile((2 * hits / np.maximum(both, 1)).mean(1), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _open_set_answers(
    log_scaled: np.ndarray, labels: np.ndarray, known: Sequence[int], tau: float
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """(N,) answers and (N,) truths, in which C stands for all that is not known; and the classes that F averages."""
    log_scaled, labels = _check_outputs(log_scaled, labels)
    classes = log_scaled.shape[1]
    wrong = [label for label in known if not 0 <= label < classes]
    if not known or wrong or len(set(known)) < len(known):
        raise ValueError(f"known = {list(known)}: must be one or more different classes of 0..{classes - 1}")
    unknown = classes  # one label for all that is not known
    is_known = np.isin(np.arange(classes), known)
    predicted, accepted = _decide(log_scaled, tau)
    answer = np.where(accepted & is_known[predicted], predicted, unknown)
    truth = np.where(is_known[labels], labels, unknown)
    return answer, truth, list(known) if len(known) == classes else [*known, unknown]


def auroc(scores_known: np.ndarray, scores_unknown: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a known image scores above an unknown one; ties count half.

    scores_known: (N,) of known images, **larger = more in-distribution**; -inf is allowed, NaN is not.
    scores_unknown: (M,) of unknown images.
    Exact (Mann-Whitney). Returns a fraction. Raises ValueError on a wrong shape, an empty side or a NaN.
    """
    known, unknown = _check_scores(scores_known, "known"), _check_scores(scores_unknown, "unknown")
    return oscr(known, np.ones(len(known), dtype=bool), unknown)


def oscr(scores_known: np.ndarray, correct: np.ndarray, scores_unknown: np.ndarray) -> float:
    """Area under correct classification rate over false positive rate (Dhamija et al. 2018); ties count half.

    scores_known: (N,) of known images, **larger = more in-distribution**.
    correct: (N,) bool, whether the class that a known image gets is right.
    scores_unknown: (M,) of unknown images.
    With every class right it equals `auroc`.
    Returns a fraction. Raises ValueError on a wrong shape, an empty side or a NaN.
    """
    known, unknown = _check_scores(scores_known, "known"), np.sort(_check_scores(scores_unknown, "unknown"))
    correct = np.asarray(correct)
    if correct.shape != known.shape or correct.dtype != bool:
        raise ValueError(
            f"correct: shape {correct.shape}, {correct.dtype}: must be {known.shape} booleans, one per image"
        )
    hits = known[correct]
    # Unknown images below each correct one, and not above it: their mean counts ties half.
    below = np.searchsorted(unknown, hits, side="left")
    not_above = np.searchsorted(unknown, hits, side="right")
    return float(np.sum(below + not_above, dtype=np.int64) / (2 * len(known) * len(unknown)))


def roc(scores_known: np.ndarray, scores_unknown: np.ndarray, fpr: np.ndarray) -> np.ndarray:
    """The ROC curve at given false positive rates: the share of known images accepted where fpr of the unknown ones is.

    scores_known: (N,) of known images, **larger = more in-distribution**.
    scores_unknown: (M,) of unknown images.
    fpr: (K,) false positive rates, in [0, 1].
    Between the thresholds that there are it is linear, so ties count half in its area, as in `auroc`; where many true
    positive rates share a false positive rate, it is the highest of them.
    Returns (K,) fractions. Raises ValueError on a wrong shape, an empty side, a NaN or an fpr out of range.
    """
    known, unknown = np.sort(_check_scores(scores_known, "known")), np.sort(_check_scores(scores_unknown, "unknown"))
    fpr = np.asarray(fpr, dtype=np.float64)
    if not ((fpr >= 0) & (fpr <= 1)).all():
        raise ValueError(f"fpr: {fpr.min()} to {fpr.max()}, must lie in [0, 1]")
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]
    accepted = [(len(side) - np.searchsorted(side, thresholds, side="left")) / len(side) for side in (unknown, known)]
    false, true = (np.concatenate([[0], rates]) for rates in accepted)  # both rise from 0 to 1
    left = np.searchsorted(false, fpr, side="right") - 1  # the last point not right of it
    right = np.minimum(left + 1, len(false) - 1)
    width = false[right] - false[left]
    share = np.divide(fpr - false[left], width, out=np.zeros_like(fpr), where=width > 0)
    return true[left] + share * (true[right] - true[left])


def aupr(scores_known: np.ndarray, scores_unknown: np.ndarray) -> float:
    """Area under the precision-recall curve of telling known images from unknown: average precision, known positive.

    scores_known: (N,) of known images, **larger = more in-distribution**.
    scores_unknown: (M,) of unknown images.
    Σ (R_i − R_{i−1})·P_i over the distinct scores, without interpolation. Chance is the share of known images.
    Returns a fraction. Raises ValueError on a wrong shape, an empty side or a NaN.
    """
    known, unknown = np.sort(_check_scores(scores_known, "known")), np.sort(_check_scores(scores_unknown, "unknown"))
    thresholds, counts = np.unique(known, return_counts=True)
    accepted = len(known) - np.searchsorted(known, thresholds, side="left")
    wrong = len(unknown) - np.searchsorted(unknown, thresholds, side="left")
    return float(np.sum(counts / len(known) * accepted / (accepted + wrong)))


def fpr_at_tpr(scores_known: np.ndarray, scores_unknown: np.ndarray, tpr: float = 0.95) -> float:
    """Share of the unknown images that are accepted at the highest threshold that accepts `tpr` of the known ones.

    scores_known: (N,) of known images, **larger = more in-distribution**.
    scores_unknown: (M,) of unknown images.
    tpr: the share of known images that is accepted, in (0, 1].
    An image is accepted where its score is at least the threshold.
    Returns a fraction. Raises ValueError on a wrong shape, an empty side, a NaN or another tpr.
    """
    known, unknown = np.sort(_check_scores(scores_known, "known")), _check_scores(scores_unknown, "unknown")
    if not 0 < tpr <= 1:
        raise ValueError(f"tpr = {tpr}: must lie in (0, 1]")
    threshold = known[len(known) - math.ceil(tpr * len(known) - 1e-9)]
    return float(np.mean(unknown >= threshold))


def balanced_accuracy(log_scaled: np.ndarray, labels: np.ndarray, known: Sequence[int], tau: float) -> float:
    """Mean recall over the known classes and the unknown one, of which each counts the same; as `f_measure` decides.

    Classes without images are left out. Arguments and errors as for `f_measure`. Returns a fraction.
    """
    answer, truth, scored = _open_set_answers(log_scaled, labels, known, tau)
    return float(np.mean([np.mean(answer[truth == label] == label) for label in scored if (truth == label).any()]))


class Reliability(NamedTuple):
    """A reliability diagram: (B,) arrays, an entry a bin (low, high] of the score; NaN means where a bin is empty."""

    low: np.ndarray
    high: np.ndarray
    images: np.ndarray  # how many
    score: np.ndarray  # mean score of the images in the bin
    accuracy: np.ndarray  # share of them that is right


def reliability(scores: np.ndarray, correct: np.ndarray, bins: int = 15) -> Reliability:
    """How often a score is right, in `bins` equal bins of [0, 1] (Guo et al. 2017, Section 2).

    scores: (N,) of the predicted class, in [0, 1].
    correct: (N,) bool, whether that class is right.
    bins: how many.
    Raises ValueError on a wrong shape, an empty array, a NaN or a score outside [0, 1].
    """
    scores, correct = _check_scores(scores, "all"), np.asarray(correct)
    if correct.shape != scores.shape or correct.dtype != bool:
        raise ValueError(f"correct: shape {correct.shape}, {correct.dtype}: must be {scores.shape} booleans")
    if scores.min() < 0 or scores.max() > 1 + 1e-4:
        raise ValueError(f"scores: {scores.min()} to {scores.max()}, must lie in [0, 1]")
    scores = np.minimum(scores, 1)  # a product of many factors in float32 may round above 1
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(scores * bins).astype(int) - 1, 0, bins - 1)
    images = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 of an empty bin is NaN, as documented
        score = np.bincount(place, scores, bins) / images
        accuracy = np.bincount(place, correct, bins) / images
    return Reliability(edges[:-1], edges[1:], images, score, accuracy)


def calibration_error(diagram: Reliability) -> float:
    """Expected calibration error: the mean |accuracy − score| over bins, weighted by their images. A fraction."""
    filled = diagram.images > 0
    gaps = np.abs(diagram.accuracy - diagram.score)[filled]
    return float(np.average(gaps, weights=diagram.images[filled]))


def _decide(log_scaled: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """(N,) predicted class and (N,) whether its score is above tau."""
    if not 0 <= tau < 1:
        raise ValueError(f"tau = {tau}: a threshold on ỹ must lie in [0, 1)")
    log_tau = math.log(tau) if tau > 0 else -math.inf
    return log_scaled.argmax(axis=1), log_scaled.max(axis=1) > log_tau


def _check_outputs(log_scaled: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    log_scaled, labels = np.asarray(log_scaled, dtype=np.float64), np.asarray(labels)
    if log_scaled.ndim != 2 or 0 in log_scaled.shape:
        raise ValueError(f"log_scaled: shape {log_scaled.shape}, must be (N, C) with N, C >= 1")
    if labels.shape != (len(log_scaled),) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels: shape {labels.shape}, {labels.dtype}: must be ({len(log_scaled)},) integers")
    if np.isnan(log_scaled).any():
        row, column = np.argwhere(np.isnan(log_scaled))[0]
        raise ValueError(f"log_scaled: NaN at row {row}, class {column}")
    if labels.min() < 0 or labels.max() >= log_scaled.shape[1]:
        row = int(np.flatnonzero((labels < 0) | (labels >= log_scaled.shape[1]))[0])
        raise ValueError(f"labels: {labels[row]} at row {row}, but there are {log_scaled.shape[1]} outputs")
    return log_scaled, labels


def _check_scores(scores: np.ndarray, name: str) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(f"scores of {name} images: shape {scores.shape}, must be (N,) with N >= 1")
    if np.isnan(scores).any():
        raise ValueError(f"scores of {name} images: NaN at row {int(np.flatnonzero(np.isnan(scores))[0])}")
    return scores
