"""Known from unknown, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from overgen.measures import intervals, means, metrics, separation
from overgen.stages.evaluate_scores import summary


def test_one_problem_by_hand() -> None:
    """Known 5, ½, 3 against unknown 2, 0, 4: above these are 3, 1 and 2 of 3; the class of the second is wrong."""
    scores, is_known = np.array([5.0, 2, 0.5, 0, 3, 4]), np.array([True, False, True, False, True, False])
    is_right = np.array([True, True, False, True, True, True])
    measures = separation.without_threshold(scores, is_known, is_right)
    assert tuple(measures) == separation.WITHOUT_THRESHOLD
    assert measures["auroc"] == pytest.approx(6 / 9)
    assert measures["oscr"] == pytest.approx(5 / 9)
    assert measures["fpr_at_95_tpr"] == pytest.approx(2 / 3)
    assert measures["aupr"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert "oscr" not in separation.without_threshold(scores, is_known)
    nothing = separation.without_threshold(scores, np.ones(6, bool), is_right)
    assert np.isnan(list(nothing.values())).all()
    assert tuple(nothing) == separation.WITHOUT_THRESHOLD
    with pytest.raises(ValueError, match="scores of known images"):
        separation.without_threshold(scores, np.zeros(6, bool))


def test_means_over_problems_are_students() -> None:
    problems = pd.DataFrame({"auroc": [0.6, 0.7, 0.95, np.nan], "fpr_at_95_tpr": [0.1, 0.2, 0.4, 0.1], "oscr": np.nan})
    area, rate = separation.mean_rows("x", problems, ["auroc", "oscr", "fpr_at_95_tpr"], over="subsets", suffix="@k=2")
    values = problems["auroc"].to_numpy()[:3]  # a problem without the measure does not count, a measure without one
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))  # has no row
    assert (area["metric"], area["unit"], area["n"]) == ("auroc@k=2", "fraction", 3)
    assert (area["reproduced"], area["low"], area["high"]) == (pytest.approx(0.75), pytest.approx(low), 1)
    assert high > 1  # the interval is cut where the measure ends
    assert area["interval"] == "95 % t interval of the mean over subsets"
    assert (rate["metric"], rate["unit"], rate["n"]) == ("fpr_at_95_tpr@k=2", "percent", 4)
    assert rate["reproduced"] == pytest.approx(20)
    (again,) = separation.mean_rows("x", problems, ["fpr_at_95_tpr"], over="subsets", scale_mean=True)
    assert again == rate | {"metric": "fpr_at_95_tpr", "reproduced": pytest.approx(20)}
    (noted,) = separation.mean_rows("x", problems, ["auroc"], over="classes", tau=0.9, notes={"auroc": "why"})
    assert (noted["tau"], noted["note"]) == (0.9, "why")


def test_differences_of_paired_problems_reach_below_0() -> None:
    before = pd.DataFrame({"fpr_at_95_tpr": [0.9, 0.5]})
    after = pd.DataFrame({"fpr_at_95_tpr": [0.2, 0.4]})
    (gain,) = separation.mean_rows("x", after, ["fpr_at_95_tpr"], over="subsets", minus=before)
    assert (gain["reproduced"], gain["low"], gain["high"]) == (pytest.approx(-40), -100, 100)


def test_a_mean_of_strata_weighs_each_the_same() -> None:
    row = separation.stratified_row("x", "auroc", [np.array([0.2, 0.4]), np.array([0.9])], over="k", suffix="@m=a")
    assert (row["metric"], row["reproduced"], row["n"]) == ("auroc@m=a", pytest.approx(0.6), 3)
    assert row["low"] < 0.6 < row["high"]
    none = separation.stratified_row("x", "fpr_at_95_tpr", [np.array([0.2]), np.array([0.9])], over="k")
    assert (none["reproduced"], none["unit"], none["low"], none["interval"]) == (
        pytest.approx(55), "percent", None, "none",
    )  # fmt: skip


def test_rows_of_seeds_predict_one_more() -> None:
    several = means.seeds_row("x", "m", [1.0, 2.0, 4.0], unit="nats", n=7, bounds=(0, np.inf))
    low, high = stats.t.interval(0.95, 2, 7 / 3, np.std([1, 2, 4], ddof=1) * np.sqrt(4 / 3))
    assert low < 0
    assert (several["reproduced"], several["low"], several["high"]) == (pytest.approx(7 / 3), 0, pytest.approx(high))
    assert (several["n"], several["note"]) == (7, "")
    one = means.seeds_row("x", "m", [1.0], unit="nats", n=7)
    assert (one["low"], one["interval"], one["note"]) == (None, "none", "seed spread not measured")


def test_a_threshold_keeps_the_share_asked_for() -> None:
    scores = np.arange(100.0)[::-1]
    assert separation.threshold(scores, 0.95) == 5
    assert np.mean(scores >= separation.threshold(scores, 0.95)) == 0.95
    assert separation.threshold(np.arange(7.0), 0.95) == 0  # never fewer


def test_one_method_on_one_member_by_hand() -> None:
    """Known 0 and 2 of three classes; the threshold is the least held-out score but one of twenty: 1."""
    scores = {
        "held_out": np.arange(20.0),
        "test": np.array([5.0, 0.5, 3.0, 2.0, 0.0, 4.0]),
        "predicted": np.array([0, 0, 2, 0, 2, 1]),
        "uniform": np.array([4.0, -1.0]),
        "normal": np.array([9.0]),
    }
    labels, known = np.array([0, 0, 2, 1, 1, 1]), np.array([0, 2])
    found = summary.trial(scores, labels, known, 0.95, 3)
    assert found["threshold"] == 1
    assert found["known_accepted"] == pytest.approx(2 / 3)
    # known 5, ½, 3 against unknown 2, 0, 4: above them are 3, 1 and 2 of 3
    assert found["auroc"] == pytest.approx(6 / 9)
    assert found["oscr"] == pytest.approx(6 / 9)  # every known one gets its class
    assert found["fpr_at_95_tpr"] == pytest.approx(2 / 3)
    # answers: 0, unknown, 2, 0 (wrong), unknown, unknown (its class, 1, is not known)
    assert found["f_measure"] == pytest.approx((2 / 4 + 2 / 2 + 4 / 6) / 3)
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1 + 2 / 3) / 3)
    assert found["auroc_uniform"] == pytest.approx((2 + 1 + 1) / 6)
    assert found["auroc_normal"] == 0
    assert np.isnan(found["auroc_fooling"])  # there is none
    table = separation.confusion(scores["predicted"], scores["test"] >= 1, labels, known)
    table = table.set_index(["truth", "answer"])["count"]
    assert table[table > 0].to_dict() == {(0, 0): 1, (0, -1): 1, (2, 2): 1, (-1, 0): 1, (-1, -1): 2}
    everything = summary.trial(scores, np.array([0, 0, 2, 0, 2, 1]), np.arange(3), 0.95, 3)
    assert np.isnan(everything["auroc"])
    assert everything["f_measure"] > 0.5


def test_means_over_strata() -> None:
    """With one stratum it is the t interval of the mean; a shift between strata widens nothing."""
    values = np.array([0.3, 0.4, 0.45])
    value, (low, high) = intervals.stratified_mean([values], (0, 1))
    expected = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert (value, low, high) == pytest.approx((values.mean(), *expected))
    _, (near_low, near_high) = intervals.stratified_mean([values, values + 0.1], (0, 1))
    _, (far_low, far_high) = intervals.stratified_mean([values, values + 0.3], (0, 1))
    assert near_high - near_low == pytest.approx(far_high - far_low)
    assert near_high - near_low < high - low
    assert intervals.stratified_mean([values[:1], values[1:2]], (0, 1)) == (pytest.approx(0.35), None)
    _, (low, high) = intervals.stratified_mean([np.array([0.5, 0.5])], (0, 1))
    assert low == high == 0.5


def pairs(seed: int, known: int = 200, unknown: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Scores of which 10 % of the unknown lie above most known ones: not the shape that formulas like."""
    draws = np.random.default_rng(seed)
    far = draws.normal(-2, 1, unknown)
    return draws.normal(0, 1, known), np.where(draws.random(unknown) < 0.1, draws.normal(2, 0.5, unknown), far)


