"""The stage explore_linear."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from overgen.run.files import read_json
from overgen.stages.explore_linear import report, summary
from overgen.stages.explore_linear.classifier import Linear, across, logistic_regression
from overgen.stages.explore_linear.params import ExploreLinear
from report_study import changed, study_of

from processes import Run
from workspace import Study, set_params


def test_of_one_pixel_with_two_values_the_classifier_has_a_closed_form() -> None:
    """Without decay y at each value is the share of the second class there: w is the log of the odds' ratio."""
    x = np.repeat([0.0, 1.0], [50, 80])[:, None]
    second = np.concatenate([np.arange(50) < 10, np.arange(80) < 60])
    found = logistic_regression(x, second, 1e8)
    odds = np.array([10 / 40, 60 / 20])
    assert found.bias == pytest.approx(np.log(odds[0]), abs=2e-3)
    assert found.weight[0] == pytest.approx(np.log(odds[1] / odds[0]), abs=2e-3)


def test_the_decay_is_half_the_square_of_the_weights_over_c() -> None:
    """At the maximum the gradient of the likelihood is w / C, and 0 along the bias."""
    draw = np.random.default_rng(0)
    x, second = draw.random((200, 5)), draw.random(200) < 0.4
    found = logistic_regression(x, second, 0.5)
    y = 1 / (1 + np.exp(-(x @ found.weight + found.bias)))
    assert_allclose(x.T @ (second - y), found.weight / 0.5, atol=2e-2)
    assert float((second - y).sum()) == pytest.approx(0, abs=2e-2)


def test_scores_are_those_of_the_distance() -> None:
    found = Linear(np.array([3.0, 4.0]), -1.0)
    x = np.array([[0.0, 0.0], [1.0, 1.0], [0.2, 0.1]])
    assert_allclose(found.distance(x), [-0.2, 6 / 5, 0.0])
    assert_allclose(found.score(x), [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-6)), 0.5])


def test_the_direction_along_the_boundary_is_where_images_differ_most() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(0, [5.0, 2.0, 0.5], (400, 3))
    found = across(Linear(np.array([2.0, 0.0, 0.0]), 0.0), x)
    assert_allclose(np.abs(found), [0, 1, 0], atol=0.1)
    assert np.linalg.norm(found) == pytest.approx(1)


def test_a_third_class_that_is_one_of_the_two_is_refused() -> None:
    section = {"classes": [0, 6], "third": 6, "inverse_decays": [1.0], "noise_images": 1, "shown": 1}
    with pytest.raises(ValueError, match="third: 6 is one of the two classes"):
        ExploreLinear.model_validate(section)


def test_the_cell_counts_what_the_classifier_says(study: Study) -> None:
    cell = study.cell("explore_linear", "images")
    rows: dict[str, Any] = {}
    for row in read_json(cell / "metrics.json")["metrics"]:
        rows[f"{row['metric']} {row['tau']}"] = row
    table = pd.read_csv(cell / "images.csv", dtype={"kind": str})
    others = table[(table["group"] == "other") & (table["tau"] == 0.9)]
    assert len(others) == 8
    shares = 100 * others["sure"] / others["images"]
    assert rows["sure@other-class 0.9"]["reproduced"] == pytest.approx(shares.mean())
    assert rows["sure@other-class 0.9"]["n"] == 8
    uniform = table[(table["kind"] == "uniform") & (table["tau"] == 0.99)].iloc[0]
    assert rows["sure@uniform 0.99"]["reproduced"] == pytest.approx(100 * uniform["sure"] / uniform["images"])
    assert rows["accuracy None"]["reproduced"] > 90
    assert rows["sure@other-class@c=0.01 0.9"]["reproduced"] <= rows["sure@other-class 0.9"]["reproduced"]


def test_numbers_by_hand() -> None:
    """Classes 0 and 6 are told apart; 1 and 2 are the others, of which 2 has twice as many images."""
    scores = {"0": [0.9, 0.8, 0.7], "6": [0.95], "1": [0.95, 0.5], "2": [0.2, 0.95, 0.95, 0.95], "flat": [0.91, 0.5]}
    distances = {"0": [-2, -1, 0.5], "6": [3.0], "1": [-3, 0.1], "2": [1, 3, 3, -3], "flat": [-0.1, 0.1]}
    arrays = {f"{kind}.score": np.array(values) for kind, values in scores.items()}
    arrays |= {f"{kind}.distance": np.array(values) for kind, values in distances.items()}
    kinds = dict.fromkeys(scores, torch.zeros(0))
    rows = {row["metric"]: row for row in summary.classifier_rows(arrays, kinds, [0, 6], [0.9], c=None)}
    assert (rows["accuracy"]["reproduced"], rows["accuracy"]["n"]) == (75, 4)
    assert rows["sure@other-class"]["reproduced"] == (50 + 75) / 2  # each class counts alike
    assert (rows["sure@flat"]["reproduced"], rows["sure@flat"]["n"]) == (50, 2)
    named = SimpleNamespace(classes=[f"class {c}" for c in range(10)])
    table = summary.images_table(arrays, kinds, named, ["0", "6"], [0.9])  # type: ignore[arg-type]
    assert table[["group", "name", "images", "sure", "second"]].to_numpy().tolist() == [
        ["known", "class 0", 3, 0, 0], ["known", "class 6", 1, 1, 1], ["other", "class 1", 2, 1, 0],
        ["other", "class 2", 4, 3, 2], ["noise", "flat", 2, 1, 0],
    ]  # fmt: skip


def test_a_class_that_the_data_lack_is_named(workspace: Path, run_stage: Run) -> None:
    set_params(workspace / "params.yaml", {"explore_linear.digits.third": 12})
    done = run_stage(workspace, "explore_linear", model="images", check=False)
    assert done.returncode == 1
    assert "params.yaml, explore_linear.digits: class 12 of 10" in done.stderr


def test_the_claims_are_of_the_first_decay_and_the_smallest_tau(tmp_path: Path) -> None:
    study = study_of(tmp_path, explore_linear="images")
    of = {"experiment": "linear", "on": "other-class", "c": "", "tau": "0.9"}
    for low, high, wanted in ((55.0, 90.0, "holds"), (40.0, 60.0, "cannot tell"), (1.0, 9.0, "contradicted")):
        claim = report.sure_of_other_classes(changed(study, of, low=low, high=high))
        assert claim is not None
        assert claim.verdict == wanted
    most = {"experiment": "linear", "on": "phase", "c": "", "tau": "0.9"}
    little = changed(study, {"experiment": "linear"}, reproduced=0.0, low=0.0, high=1.0)
    noise = report.sure_of_noise(changed(little, most, reproduced=30.0, low=25.0, high=35.0))
    assert noise is not None
    assert (noise.row["on"], noise.row["c"], noise.verdict) == ("phase", "", "contradicted")
