"""The stage evaluate_unknowns: its numbers by hand, on a tiny study, and of networks that overgen does not know."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.data import unknowns
from overgen.measures import separation
from overgen.measures.thresholds import Threshold
from overgen.models import Output, registry
from overgen.models.adopted import Adopted
from overgen.models.cnn import COOL
from overgen.run.code import CODE
from overgen.run.files import read_json
from overgen.run.streams import generator
from overgen.stages.evaluate_unknowns import run, summary
from overgen.stages.evaluate_unknowns.params import EvaluateUnknowns

from conftest import Run, set_params
from workspace import Study, write_code

METHODS = ["scaled_output", "confidence", "softmax", "max_logit", "energy", "openmax", "knn", "mahalanobis"]


class BlackBox(nn.Module):
    """log y of 1,000 classes from the means of four quarters, without a layer to look into."""

    def forward(self, x: Tensor) -> Output:
        quarters = nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)
        table = torch.randn((quarters.shape[1], 1000), generator=generator("table"))
        return Output((20 * quarters @ table).log_softmax(1), None)


def stage_of(
    monkeypatch: pytest.MonkeyPatch,
    network: nn.Module,
    dataset: data.Dataset,
    methods: list[str] = METHODS,
    **more: Any,
) -> Any:
    """A stage that judges a network on a data set, neither of which is on disk."""
    options = {"methods": methods, "known_images": 50, "images": 30, "fitted_images": 100, "least": 40} | more
    values: dict[str, Any] = {
        "evaluate_unknowns": EvaluateUnknowns(**options),
        "confidence.mine": SimpleNamespace(beta=10.0, thresholds=[Threshold(tau=0.9, alpha=20.0)]),
        **{f"engine.mine.{name}": n for name, n in (("chunk", 16), ("probes", 2))},
        **{f"evaluate_scores.{name}": n for name, n in (
            ("held_out", 10), ("fit_images", 60), ("neighbours", 3), ("clusters", 5), ("components", 4), ("tail", 5),
            ("keep", 0.9), ("network_updates", {"other": 5}))},
    }  # fmt: skip
    monkeypatch.setattr(data, "load", lambda name: dataset)
    monkeypatch.setattr(registry, "trained", lambda *_, **__: (network.eval(), {"budget": {}}))
    item = {"dataset": "mine", "model": "net"}
    return SimpleNamespace(item=item, params=values.__getitem__, device="cpu", rank=0)


def dataset_of(shape: tuple[int, int, int], train: int, test: int, classes: int, *, labelled: bool) -> data.Dataset:
    pictures = unknowns.clouds(train + test, shape, generator("pictures"))
    labels = torch.arange(train + test) % classes if labelled else torch.full((train + test,), -1)
    return data.Dataset("mine", tuple(map(str, range(classes))), pictures[:train], labels[:train], pictures[train:],
                        labels[train:])  # fmt: skip


def judged(stage: Any) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    arrays = run.scores_of(stage)
    dataset = data.load("mine")
    kinds, _, known = run.images_of(stage, dataset)
    refused = dict(np.reshape(arrays.pop("refused"), (-1, 2)).tolist())
    return summary.cell(arrays, dataset.test_labels[known].numpy(), list(kinds), refused, 0.9)


def test_five_unlabelled_pictures_of_a_black_box_of_a_thousand_classes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What asks for answers alone is tried; all else says why it is not. Colour, and no square."""
    monkeypatch.chdir(tmp_path)
    rows, trials = judged(stage_of(monkeypatch, BlackBox(), dataset_of((3, 20, 24), 5, 5, 1000, labelled=False)))
    assert set(trials["method"]) == {"softmax"}
    assert trials["kind"].tolist() == list(unknowns.KINDS)
    assert (trials[["known", "unknown"]].to_numpy() == (5, 30)).all()
    by_metric = {row["metric"]: row for row in rows}
    assert by_metric["accuracy"]["note"] == "not testable: no labelled test images"
    assert by_metric["auroc_mean@method=softmax"]["n"] == len(unknowns.KINDS)
    notes = {row["metric"].partition("method=")[2]: row["note"] for row in rows
             if row["metric"].startswith("auroc_mean") and row["reproduced"] is None}  # fmt: skip
    assert set(notes) == set(METHODS) - {"softmax"}
    assert "no features: a black box" in notes["knn"]
    assert "no logit for each class" in notes["energy"]
    assert "5 labelled" not in notes["knn"]  # the first reason is enough
    assert "0 labelled images to be fitted on, fewer than 40" in notes["openmax"]
    assert "ỹ is softmax" in notes["scaled_output"]
    assert "there is no c̃" in notes["confidence"]
    assert not any("accepted" in row["metric"] for row in rows)  # no image was held out for a threshold


