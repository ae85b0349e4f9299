"""What the evaluating stages make of stored outputs: worked by hand, since the tiny study only shows that they run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from overgen.measures.outputs import accuracy_rows
from overgen.measures.thresholds import Threshold, alpha_suffix, threshold_pairs
from overgen.run import results
from overgen.stages.attacking import Block
from overgen.stages.evaluate_confidence import report as evaluate_confidence_report
from overgen.stages.evaluate_openset import summary as evaluate_openset
from overgen.stages.fool_fgn import summary as fool_fgn_summary
from overgen.stages.fool_fgn import trials
from overgen.stages.fool_variants import run as fool_variants
from overgen.stages.train_openset.run import class_subsets

PAIRS = [(0.9, 20.0), (0.99, 3.0), (0.99, 2.0)]


def log(rows: list[list[float]]) -> np.ndarray:
    return np.log(np.array(rows, np.float32))


@pytest.fixture
def outputs() -> dict[str, np.ndarray]:
    """Two members, three classes, four images: the first knows classes 0 and 1, the second all."""
    y = log([[0.98, 0.01, 0.01], [0.02, 0.97, 0.01], [0.95, 0.03, 0.02], [0.01, 0.01, 0.98]])
    return {
        "labels": np.array([0, 1, 2, 2]),
        "known": np.array([[True, True, False], [True, True, True]]),
        "log_y": np.stack([y, y]),
        # ỹ = y·exp(−20/784·d): 0.98·0.950 > 0.9; 0.97·0.903 < 0.9; 0.95·0.975 > 0.9; 0.98·0.998 > 0.9
        "distance": np.array([[2.0, 4.0, 1.0, 0.1]] * 2, np.float32),
        "gamma": np.zeros((2, 4), np.float32) - 0.5,
    }


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


def test_thresholds_and_names() -> None:
    thresholds = [Threshold(tau=tau, alpha=alpha) for tau, alpha in PAIRS]
    assert threshold_pairs(thresholds, reconstructs=True) == PAIRS
    assert threshold_pairs(thresholds, reconstructs=False) == [(0.9, 0.0), (0.99, 0.0)]
    assert [alpha_suffix(PAIRS, pair) for pair in PAIRS] == ["", "", "@alpha=2"]


def test_rates_over_seeds() -> None:
    one = results.rate_row("x", "fooling_rate", [3], 10, of="trials")
    assert one["reproduced"] == 30
    assert "seed spread not measured" in one["interval"]
    none = results.rate_row("x", "fooling_rate", [0, 0], 200, of="trials")  # never narrower than 0 of 400
    assert (none["low"], none["n"]) == (0, 400)
    assert none["high"] == pytest.approx(100 * 0.00951, abs=0.01)
    apart = results.rate_row("x", "fooling_rate", [0, 200], 200, of="trials")
    assert (apart["reproduced"], apart["low"], apart["high"]) == (50, 0, 100)
    seeds = results.rate_row("x", "test_accuracy", [98, 99], 100, of="test images")
    assert "prediction interval" in seeds["interval"]
    assert seeds["low"] < 98 < 99 < seeds["high"] <= 100


def test_fooling_rates_and_steps_by_hand() -> None:
    pairs = [(0.9, 20.0), (0.99, 3.0)]
    y, scaled, fast = (trials.Attack(*each, {}) for each in (("y", None), ("scaled", 3.0), ("lr_1e-3", None)))
    each = [(0, 0), (1, 0), (2, 0), (3, 0)]
    blocks = [Block("a", 0, y, each), Block("b", 0, scaled, each[:2]), Block("c", 0, fast, each)]
    image = np.arange(8)[:, None].repeat(784, 1).reshape(4, 2, 784)  # a grey for each trial and pair
    passage = {"image": image, "log_y": np.zeros(4), "distance": np.ones(4), "gamma": np.ones(4)}
    passages = [
        passage | {"step": np.array([[5, 9], [7, -1], [-1, -1], [0, 3]])},
        {k: v[:2] for k, v in passage.items()} | {"step": np.array([[-1], [40]]), "image": image[:2, :1]},
        passage | {"step": np.array([[1, 2], [2, -1], [3, 4], [4, 6]])},
    ]
    table, images = trials.gather(blocks, passages, pairs)
    assert images.shape == (10, 2, 784)
    assert np.isnan(images[4:6, 0]).all()  # the attack on ỹ at α = 3 is not judged at the other
    assert images[4:6, 1, 0].tolist() == [0, 2]
    hits = trials.hits_of(table, pairs)
    assert hits.loc[hits["tau"] == 0.9, "trial"].tolist() == [0, 1, 3, 6, 7, 8, 9]
    late = hits[hits["tau"] == 0.99]
    assert late[["trial", "target", "alpha", "pair"]].to_numpy().tolist() == [
        [0, 0, 3, 1], [3, 3, 3, 1], [5, 1, 3, 1], [6, 0, 3, 1], [8, 2, 3, 1], [9, 3, 3, 1]
    ]  # fmt: skip
    assert images[late["trial"], late["pair"], 0].tolist() == [1, 7, 2, 1, 5, 7]
    table["score_in_8_bits@tau=0.9,alpha=20"] = [0.95, 0.9, np.nan, 0.8, *[np.nan] * 6]
    table["score_in_8_bits@tau=0.99,alpha=3"] = np.nan
    rows = {(r["experiment"], r["metric"], r["tau"]): r for r in fool_fgn_summary.fooling_rows(table, pairs)}
    assert rows["fgn", "fooling_rate", 0.9]["reproduced"] == 75
    assert rows["fgn", "mean_steps_to_fool", 0.9]["reproduced"] == 4
    assert rows["fgn", "fooling_rate_in_8_bits", 0.9]["reproduced"] == 25  # 0.9 is not above 0.9
    assert rows["fgn", "fooling_rate_in_8_bits", 0.99]["reproduced"] == 0
    classes = [rows["fgn", "classes_fooled", tau] for tau in (0.9, 0.99)]
    assert [(row["reproduced"], row["n"]) for row in classes] == [(3, 4), (2, 4)]
    over = rows["fgn", "fooling_rate_over_classes", 0.9]
    rates = [100, 100, 0, 100]
    low, high = stats.t.interval(0.95, 3, np.mean(rates), stats.sem(rates))
    assert (over["reproduced"], over["low"], over["high"], over["n"]) == (75, pytest.approx(max(low, 0)), 100, 4)
    assert high > 100
    alike = rows["fgn_lr_1e-3", "fooling_rate_over_classes", 0.9]
    assert (alike["reproduced"], alike["low"], alike["note"]) == (100, None, "the same in all classes")
    assert rows["fgn", "fooling_rate", 0.99]["reproduced"] == 50
    assert rows["fgn", "mean_steps_to_fool", 0.99]["reproduced"] == 6
    assert rows["fgn_on_scaled_output", "fooling_rate", 0.99]["reproduced"] == 50
    assert rows["fgn_on_scaled_output", "mean_steps_to_fool", 0.99]["reproduced"] == 40
    assert ("fgn_on_scaled_output", "fooling_rate", 0.9) not in rows
    assert rows["fgn_lr_1e-3", "fooling_rate", 0.9]["reproduced"] == 100
    assert rows["fgn_lr_1e-3", "mean_steps_to_fool", 0.99]["reproduced"] == 4
    shown = fool_fgn_summary.examples(table, images, pairs, 2, beta=10.0)
    assert shown["objective"].tolist() == ["y", "scaled"]  # not the variants


def test_accuracy_and_curvature_rows_by_hand(outputs: dict[str, np.ndarray]) -> None:
    stored = {k: v[:1] for k, v in outputs.items() if k not in ("labels", "known")}
    stored |= {"labels": outputs["labels"], "seeds": np.array([0])}
    rows = accuracy_rows(stored, PAIRS, beta=10.0)
    assert [(r["metric"], r["tau"], r["reproduced"]) for r in rows] == [
        ("thresholded_accuracy", 0.0, 75.0),
        ("thresholded_accuracy", 0.9, 50.0),
        ("thresholded_accuracy", 0.99, 0.0),
        ("thresholded_accuracy@alpha=2", 0.99, 0.0),
    ]
    stored["gamma"] = np.array([[-1.0, 0.0, 0.5, 0.1]])
    test, attacked = fool_fgn_summary.curvature_rows(
        stored, pd.DataFrame({"seed": 0, "final_gamma": [-1.0, 0.2, -3, -2]})
    )
    assert (test["reproduced"], attacked["reproduced"]) == (50, 25)


def test_class_subsets() -> None:
    assert class_subsets(10, 10, 5) == [list(range(10))]
    assert sorted(class_subsets(4, 1, 9)) == [[0], [1], [2], [3]]
    found = class_subsets(10, 3, 6)
    assert len({tuple(s) for s in found}) == 6
    assert all(s == sorted(set(s)) and len(s) == 3 for s in found)
    assert class_subsets(10, 3, 2) == found[:2]  # more subsets leave the first ones as they were


def test_the_report_says_how_clear_an_estimate_must_be() -> None:
    from overgen.confidence import CLEAR

    assert f"lies more than {CLEAR} of its" in Path(evaluate_confidence_report.__file__).read_text()


def test_rows_of_a_variant_stand_where_the_paper_reports_them() -> None:
    rows = [{"experiment": "fgn", "metric": "m"}, {"experiment": "fgn_on_scaled_output", "metric": "m"}]
    assert fool_variants.named(rows, "dae_sym_sigmoid_units", "dae_sym") == [
        {"experiment": "fgn_sigmoid_units", "metric": "m", "model": "dae_sym"},
        {"experiment": "fgn_on_scaled_output", "metric": "m"},
    ]
