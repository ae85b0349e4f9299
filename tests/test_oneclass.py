"""One class at a time: the SVM against scikit-learn's, what is trained on, and ROC curves worked by hand."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM as Oracle

from overgen import OvergenError, data
from overgen.models import registry
from overgen.run.files import read_npz, write_npz
from overgen.run.results import Cell
from overgen.run.stage import execute
from overgen.scores import one_class_svm
from overgen.scores.one_class_svm import OneClassSVM
from overgen.stages.evaluate_oneclass import report as evaluate_oneclass_report
from overgen.stages.evaluate_oneclass import summary
from overgen.stages.train_oneclass import run as train_oneclass

from conftest import Run, set_params

DRAW = np.random.default_rng(0)
POINTS, OTHERS = DRAW.random((120, 6)), 1.5 * DRAW.random((90, 6)) - 0.2


@pytest.fixture(scope="module")
def machine() -> OneClassSVM:
    return OneClassSVM(nu=0.2, gamma=0.7).fit(POINTS)


def test_the_svm_is_sklearns(machine: OneClassSVM) -> None:
    oracle = Oracle(nu=0.2, gamma=0.7).fit(POINTS)
    for x in (POINTS, OTHERS, OTHERS.astype(np.float32)):
        np.testing.assert_allclose(machine.score(x), oracle.decision_function(x), rtol=0, atol=1e-10)
    assert machine.score(OTHERS).dtype == np.float64
    # ν: a bound on what is rejected, and on the number of support vectors from below
    assert (machine.score(POINTS) < -1e-3).mean() <= 0.2 <= len(machine.coefficients) / len(POINTS)
    assert machine.score(POINTS).mean() > machine.score(OTHERS).mean()


def test_a_point_scores_the_same_alone_and_in_any_batch(machine: OneClassSVM, monkeypatch: pytest.MonkeyPatch) -> None:
    together = machine.score(OTHERS)
    alone = np.concatenate([machine.score(x[None]) for x in OTHERS])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-10)
    monkeypatch.setattr(one_class_svm, "CHUNK", 7)  # 90 points: 12 chunks and a rest
    np.testing.assert_allclose(machine.score(OTHERS), together, rtol=0, atol=1e-10)


def test_the_state_is_all_that_scoring_needs(machine: OneClassSVM, tmp_path: Path) -> None:
    write_npz(tmp_path / "state.npz", **machine.state())
    again = OneClassSVM.from_state(read_npz(tmp_path / "state.npz"))
    assert np.array_equal(again.score(OTHERS), machine.score(OTHERS))
    assert (again.nu, again.gamma) == (0.2, 0.7)


def test_the_svm_refuses_what_it_cannot_score(machine: OneClassSVM) -> None:
    for value in (np.nan, np.inf):
        broken = POINTS.copy()
        broken[5, 2] = value
        with pytest.raises(ValueError, match="NaN or infinity in row 5"):
            machine.score(broken)
        with pytest.raises(ValueError, match="NaN or infinity in row 5"):
            OneClassSVM(nu=0.2, gamma=0.7).fit(broken)
    with pytest.raises(ValueError, match=r"shape \(120, 5\), but it was fitted to D = 6"):
        machine.score(POINTS[:, :5])
    with pytest.raises(ValueError, match=r"shape \(6,\), must be \(N, D\)"):
        machine.score(POINTS[0])
    with pytest.raises(ValueError, match="not fitted"):
        OneClassSVM(nu=0.2, gamma=0.7).score(POINTS)


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


def results(workspace: Path, model: str) -> Path:
    return workspace / "models/digits" / model / "oneclass"


def test_nothing_but_images_of_the_class_is_trained_on(workspace: Path, run_stage: Run) -> None:
    """The other training images replaced by noise: what class 3 gives is the same bytes, what class 7 gives is not."""
    set_params(workspace / "params.yaml", {"oneclass_models": ["cool", "ocsvm"]})
    models = {"cool": "safetensors", "ocsvm": "npz"}
    for model in models:
        run_stage(workspace, "train_oneclass", model=model)
    first = {model: read_npz(results(workspace, model) / "outputs.npz") for model in models}
    kept = {model: (results(workspace, model) / f"class3.{end}").read_bytes() for model, end in models.items()}
    others = {model: (results(workspace, model) / f"class7.{end}").read_bytes() for model, end in models.items()}

    source = data.load("digits", workspace / "data")
    images = source.train_images.clone()
    elsewhere = source.train_labels != 3
    images[elsewhere] = torch.randint(0, 256, (int(elsewhere.sum()), 28, 28), dtype=torch.uint8)
    (workspace / "data").unlink()
    (workspace / "data/digits").mkdir(parents=True)
    tensors = {"train_images": images, "test_images": source.test_images}
    tensors |= {k: getattr(source, k).to(torch.uint8) for k in ("train_labels", "test_labels")}
    about = {"overgen": json.dumps({"classes": list(source.classes)})}
    save_file(tensors, workspace / "data/digits/tensors.safetensors", metadata=about)
    for model, end in models.items():
        run_stage(workspace, "train_oneclass", model=model)
        assert (results(workspace, model) / f"class3.{end}").read_bytes() == kept[model]
        assert (results(workspace, model) / f"class7.{end}").read_bytes() != others[model]
        again = read_npz(results(workspace, model) / "outputs.npz")
        for name in again.keys() - {"labels", "classes", "names"}:
            assert np.array_equal(again[name][0], first[model][name][0])

    # what is stored scores what is stored, and the cell says what was trained on
    machine = OneClassSVM.from_state(read_npz(results(workspace, "ocsvm") / "class7.npz"))
    pixels = data.floats(source.test_images).flatten(1).numpy()
    again = read_npz(results(workspace, "ocsvm") / "outputs.npz")
    np.testing.assert_allclose(machine.score(pixels), again["score"][1], rtol=0, atol=1e-10)
    network, metadata = registry.load(results(workspace, "cool") / "class7.safetensors")
    stored = read_npz(results(workspace, "cool") / "outputs.npz")
    with torch.no_grad():
        log_y = network(data.floats(source.test_images)).log_y
    np.testing.assert_allclose(log_y.numpy(), stored["log_y"][1], atol=1e-4)
    assert metadata["class"] == 7
    members = pd.read_csv(workspace / "reports/cells/digits/train_oneclass/ocsvm/members.csv")
    assert members["images"].tolist() == [int((source.train_labels == c).sum()) for c in (3, 7)]


def test_a_model_may_change_options_of_training(workspace: Path, run_stage: Run) -> None:
    """The changes hold for their model and are what the same options of `training` would be."""

    def trained(training: dict[str, Any], learning_rate: float) -> bytes:
        changes = {"train_oneclass.digits.training": training, "train_oneclass.digits.classes": [3]}
        changes |= {"training.digits.learning_rate": learning_rate, "oneclass_models": ["cool"]}
        set_params(workspace / "params.yaml", changes)
        run_stage(workspace, "train_oneclass", model="cool")
        with safe_open(results(workspace, "cool") / "class3.safetensors", "pt") as file:
            return file.get_tensor("fc1.weight").numpy().tobytes()

    changed = trained({"cool": {"learning_rate": 0.003}}, 0.001)
    assert changed == trained({}, 0.003)
    assert changed != trained({"dae_sym": {"learning_rate": 0.003}}, 0.001)


def test_a_killed_run_goes_on_from_its_last_class(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    fitted: list[int] = []
    fit = train_oneclass.fit_svm

    def dies_at_seven(stage: Any, chosen: int) -> dict[str, np.ndarray]:
        fitted.append(chosen)
        if fitted == [3, 7]:
            raise KeyboardInterrupt
        return fit(stage, chosen)

    monkeypatch.setattr(train_oneclass, "fit_svm", dies_at_seven)
    with pytest.raises(KeyboardInterrupt):
        execute("train_oneclass", dataset="digits", model="ocsvm")
    assert not (workspace / "models").exists()
    execute("train_oneclass", dataset="digits", model="ocsvm")
    assert fitted == [3, 7, 7]
    killed = results(workspace, "ocsvm").rename(workspace / "killed")
    execute("train_oneclass", dataset="digits", model="ocsvm")
    names = ["class3.npz", "class7.npz", "outputs.npz"]
    assert filecmp.cmpfiles(killed, results(workspace, "ocsvm"), names, shallow=False)[0] == names

    # evaluating asks for neither data nor training
    (workspace / "data").unlink()
    execute("evaluate_oneclass", dataset="digits", model="ocsvm")
    cell = Cell("digits", "evaluate_oneclass", "ocsvm", workspace / "reports/cells/digits/evaluate_oneclass/ocsvm")
    (mean,) = [row for row in cell.summary["metrics"] if row["metric"] == "auroc"]
    assert mean["reproduced"] == pytest.approx(cell.table("trials")["auroc"].mean())
    assert mean["n"] == 2


def test_a_class_that_is_not_there_is_named(workspace: Path, run_stage: Run) -> None:
    set_params(workspace / "params.yaml", {"train_oneclass.digits.classes": [3, 10]})
    done = run_stage(workspace, "train_oneclass", model="ocsvm", check=False)
    assert done.returncode == 1
    assert "params.yaml, train_oneclass.digits.classes: [10] of classes 0..9" in done.stderr


def test_scores_of_pixels_are_fitted_on_the_class_alone(
    workspace: Path, run_stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUROC of the fifth nearest neighbour among the class's training images, by scipy and scikit-learn."""
    run_stage(workspace, "evaluate_oneclass_scores", model="pixels")
    cell = Cell("digits", "evaluate_oneclass_scores", "pixels",
                workspace / "reports/cells/digits/evaluate_oneclass_scores/pixels")  # fmt: skip
    trials = cell.table("trials").set_index(["score", "class"])["auroc"]
    source = data.load("digits", workspace / "data")
    train, test = (data.floats(x).flatten(1).numpy() for x in (source.train_images, source.test_images))
    for chosen in (3, 7):
        apart = np.sort(cdist(test, train[source.train_labels.numpy() == chosen]), axis=1)[:, 4]
        expected = roc_auc_score(source.test_labels.numpy() == chosen, -apart)
        assert trials["@score=knn_pixels", chosen] == pytest.approx(expected, abs=1e-12)
    rows = {row["metric"]: row for row in cell.summary["metrics"]}
    assert rows["auroc@score=knn_pixels"]["reproduced"] == pytest.approx(trials["@score=knn_pixels"].mean())
    assert trials["@score=other_shuffled_pixels"].min() > 0.5  # it has seen the class, and it is not alone with it
    set_params(workspace / "params.yaml", {"train_oneclass.digits.classes": [3, 10]})
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with pytest.raises(OvergenError, match=r"params.yaml, train_oneclass.digits.classes: \[10\] of classes 0..9"):
        execute("evaluate_oneclass_scores", dataset="digits", model="pixels")


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
