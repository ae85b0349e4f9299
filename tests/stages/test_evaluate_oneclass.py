"""The stage evaluate_oneclass: scores, problems and ROC curves worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from overgen.stages.evaluate_oneclass import report as evaluate_oneclass_report
from overgen.stages.evaluate_oneclass import summary
from overgen.stages.evaluate_oneclass.points import point_rows


@pytest.fixture
def outputs() -> dict[str, np.ndarray]:
    """Two problems, classes 0 and 1 of two; four images."""
    y = np.log(np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]]))
    return {
        "labels": np.array([0, 0, 1, 1]),
        "classes": np.array([0, 1]),
        "names": np.array(["zero", "one"]),
        "log_y": np.stack([y, y[:, ::-1]]),
        "distance": np.array([[1.0, 6.0, 3.0, 5.0], [4.0, 3.0, 2.0, 1.0]]),
        "gamma": np.array([[-0.5, 0.0, -0.1, -0.2], [-0.5, -0.5, -0.5, 0.3]]),
    }


def test_scores_by_hand(outputs: dict[str, np.ndarray]) -> None:
    found = summary.scores(outputs, 1, [20.0, 3.0], 10.0)
    assert list(found) == ["", "@score=scaled", "@score=scaled@alpha=3", "@score=distance"]
    log_confidence = -20 / 784 * np.array([4.0, 3, 2, 1]) - np.array([0, 0, 0, 3])  # Γ = exp(−10·0.3)
    np.testing.assert_allclose(found[""], log_confidence)
    np.testing.assert_allclose(found["@score=scaled"], log_confidence + np.log([0.9, 0.8, 0.6, 0.3]))
    np.testing.assert_allclose(found["@score=distance"], [-4, -3, -2, -1])
    classifier = {k: v for k, v in outputs.items() if k not in ("distance", "gamma")}
    (only,) = summary.scores(classifier, 0, [0.0], 10.0).items()
    assert only[0] == ""
    np.testing.assert_allclose(np.exp(only[1]), [0.9, 0.8, 0.6, 0.3])
    score = outputs | {"score": np.array([[1.0, 2, 3, 4]] * 2)}
    assert summary.scores(score, 0, [0.0], 10.0)[""].tolist() == [1, 2, 3, 4]


def test_problems_and_means_by_hand(outputs: dict[str, np.ndarray]) -> None:
    swept = [summary.scores(outputs, i, [20.0], 10.0) for i in range(2)]
    table = summary.trials(outputs["labels"], outputs["classes"], outputs["names"], swept)
    distance = table[table["score"] == "@score=distance"].set_index("class")["auroc"]
    # class 0: of the pairs (1, 3), (1, 5), (6, 3), (6, 5) two have the image of the class nearer; class 1: all
    assert distance.to_dict() == {0: 0.5, 1: 1.0}
    confidence = table[table["score"] == ""].set_index("class")["auroc"]
    assert confidence.to_dict() == {0: 0.5, 1: 0.5}  # Γ puts the last image of class 1 below both others
    rows = {row["metric"]: row for row in summary.mean_rows(table)}
    mean = rows["auroc@score=distance"]
    assert (mean["reproduced"], mean["n"], mean["unit"]) == (0.75, 2, "fraction")
    assert (mean["low"], mean["high"]) == (0, 1)  # of two numbers, cut at the ends
    assert "the paper's problems are these too" in rows["auroc"]["note"]
    elsewhere, positive = summary.share_rows(outputs)
    assert (elsewhere["metric"], elsewhere["reproduced"]) == ("elsewhere_rate", 25)  # the last image of each problem
    assert (positive["metric"], positive["reproduced"]) == ("gamma_positive_rate", 12.5)
    assert summary.share_rows({"score": np.zeros((2, 4))}) == []


def test_the_area_of_the_averaged_curve_is_the_mean_of_the_areas(outputs: dict[str, np.ndarray]) -> None:
    """So that the paper's averaged ROC and a mean AUROC are one number."""
    swept = [summary.scores(outputs, i, [20.0], 10.0) for i in range(2)]
    fpr = np.linspace(0, 1, 2001)
    curve = summary.averaged_roc(outputs["labels"], outputs["classes"], swept, "@score=distance", fpr)
    assert np.trapezoid(curve["tpr"], fpr) == pytest.approx(0.75, abs=1e-3)
    # class 0: half of it is accepted at once, the rest after all others; class 1: all at once
    assert curve["tpr"].iloc[[0, 1000, 2000]].tolist() == [0.75, 0.75, 1.0]
    assert (curve["low"] <= curve["tpr"]).all()
    assert (curve["high"] >= curve["tpr"]).all()


def test_scores_have_names() -> None:
    def name(score: str = "", alpha: str = "", there: tuple[str, ...] = ()) -> str:
        study = SimpleNamespace(rows=lambda **of: pd.DataFrame({"metric": ["auroc", *there]}))
        row = {"model": "any", "score": score, "alpha": alpha}
        return evaluate_oneclass_report.score_name(study, row)

    assert name() == "decision function"
    assert name(there=("elsewhere_rate",)) == "y"
    assert name(there=("elsewhere_rate", "gamma_positive_rate")) == "c̃"
    assert name("scaled", "3") == "ỹ, α = 3"
    assert name("distance") == "−‖r(x) − x‖₂"
    assert name("knn_pixels") == "nearest neighbours on pixels"


def test_points_of_the_curve_are_those_of_the_papers_score_on_its_grid() -> None:
    columns = {"fpr": [0.0, 0.1 + 1e-12, 0.2, 0.1], "tpr": [0.1, 0.6, 0.8, 0.3]}
    ends = {"low": [0.0, 0.5, np.nan, 0.2], "high": [0.2, 0.7, np.nan, 0.4]}
    roc = pd.DataFrame({"score": ["", "", "", "@score=distance"]} | columns | ends)
    first, second = point_rows(roc, 7)
    assert (first["metric"], first["reproduced"], first["low"], first["high"]) == ("tpr@fpr=0.1", 0.6, 0.5, 0.7)
    assert (first["n"], first["unit"], first["experiment"]) == (7, "fraction", "one_class")
    assert (second["metric"], second["low"], second["interval"]) == ("tpr@fpr=0.2", None, "none")