def test_two_arrays_against_scikit_learn_with_either_side_as_positive() -> None:
    known, unknown = pairs(0)
    known, unknown = known.round(1), unknown.round(1)  # with ties
    found = separation.separate(known, unknown, np.arange(len(known)) % 5 > 0)
    scores, truth = np.concatenate([known, unknown]), np.repeat([1, 0], [len(known), len(unknown)])
    assert found["auroc"].value == pytest.approx(roc_auc_score(truth, scores))
    assert found["aupr"].value == pytest.approx(average_precision_score(truth, scores))
    assert found["aupr_unknown_positive"].value == pytest.approx(average_precision_score(1 - truth, -scores))
    for name, positive, sign in (("fpr95", truth, 1), ("fpr95_unknown_positive", 1 - truth, -1)):
        false, true, _ = roc_curve(positive, sign * scores, drop_intermediate=False)
        assert found[name].value == pytest.approx(false[true >= 0.95].min())
    assert abs(found["fpr95"].value - found["fpr95_unknown_positive"].value) > 0.3  # one name, two numbers
    wins = (known[:, None] > unknown) + (known[:, None] == unknown) / 2
    assert found["oscr"].value == pytest.approx(np.mean(wins * (np.arange(len(known)) % 5 > 0)[:, None]))
    for name, (value, interval) in found.items():
        assert interval is not None, name
        assert 0 <= interval[0] < value < interval[1] <= 1, name


