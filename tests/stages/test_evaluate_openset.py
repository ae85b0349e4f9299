"""The stage evaluate_openset: its numbers by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from overgen.stages.evaluate_openset import summary as evaluate_openset


def log(rows: list[list[float]]) -> np.ndarray:
    return np.log(np.array(rows, np.float32))


def test_open_set_of_one_member(outputs: dict[str, np.ndarray]) -> None:
    """Known are 0 and 1: image 0 is right, 1 rejected, 2 (unknown) taken for class 0, 3 like no known one."""
    found = evaluate_openset.trial(outputs, 0, (0.9, 20.0), 10.0)
    # class 0: TP 1, FP 1 → 2/3; class 1: TP 0 → 0; unknown: TP 1, FP 1 (image 1), FN 1 (image 2) → 1/2
    assert found["f_measure"] == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)
    assert found["thresholded_accuracy"] == 1 / 2  # of the two images of known classes
    # largest ỹ: known 0.931 and 0.876, unknown 0.926 and 0.978: of four pairs one has the known image above
    assert found["auroc"] == found["oscr"] == 1 / 4
    assert found["aupr"] == pytest.approx(1 / 2)  # precision 1/2 at the first known image, 2/4 at the second
    assert found["fpr_at_95_tpr"] == 1  # both unknown ones lie above the second known one
    assert found["balanced_accuracy"] == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert found["openness_scheirer"] == pytest.approx(1 - math.sqrt(4 / 5))
    assert found["openness"] == pytest.approx(1 - math.sqrt(2 / 3))
    assert (found["known"], found["classes"]) == (2, "0 1")
    gate = outputs | {"gamma": np.full((2, 4), 0.5, np.float32)}  # Γ = exp(−5) rejects everything
    assert evaluate_openset.trial(gate, 0, (0.9, 20.0), 10.0)["thresholded_accuracy"] == 0


def test_what_a_longer_training_adds_is_paired_by_subset() -> None:
    """Three images, three members; those that know two of the three classes were trained longer, in another order."""
    labels, known = np.arange(3), np.array([[True, True, False], [True, False, True], [True, True, True]])
    sure, unsure = log([[0.98, 0.01, 0.01], [0.01, 0.98, 0.01], [0.01, 0.01, 0.98]]), log([[0.4, 0.3, 0.3]] * 3)
    before = {"labels": labels, "known": known, "log_y": np.stack([unsure, sure, sure])}
    after = {"labels": labels, "known": known[[1, 0]], "log_y": np.stack([sure, sure]), "epochs": np.array(7)}
    pairs = [(0.9, 0.0)]
    table = evaluate_openset.paired(before, after, pairs, 10.0)
    assert table["classes"].tolist() == ["0 2", "0 1"]
    assert table["thresholded_accuracy"].tolist() == [1, 0]
    assert table["thresholded_accuracy_longer"].tolist() == [1, 1]
    rows = {row["metric"]: row for row in evaluate_openset.longer_rows(table, pairs, {"train_openset.mnist.epochs": 7})}
    assert rows["thresholded_accuracy_longer@known=2"]["reproduced"] == 100
    gain = rows["thresholded_accuracy_gain@known=2"]
    assert (gain["reproduced"], gain["n"], gain["unit"], gain["tau"]) == (50, 2, "percent", 0.9)
    assert (gain["low"], gain["high"]) == (-100, 100)  # 50 ± 12.7·50 would lie beyond what a difference can be
    assert {row["budget"]["train_openset.mnist.epochs"] for row in rows.values()} == {7}


def test_where_all_classes_are_known_the_interval_is_over_images(outputs: dict[str, np.ndarray]) -> None:
    table = pd.DataFrame([evaluate_openset.trial(outputs, m, (0.9, 20.0), 10.0) for m in range(2)])
    rows = {row["metric"]: row for row in evaluate_openset.mean_rows(table, [(0.9, 20.0)])}
    assert "f_measure@known=3" not in rows
    assert rows["f_measure@known=2"]["low"] is None  # one subset of several
    (only,) = evaluate_openset.one_subset_rows(outputs, [(0.9, 20.0)], 10.0, 200)
    assert only["metric"] == "f_measure@known=3"
    # class 0: TP 1, FP 1 → 2/3; class 1: 0; class 2: TP 1, FN 1 → 2/3; no unknown class
    assert only["reproduced"] == pytest.approx(4 / 9)
    assert only["low"] < 4 / 9 < only["high"]
    assert "one subset of all classes" in only["interval"]


def test_distances_of_known_and_unknown_images(outputs: dict[str, np.ndarray]) -> None:
    found = evaluate_openset.distances(outputs)
    counts = found.groupby(["known", "kind"])["count"].sum().to_dict()
    assert counts == {(2, "known classes"): 2, (2, "unknown classes"): 2, (3, "known classes"): 4}
    two = found[(found["known"] == 2) & (found["count"] > 0)]
    assert two.loc[two["kind"] == "unknown classes", "high"].max() < 1.2  # 0.1 and 1.0
    assert two.loc[two["kind"] == "known classes", "low"].min() > 1.8  # 2.0 and 4.0


def test_means_over_numbers_of_known_classes_and_deviations_over_subsets() -> None:
    """Of k = 1, 2 and all 4 known classes: the last leaves none unknown and is in no mean."""
    columns = dict.fromkeys(evaluate_openset.OVER_KNOWN, [0.5] * 5)
    trials = pd.DataFrame(
        {"known": [1, 1, 2, 2, 4], "openness": [0.5, 0.5, 0.3, 0.3, 0.0], "tau": 0.9, "alpha": 0.0} | columns
    )
    trials["auroc"], trials["f_measure"] = [0.5, 0.5, 0.8, 0.9, np.nan], [0.1, 0.3, 0.6, 0.8, 0.9]
    rows = {row["metric"]: row for row in evaluate_openset.over_known_rows(trials, [(0.9, 0.0)])}
    assert rows["auroc@from_known=1"]["reproduced"] == pytest.approx((0.5 + 0.85) / 2)
    assert (rows["auroc@from_known=2"]["reproduced"], rows["auroc@from_known=2"]["n"]) == (pytest.approx(0.85), 2)
    assert rows["f_measure@from_known=1"]["reproduced"] == pytest.approx((0.2 + 0.7) / 2)
    assert {(row["experiment"], row["tau"]) for row in rows.values()} == {("open_set_mean", 0.9)}
    assert len(rows) == 2 * len(evaluate_openset.OVER_KNOWN)
    deviations = evaluate_openset.deviation_rows(trials, [(0.9, 0.0)])
    assert [row["metric"] for row in deviations] == ["f_measure_deviation@known=1", "f_measure_deviation@known=2"]
    assert deviations[0]["reproduced"] == pytest.approx(0.1 * math.sqrt(2))
    assert deviations[0]["low"] < deviations[0]["reproduced"] < deviations[0]["high"]
    (alone,) = evaluate_openset.deviation_rows(trials[:1], [(0.9, 0.0)])
    assert (alone["reproduced"], alone["low"]) == (None, None)