def test_a_black_box_with_labels_has_what_judges_log_y(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    rows, trials = judged(stage_of(monkeypatch, BlackBox(), dataset_of((1, 12, 12), 90, 30, 3, labelled=True),
                                   ["softmax", "energy", "knn", "pca_pixels"]))  # fmt: skip
    assert list(dict.fromkeys(trials["method"])) == ["softmax", "pca_pixels"]
    assert trials["accepted"].notna().all()
    kept = next(row for row in rows if row["metric"] == "known_accepted@method=softmax")
    assert (kept["n"], kept["unit"]) == (30, "percent")


def test_a_program_that_answers_with_logits_is_judged_by_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the module that it was made from, but for its features; declared as probabilities, by log y alone."""
    monkeypatch.chdir(tmp_path)
    module = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    with torch.no_grad():
        module[1].weight.copy_(torch.randn((3, 144), generator=generator("program")))
    example = torch.zeros(2, 1, 12, 12)
    program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    dataset, methods = dataset_of((1, 12, 12), 90, 30, 3, labelled=True), ["max_logit", "energy", "openmax", "knn"]
    found = {}
    for name, function in (("module", module), ("program", program)):
        network = Adopted.of(function, shape=(1, 12, 12), outputs="logits")
        found[name] = judged(stage_of(monkeypatch, network, dataset, methods))[1]
    assert list(dict.fromkeys(found["module"]["method"])) == methods
    of_program = found["module"][found["module"]["method"] != "knn"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found["program"], of_program)
    network = Adopted.of(lambda x: module(x).softmax(1), shape=(1, 12, 12))
    trials = judged(stage_of(monkeypatch, network, dataset, methods))[1]
    assert list(dict.fromkeys(trials["method"])) == ["openmax"]


def test_kinds_that_do_not_differ_have_an_interval_over_their_images() -> None:
    """Student's interval of a mean over equal kinds has no width; of 12 known images an AUROC of 1 says less."""
    test, noise = np.arange(12.0) + 20, np.arange(20.0)
    scores = {"network.predicted": np.zeros(12, int), "a.predicted": np.zeros(12, int), "a.test": test,
              "a.noise": noise, "a.other": noise[:5]}  # fmt: skip
    rows, _ = summary.cell(scores, np.zeros(12, int), ["noise", "other"], {}, 0.8)
    by_metric = {row["metric"]: row for row in rows}
    mean, few = by_metric["auroc_mean@method=a"], by_metric["auroc@kind=other@method=a"]
    assert (mean["reproduced"], mean["low"], mean["high"]) == (1, few["low"], 1)
    assert mean["low"] < 0.6  # wilson(5, 5)
    missed = by_metric["fpr95_mean@method=a"]
    assert (missed["reproduced"], missed["low"]) == (0, 0)
    assert missed["high"] > 40


def test_cool_is_judged_by_log_y_and_its_own_score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has ω units a class, so that no logit is a class's: softmax judges log y, and ỹ is not the softmax."""
    monkeypatch.chdir(tmp_path)
    network = COOL(classes=4, omega=3)
    network.initialise(generator("weights"))
    dataset = dataset_of((1, 28, 28), 120, 20, 4, labelled=True)
    arrays = run.scores_of(stage_of(monkeypatch, network, dataset))
    methods = {name.rpartition(".")[0] for name in arrays} - {"network", ""}
    refused = {method for method, _ in np.reshape(arrays["refused"], (-1, 2)).tolist()}
    assert {"scaled_output", "softmax", "knn", "mahalanobis"} <= methods
    assert {"max_logit", "energy", "confidence"} <= refused
    log_y = network(data.floats(dataset.test_images)).log_y.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(arrays["scaled_output.test"], log_y.max(1), rtol=1e-5)
    softmax = log_y.max(1) - np.log(np.exp(log_y).sum(1))
    np.testing.assert_allclose(arrays["softmax.test"], softmax, rtol=1e-5, atol=1e-6)
    assert not any("knn" in method for method in refused)


def test_a_method_that_cannot_be_fitted_says_why_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = stage_of(
        monkeypatch, BlackBox(), dataset_of((1, 1, 3), 90, 30, 3, labelled=True), ["softmax", "pca_pixels"]
    )
    rows, trials = judged(stage)
    assert set(trials["method"]) == {"softmax"}
    (note,) = (row["note"] for row in rows if row["metric"] == "auroc_mean@method=pca_pixels")
    assert note == "not testable: 3 columns, fewer than components = 4"


def test_unknowns_of_ones_own_and_of_other_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = dataset_of((1, 28, 28), 60, 40, 3, labelled=True)
    np.savez("mine.npz", image=np.arange(7 * 784, dtype=np.uint8).reshape(7, 28, 28))
    stage = stage_of(monkeypatch, BlackBox(), dataset, own={"mine": "mine.npz"}, other_data={"mine": ["digits"]})
    monkeypatch.setattr(run.borrow, "borrow", lambda name, mirror: dataset_of((1, 28, 28), 9, 11, 2, labelled=True))
    kinds, _, known = run.images_of(stage, dataset)
    assert list(kinds) == [*unknowns.KINDS, "data_digits", "own"]
    assert {kind: len(images) for kind, images in kinds.items()} == dict.fromkeys(unknowns.KINDS, 30) | {
        "data_digits": 11, "own": 7
    }  # fmt: skip
    assert len(known) == 40
    assert len(set(known.tolist())) == 40
    monkeypatch.setattr(run.borrow, "borrow", lambda name, mirror: dataset_of((1, 9, 9), 9, 11, 2, labelled=True))
    with pytest.raises(OvergenError, match=r"other_data.mine: images of digits are \(1, 9, 9\)"):
        run.images_of(stage, dataset)


def test_images_without_a_label_have_scores_but_no_accuracy() -> None:
    scores = {"network.predicted": np.array([0, 1, 1, 1]), "a.held_out": np.zeros(5), "a.predicted": np.zeros(4, int),
              "a.test": np.array([1.0, 1, 1, -1]), "a.noise": np.array([-1.0, -2])}  # fmt: skip
    rows, _ = summary.cell(scores, np.array([0, 0, -1, 0]), ["noise"], {}, 0.8)
    found = {row["metric"]: (row["reproduced"], row["n"]) for row in rows}
    assert found["accuracy"] == (pytest.approx(100 / 3), 3)
    assert found["known_accepted@method=a"] == (75, 4)
    assert found["accuracy_accepted@method=a"] == (100, 2)


def test_numbers_by_hand() -> None:
    """Two kinds, of which the second is missed: the mean over both, the worst, and answers at the threshold."""
    scores = {
        "network.predicted": np.array([0, 1, 1, 1]),
        "near.held_out": np.array([1.0, 2, 3, 4, 5]),
        "near.test": np.array([2.0, 3, 4, 0.5]),
        "near.predicted": np.array([0, 1, 1, 1]),
        "near.noise": np.array([0.0, 0.1, 0.2, 2.5]),
        "near.other": np.array([9.0, 9, 9, 0]),
    }
    rows, trials = summary.cell(scores, np.array([0, 1, 0, 1]), ["noise", "other"], {"far": "of an age"}, 0.8)
    by_metric = {row["metric"]: row for row in rows}
    assert by_metric["accuracy"]["reproduced"] == 75
    noise, other = separation.area(scores["near.test"], scores["near.noise"]), 4 / 16
    assert noise.value == 14 / 16
    assert by_metric["auroc@kind=noise@method=near"]["reproduced"] == noise.value
    assert by_metric["auroc@kind=noise@method=near"]["low"] == noise.interval[0]  # type: ignore[index]
    assert by_metric["auroc_mean@method=near"]["reproduced"] == (noise.value + other) / 2
    assert by_metric["auroc_mean@method=near"]["n"] == 2
    worst = by_metric["auroc_worst@method=near"]
    assert (worst["reproduced"], worst["note"], worst["n"]) == (other, "other", 4)
    assert by_metric["fpr95@kind=noise@method=near"]["reproduced"] == 25
    assert by_metric["known_accepted@method=near"]["reproduced"] == 75  # at 2, which keeps 4 of 5
    assert by_metric["accuracy_accepted@method=near"]["reproduced"] == pytest.approx(200 / 3)
    assert trials["accepted"].tolist() == [0.25, 0.75]
    assert by_metric["auroc_mean@method=far"]["note"] == "not testable: of an age"


OWN = """
import numpy as np

class Nearness:
    \"\"\"Minus the distance from the mean.\"\"\"

    view = "features"

    def fit(self, x, labels):
        self.mean = x.mean(0)
        return self

    def score(self, x):
        return -np.linalg.norm(x - self.mean, axis=1)
"""


def test_a_score_of_ones_own_enters_its_stages_and_makes_nothing_else_stale(
    study: Study, tmp_path: Path, run_stage: Run
) -> None:
    study.cell("evaluate_unknowns", "dae_sym")
    study.cell("evaluate_scores", "dae_sym")
    path = study.copy(tmp_path / "copy")
    before = {file.relative_to(path): file.read_bytes() for file in (path / CODE).rglob("*") if file.is_file()}
    (path / "src/own/mine.py").write_text(OWN)
    name = "src/own/mine.py:Nearness"
    set_params(path / "params.yaml", {
        "evaluate_unknowns.methods": ["softmax", name], "evaluate_scores.methods.dae_sym": ["knn", name],
    })  # fmt: skip
    write_code(path, known=study.root)
    after = {file.relative_to(path): file.read_bytes() for file in (path / CODE).rglob("*") if file.is_file()}
    changed = {file.as_posix() for file in after if after[file] != before[file]} - {".overgen/code/plans/digits"}
    judging = ("evaluate_scores", "evaluate_unknowns", "attack_scores")
    assert changed == {f".overgen/code/{stage}/dae_sym" for stage in judging}
    assert all(b"src/own/mine.py" in after[Path(file)] for file in changed)
    for stage in ("evaluate_unknowns", "evaluate_scores"):
        run_stage(path, stage, model="dae_sym")
        trials = pd.read_csv(path / "reports/cells/digits" / stage / "dae_sym/trials.csv")
        assert "mine:Nearness" in set(trials["method"])
        metrics = read_json(path / "reports/cells/digits" / stage / "dae_sym/metrics.json")["metrics"]
        assert any(row["metric"].endswith("@method=mine:Nearness") for row in metrics)
    for old, new, message in (
        ('view = "features"', 'view = "eyes"', "view is 'eyes'; write on the class"),
        ('view = "features"', "", "has no `view`"),
        ("def score", "def scored", "has no method score"),
        ("class Nearness", "class Farness", "src/own/mine.py: has no class 'Nearness'"),
        ("return -np.linalg.norm(x - self.mean, axis=1)", "return np.full(len(x), np.nan)", "gave NaN for image 0"),
        ("return -np.linalg.norm(x - self.mean, axis=1)", "return x", r"not \(80,\) floats"),
    ):
        (path / "src/own/mine.py").write_text(OWN.replace(old, new))
        done = run_stage(path, "evaluate_unknowns", model="dae_sym", check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert re.search(message, done.stderr), done.stderr


def test_the_stage_on_a_tiny_study(study: Study) -> None:
    cell = study.cell("evaluate_unknowns", "dae_sym")
    trials = pd.read_csv(cell / "trials.csv")
    methods = ["softmax", "openmax", "knn", "mahalanobis", "pca_pixels", "scaled_output_alpha2", "scaled_output_alpha3",
               "scaled_output_alpha20"]  # fmt: skip
    kinds = list(dict.fromkeys(trials["kind"]))
    assert kinds[: len(unknowns.KINDS)] == list(unknowns.KINDS)
    assert trials["method"].tolist() == [method for method in methods for _ in kinds]
    pixels = trials[trials["method"] == "pca_pixels"].set_index("kind")["auroc"]
    assert pixels["uniform"] == 1
    assert (pixels.drop("fooling", errors="ignore") > 0.9).all()
    assert (trials["auroc_low"] <= trials["auroc"]).all()
    assert (trials["auroc"] <= trials["auroc_high"]).all()
    with np.load(cell / "examples.npz") as examples:
        assert examples["kind"].tolist() == kinds
        assert examples["image"].shape[2:] == (28, 28)
