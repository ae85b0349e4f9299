"""Known from unknown in one problem, and rows that are means over problems or seeds: by hand, and against scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from overgen.measures import means, separation


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