def test_intervals_are_as_wide_as_a_bootstrap_by_hand() -> None:
    known, unknown = pairs(1, 400, 300)
    right = np.arange(len(known)) % 7 > 0
    draws, drawn = np.random.default_rng(0), dict[str, list[float]]()
    for _ in range(400):
        i, j = draws.integers(len(known), size=len(known)), draws.integers(len(unknown), size=len(unknown))
        a, b = known[i], unknown[j]
        for name, value in (
            ("auroc", metrics.auroc(a, b)),
            ("oscr", metrics.oscr(a, right[i], b)),
            ("fpr95", metrics.fpr_at_tpr(a, b)),
            ("fpr95_unknown_positive", metrics.fpr_at_tpr(-b, -a)),
            ("aupr", metrics.aupr(a, b)),
        ):
            drawn.setdefault(name, []).append(value)
    found = separation.separate(known, unknown, right)
    for name, values in drawn.items():
        low, high = np.quantile(values, [0.025, 0.975])
        interval = found[name].interval
        assert interval is not None
        assert 0.75 < (interval[1] - interval[0]) / (high - low) < 1.4, name
        assert interval == pytest.approx((low, high), abs=0.3 * (high - low)), name


def test_intervals_hold_what_they_should() -> None:
    """The true numbers of the mixture lie in nearly all of the intervals of small samples, and not in all."""
    known, unknown = pairs(10**6, 4000, 200_000)
    true = {"auroc": metrics.auroc(known, unknown), "fpr95": float(np.mean(unknown >= stats.norm.ppf(0.05)))}
    held = dict.fromkeys(true, 0)
    for seed in range(400):
        small = pairs(seed, 120, 80)
        for name, (_, interval) in (("auroc", separation.area(*small)), ("fpr95", separation.fpr_at_tpr(*small))):
            assert interval is not None
            held[name] += interval[0] <= true[name] <= interval[1]
    assert all(365 <= hits < 400 for hits in held.values()), held


def test_ends_and_single_images() -> None:
    """Where nothing is out of order little may have been seen: ten images more or less say 0.72 to 1."""
    above, below = np.arange(10.0) + 100, np.arange(30.0)
    assert separation.area(above, below) == (1, (pytest.approx(intervals.wilson(10, 10)[0]), 1))
    assert separation.area(below, above) == (0, (0, pytest.approx(intervals.wilson(0, 10)[1])))
    value, interval = separation.area(np.ones(9), np.ones(9))  # all ties: a score that says nothing of these few
    assert value == 0.5
    assert interval == (pytest.approx(intervals.wilson(4, 9)[0]), pytest.approx(intervals.wilson(5, 9)[1]))
    assert separation.average_precision(above, below) == (1, (pytest.approx(intervals.wilson(10, 10)[0]), 1))
    assert separation.fpr_at_tpr(above, below) == (0, (0, pytest.approx(intervals.wilson(0, 30)[1])))
    assert separation.separate(above[:1], below[:1])["auroc"] == (1, None)
    assert separation.area(above, below, np.zeros(10, bool)) == (0, (0, pytest.approx(intervals.wilson(0, 10)[1])))
    for known, unknown, message in (
        (above, [np.nan], "unknown images: NaN at row 0"),
        (above[:0], below, "known images: shape"),
    ):
        with pytest.raises(ValueError, match=message):
            separation.separate(known, np.asarray(unknown))
