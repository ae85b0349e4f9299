"""None"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, roc_auc_score, roc_curve

from overgen.measures import metrics
from overgen.measures.metrics import auroc, f_measure, openness, openness_scheirer, oscr, thresholded_accuracy


def outputs(*rows: list[float]) -> np.ndarray:
    """Log scores of hand-written probabilities."""
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows))


FOUR = outputs([0.95, 0.05, 0.0], [0.6, 0.3, 0.1], [0.02, 0.97, 0.01], [0.0, 0.005, 0.995])


LABELS = np.array([0, 0, 0, 2])


def test_thresholded_accuracy_by_hand() -> None:
    assert thresholded_accuracy(FOUR, LABELS, 0.0) == 3 / 4
    assert thresholded_accuracy(FOUR, LABELS, 0.9) == 2 / 4
    assert thresholded_accuracy(FOUR, LABELS, 0.99) == 1 / 4
    # The score must be above the threshold, not at it; class scores need not sum to one.
    assert thresholded_accuracy(outputs([0.5, 0.1]), np.array([0]), 0.5) == 0
    assert thresholded_accuracy(np.full((2, 3), -np.inf), np.array([0, 0]), 0.0) == 0


def test_openness() -> None:
    assert openness(10) == 0
    assert openness(1) == pytest.approx(1 - math.sqrt(0.1))
    assert openness(3, 12) == 0.5
    assert openness_scheirer(10, 10, 10) == 0
    assert openness_scheirer(2, 2, 14) == 0.5
    assert all(openness_scheirer(k, k, 10) < openness(k) for k in range(1, 10))
    with pytest.raises(ValueError, match="known = 11 of 10"):
        openness(11)
    with pytest.raises(ValueError, match="training = 0"):
        openness_scheirer(0, 1, 10)


def test_f_measure_of_a_network_that_accepts_everything() -> None:
    # One known class of ten, all called that class: P = 0.1, R = 1, F = 0.1818; unknown F = 0; mean 0.0909.
    labels = np.repeat(np.arange(10), 20)
    accepts_all = np.full((200, 10), math.log(1e-9))
    accepts_all[:, 4] = 0.0
    assert f_measure(accepts_all, labels, [4], 0.99) == pytest.approx(1 / 11)
    assert round(f_measure(accepts_all, labels, [4], 0.99), 4) == 0.0909
    # Rejecting everything: class F = 0; unknown P = 0.9, R = 1.
    assert f_measure(accepts_all - 5.0, labels, [4], 0.99) == pytest.approx((0 + 1.8 / 1.9) / 2)


def test_interval_of_the_f_measure_is_the_bootstrap_of_a_plain_loop() -> None:
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 4, 300)
    scores = draw.normal(0, 1, (300, 4)) + 2 * np.eye(4)[labels]
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    for known in ([0, 1, 2, 3], [0, 2]):
        low, high = metrics.f_measure_interval(scores, labels, known, 0.5, resamples=4000)
        plain = []
        for _ in range(1500):
            chosen = draw.integers(0, 300, 300)
            plain.append(f_measure(scores[chosen], labels[chosen], known, 0.5))
        assert (low, high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.01)
        assert low < f_measure(scores, labels, known, 0.5) < high
        assert 0.05 < high - low < 0.2


def test_f_measure_by_hand() -> None:
    # Classes 0 and 1 known, 2 and 3 unknown.
    rows = [
        (0, [0.95, 0.05, 0.0, 0.0]),  # right
        (0, [0.60, 0.40, 0.0, 0.0]),  # rejected: below tau
        (1, [0.95, 0.05, 0.0, 0.0]),  # accepted as class 0
        (1, [0.0, 0.99, 0.01, 0.0]),  # right
        (2, [0.0, 0.0, 0.99, 0.01]),  # predicted an unknown class: rejected, right
        (2, [0.0, 0.96, 0.04, 0.0]),  # accepted as class 1
        (3, [0.0, 0.0, 0.99, 0.01]),  # another unknown class than its own: rejected all the same
        (3, [0.3, 0.3, 0.3, 0.1]),  # rejected: below tau
    ]
    labels, scores = np.array([row[0] for row in rows]), outputs(*(row[1] for row in rows))
    # class 0: TP 1, FP 1, FN 1 -> 1/2; class 1: TP 1, FP 1, FN 1 -> 1/2; unknown: TP 3, FP 1, FN 1 -> 3/4
    assert f_measure(scores, labels, [0, 1], 0.9) == pytest.approx((1 / 2 + 1 / 2 + 3 / 4) / 3)
    assert f_measure(scores, labels, [1, 0], 0.9) == f_measure(scores, labels, [0, 1], 0.9)


def test_f_measure_leaves_the_unknown_class_out_when_all_are_known() -> None:
    perfect = outputs(*(np.eye(3) * 0.999).tolist())
    assert f_measure(perfect, np.arange(3), [0, 1, 2], 0.99) == 1
    # Rejecting one image costs its class only: there is no unknown class to score.
    perfect[2] -= 1.0
    assert f_measure(perfect, np.arange(3), [0, 1, 2], 0.99) == pytest.approx(2 / 3)


log_scores = hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(5)), elements=st.floats(-5, 0, width=32))


@given(log_scores, st.data())
def test_f_measure_is_sklearns(scores: np.ndarray, data: st.DataObject) -> None:
    labels = data.draw(hnp.arrays(np.int64, len(scores), elements=st.integers(0, 4)))
    known = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True))
    tau = data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    predicted, best = scores.argmax(axis=1), scores.max(axis=1)
    accepted = np.exp(best.astype(np.float64)) > tau
    if np.isclose(np.exp(best.astype(np.float64)), tau, rtol=1e-12).any():
        return
    answer = [p if a and p in known else 9 for p, a in zip(predicted, accepted, strict=True)]
    truth = [label if label in known else 9 for label in labels]
    names = known if len(known) == 5 else [*known, 9]
    oracle = f1_score(truth, answer, labels=names, average="macro", zero_division=0)
    assert f_measure(scores, labels, known, tau) == pytest.approx(oracle, abs=1e-12)


# Few values, so that ties are common.
ties = hnp.arrays(np.float64, st.integers(1, 30), elements=st.sampled_from([-np.inf, -2.0, -1.0, -0.5, 0.0]))


@given(ties, ties)
def test_auroc_is_sklearns_also_with_ties(known: np.ndarray, unknown: np.ndarray) -> None:
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    ranks = np.nan_to_num(np.r_[known, unknown], neginf=-1e9)
    assert auroc(known, unknown) == pytest.approx(roc_auc_score(truth, ranks), abs=1e-12)
    assert auroc(known, unknown) + auroc(unknown, known) == pytest.approx(1)


@given(ties, ties)
def test_aupr_is_sklearns_also_with_ties(known: np.ndarray, unknown: np.ndarray) -> None:
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    ranks = np.nan_to_num(np.r_[known, unknown], neginf=-1e9)
    assert metrics.aupr(known, unknown) == pytest.approx(average_precision_score(truth, ranks))


@given(ties, ties, st.sampled_from([0.5, 0.95, 1.0]))
def test_fpr_at_tpr_is_on_sklearns_curve(known: np.ndarray, unknown: np.ndarray, tpr: float) -> None:
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    ranks = np.nan_to_num(np.r_[known, unknown], neginf=-1e9)
    false, true, _ = roc_curve(truth, ranks, drop_intermediate=False)
    assert metrics.fpr_at_tpr(known, unknown, tpr) == pytest.approx(false[true >= tpr - 1e-9].min())


@given(ties, ties)
def test_the_roc_curve_is_sklearns_and_its_area_the_auroc(known: np.ndarray, unknown: np.ndarray) -> None:
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    ranks = np.nan_to_num(np.r_[known, unknown], neginf=-1e9)
    false, true, _ = roc_curve(truth, ranks, drop_intermediate=False)
    highest = np.array([true[false == at].max() for at in false])
    np.testing.assert_allclose(metrics.roc(known, unknown, false), highest, atol=1e-12)
    wide = np.diff(false) > 0
    halfway = ((false[1:] + false[:-1]) / 2)[wide]
    middle = metrics.roc(known, unknown, halfway)
    np.testing.assert_allclose(middle, ((true[1:] + true[:-1]) / 2)[wide], atol=1e-12)
    assert np.sum(np.diff(false)[wide] * middle) == pytest.approx(auroc(known, unknown), abs=1e-12)


def test_the_roc_curve_refuses_other_rates() -> None:
    with pytest.raises(ValueError, match=r"fpr: 0\.5 to 1\.5, must lie"):
        metrics.roc(np.ones(1), np.ones(1), np.array([0.5, 1.5]))


def test_fpr_at_tpr_by_hand() -> None:
    known, unknown = np.arange(20.0), np.array([0.5, 1.0, 7.0, -3.0])
    assert metrics.fpr_at_tpr(known, unknown) == 2 / 4  # 19 of 20 are accepted at 1.0
    assert metrics.fpr_at_tpr(known, unknown, 1.0) == 3 / 4
    with pytest.raises(ValueError, match="tpr = 0"):
        metrics.fpr_at_tpr(known, unknown, 0)


def test_balanced_accuracy_is_sklearns() -> None:
    draw = np.random.default_rng(5)
    labels = draw.integers(0, 4, 200)
    scores = draw.normal(0, 1, (200, 4)) + 2 * np.eye(4)[labels]
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    answer = np.where((np.exp(scores.max(1)) > 0.5) & np.isin(scores.argmax(1), [0, 2]), scores.argmax(1), 4)
    truth = np.where(np.isin(labels, [0, 2]), labels, 4)
    found = metrics.balanced_accuracy(scores, labels, [0, 2], 0.5)
    assert found == pytest.approx(balanced_accuracy_score(truth, answer))
    assert 0.4 < found < 0.95


@given(ties, ties, st.data())
def test_oscr_is_the_area_under_its_curve(known: np.ndarray, unknown: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(known)))
    thresholds = np.unique(np.r_[known, unknown])[::-1]
    rate = [0.0, *(float(np.mean(correct & (known >= t))) for t in thresholds)]
    false = [0.0, *(float(np.mean(unknown >= t)) for t in thresholds)]
    area = sum((b - a) * (p + q) / 2 for a, b, p, q in zip(false, false[1:], rate, rate[1:], strict=False))
    assert oscr(known, correct, unknown) == pytest.approx(area, abs=1e-12)
    assert oscr(known, np.ones(len(known), dtype=bool), unknown) == auroc(known, unknown)


@pytest.mark.parametrize(
    ("scores", "labels", "tau", "message"),
    [
        (FOUR[0], LABELS, 0.9, r"log_scaled: shape \(3,\)"),
        (FOUR[:0], LABELS[:0], 0.9, r"log_scaled: shape \(0, 3\)"),
        (FOUR, LABELS[:3], 0.9, r"labels: shape \(3,\)"),
        (FOUR, LABELS.astype(float), 0.9, "float64"),
        (FOUR, np.array([0, 1, 2, 3]), 0.9, "labels: 3 at row 3"),
        (FOUR, np.array([0, 1, -1, 2]), 0.9, "labels: -1 at row 2"),
        (np.where(np.arange(12).reshape(4, 3) == 7, np.nan, -1.0), LABELS, 0.9, "NaN at row 2, class 1"),
        (FOUR, LABELS, 1.0, "tau = 1"),
        (FOUR, LABELS, -0.1, "tau = -0.1"),
    ],
)
def test_bad_outputs_are_named(scores: np.ndarray, labels: np.ndarray, tau: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        thresholded_accuracy(scores, labels, tau)
    with pytest.raises(ValueError, match=message):
        f_measure(scores, labels, [0], tau)


@pytest.mark.parametrize("known", [[], [3], [-1], [0, 0]])
def test_bad_known_classes_are_named(known: list[int]) -> None:
    with pytest.raises(ValueError, match=r"must be one or more different classes of 0\.\.2"):
        f_measure(FOUR, LABELS, known, 0.9)


def test_bad_scores_are_named() -> None:
    good = np.array([0.1, 0.2])
    with pytest.raises(ValueError, match="scores of unknown images: NaN at row 1"):
        auroc(good, np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match=r"scores of known images: shape \(0,\)"):
        auroc(good[:0], good)
    with pytest.raises(ValueError, match=r"correct: shape \(2,\), int64"):
        oscr(good, np.array([1, 0]), good)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_calibration_error_is_its_definition(pairs: list[tuple[float, bool]], bins: int) -> None:
    scores, correct = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    assume(np.abs(scores * bins - np.round(scores * bins)).min() > 1e-4)  # on an edge, rounding decides
    found = metrics.reliability(scores, correct, bins)
    assert found.images.sum() == len(pairs)
    literal = 0.0
    for low, high in zip(found.low, found.high, strict=True):
        mine = (scores > low) & (scores <= high)
        if mine.any():
            literal += mine.mean() * abs(correct[mine].mean() - scores[mine].mean())
    assert metrics.calibration_error(found) == pytest.approx(literal, abs=1e-12)


def test_reliability_refuses_what_is_no_score() -> None:
    right = np.array([True])
    assert metrics.reliability(np.array([0.0]), right, 5).images.tolist() == [1, 0, 0, 0, 0]
    assert metrics.reliability(np.array([1.0]), right, 5).images.tolist() == [0, 0, 0, 0, 1]
    with pytest.raises(ValueError, match="must lie in"):
        metrics.reliability(np.array([1.5]), right)
    with pytest.raises(ValueError, match="booleans"):
        metrics.reliability(np.array([0.5]), np.array([1]))
    with pytest.raises(ValueError, match="NaN"):
        metrics.reliability(np.array([np.nan]), right)
