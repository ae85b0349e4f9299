"""The study folder of an audit: its pipeline is the repository's, its names are nobody's else, its limits hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overgen import OvergenError, arguments
from overgen.audits import document, execution, folder, thresholds
from overgen.audits.thresholds import Limit
from overgen.run.pipeline import read_stages

from workspace import ROOT, read_yaml


def own(entry: dict[str, Any], stages: set[str]) -> dict[str, Any]:
    """A stage of the repository without its dependencies on code and on cells of stages that an audit has not."""

    def there(path: str) -> bool:
        cell = re.fullmatch(r"reports/cells/\$\{item.dataset\}/(\w+)/.*", path)
        return not path.startswith(".overgen/code") and (cell is None or cell[1] in stages)

    kept = [path for path in entry.get("deps", []) if there(path)]
    return {name: value for name, value in entry.items() if name != "deps"} | ({"deps": kept} if kept else {})


def test_the_stages_are_those_of_the_repository() -> None:
    audited, study = (read_stages(path) for path in (folder.PIPELINE, ROOT / "dvc.yaml"))
    assert {"download", "adopt", "fool_gradient", "report"} <= set(audited)
    for stage, entry in audited.items():
        assert entry == own(study[stage], set(audited)), stage
    assert list(audited) == [stage for stage in study if stage in audited]  # each after those that it needs


def test_stages_are_left_out_whole(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(folder.pipeline_text(folder.GRADIENTS))
    left, every = (read_stages(path) for path in (tmp_path / "dvc.yaml", folder.PIPELINE))
    assert left == {stage: entry for stage, entry in every.items() if stage not in folder.GRADIENTS}


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("some/Model-2.pt2", "model_2"),
        ("mine.py:ResNet", "resnet"),
        ("torchvision/resnet18", "resnet18"),
        ("efficientnet-lite0", "efficientnet_lite0"),
        ("cnn.onnx", "audited_cnn"),  # the papers' numbers are of another
        ("dae_sym_better.pt", "audited_dae_sym_better"),
        ("1.pt", "audited_1"),
    ],
)
def test_a_network_never_has_a_name_of_the_papers(subject: str, name: str) -> None:
    assert folder.model_of(subject) == name


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OvergenError, match=re.escape(f"{tmp_path}: holds files that are no audit's")):
        folder.prepare(tmp_path, "x", "net", left_out=())
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    fresh = tmp_path / "new/audit"
    assert folder.prepare(fresh, "x", "net", left_out=())
    sections = {"datasets": ["x"], "attacked": ["net"]}
    folder.write(fresh, sections, left_out=(), unknown=np.zeros((1, 1, 2, 2), np.uint8))
    for name in ("audit.json", "report.html"):
        (fresh / name).write_text("of the network before")
    assert not folder.prepare(fresh, "x", "net", left_out=())  # goes on
    assert not any((fresh / name).exists() for name in ("audit.json", "report.html"))
    folder.write(fresh, sections, left_out=(), unknown=None)
    assert not (fresh / folder.UNKNOWN).exists()
    assert read_yaml(fresh / "params.yaml") == sections
    for dataset, model, left_out, problem in (
        ("x", "other", (), "holds the audit of net on x, and this is of other on x"),
        ("y", "net", (), "holds the audit of net on x, and this is of net on y"),
        ("x", "net", folder.GRADIENTS, "with other stages"),
    ):
        with pytest.raises(OvergenError, match=re.escape(problem)):
            folder.prepare(fresh, dataset, model, left_out=left_out)


def number(stage: str, metric: str, value: float | None, tau: float | None = None, **more: Any) -> dict[str, Any]:
    row = {"stage": stage, "experiment": "e", "metric": metric, "tau": tau, "unit": "percent", "value": value,
           "low": None, "high": None, "n": 10}  # fmt: skip
    return row | more


def test_limits_are_judged_by_the_worst_attack_at_their_threshold() -> None:
    found = [
        number("adopt", "test_accuracy", 97.5),
        number("fool_fgn", "fooling_rate", 4.0, 0.99),
        number("fool_gradient", "fooling_rate@start=noise", 90.0, 0.9),  # at another τ
        number("fool_gradient", "fooling_rate@start=mean_image", 5.0, 0.99),
        number("fool_gradient", "fooling_rate_in_8_bits@start=noise", 99.0, 0.99),
        number("fool_smallest", "fooling_rate", 100.0),
        number("adopt", "calibration_error", None),
    ]
    limits = [Limit("max-fooled", 5.0, least=False), Limit("max-fooled", 4.9, least=False),
              Limit("min-accuracy", 97.5, least=True), Limit("min-accuracy", 97.6, least=True),
              Limit("max-ece", 0.5, least=False), Limit("min-auroc", 0.5, least=True)]  # fmt: skip
    verdicts = thresholds.judged(limits, found, 0.99)
    assert [verdict.met for verdict in verdicts] == [True, False, True, False, False, False]
    assert "gradients from mean image" in str(verdicts[1])
    assert "--max-fooled 4.9: NOT MET" in str(verdicts[1])
    assert "n = 10" in str(verdicts[1])
    assert verdicts[4].number is None  # what cannot be tested is not met
    nowhere = thresholds.judged(limits[:1], found[:1], 0.99)
    assert not nowhere[0].met


def test_ones_own_unknown_images_come_before_the_mean_over_easy_kinds() -> None:
    mean = number("evaluate_unknowns", "auroc_mean@method=softmax", 0.95)
    own = number("evaluate_unknowns", "auroc@kind=own@method=softmax", 0.46)
    limit = Limit("min-auroc", 0.9, least=True)
    assert thresholds.judged([limit], [mean], 0.99)[0].met
    assert not thresholds.judged([limit], [mean, own], 0.99)[0].met


GOOD = {"data": None, "on": "mnist", "unknown": None, "tau": 0.99, "weights": None, "network": None, "limits": {}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"on": None}, "either --data FOLDER or --on"),
        ({"data": Path()}, "either --data FOLDER or --on"),
        ({"unknown": Path("no/such")}, "--unknown no/such: missing"),
        ({"tau": 1.0}, "--tau 1"),
        ({"limits": {"min-auroc": 98.0}}, "--min-auroc 98: must be a number from 0 to 1"),
        ({"limits": {"max-fooled": float("nan")}}, "--max-fooled nan"),
        ({"subject": "no/such.onnx"}, "no/such.onnx: missing"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_imported(changes: dict[str, Any], problem: str) -> None:
    given = {"subject": "efficientnet-lite0"} | GOOD | changes
    with pytest.raises(OvergenError, match=re.escape(problem)):
        arguments.check_audit(given.pop("subject"), **given)


def test_an_auroc_says_how_many_images_of_both_sides_it_is_of() -> None:
    worst = number("evaluate_unknowns", "auroc_worst@method=softmax", 0.5, low=0.4, high=0.6, unit="fraction", known=12,
                   unknown=10)  # fmt: skip
    assert thresholds.with_interval(worst) == "0.5 [0.4–0.6], n = 12 known and 10 unknown images"
    mean = worst | {"metric": "auroc_mean@method=softmax", "n": 9, "unknown": 90}
    assert thresholds.with_interval(mean) == "0.5 [0.4–0.6], n = 12 known and 90 unknown images of 9 kinds"


def test_time_is_told_only_of_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that takes 30 s says nothing of attacks that take a second each."""
    now = [0.0]
    monkeypatch.setattr(execution.time, "monotonic", lambda: now[0])
    estimate = execution.Estimate(["download", "adopt", "fool_fgn", "fool_gradient", "fool_evolution", "report"])
    told = []
    for stage, seconds in enumerate((10, 20, 20, 15, 25, 7)):
        estimate.start(stage)
        told.append(estimate.left())
        now[0] += seconds
    assert told == ["", "", "", "about 50 s left", "about 30 s left", "about 10 s left"]


@pytest.mark.parametrize(
    ("value", "classes", "doubted"),
    [(14.8, 10, True), (33.4, 10, False), (55.0, 2, True), (70.0, 2, False), (0.0, 1000, True), (None, 10, False)],
)
def test_an_accuracy_near_guessing_is_doubted(value: float | None, classes: int, doubted: bool) -> None:
    number = {"stage": "adopt", "metric": "test_accuracy", "value": value}
    assert bool(document.doubts([number], classes)) == doubted


def test_a_cell_of_other_input_or_with_other_outputs_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = "{matrix: {dataset: [mine]}, cmd: x, outs: ['cells/${item.dataset}']}"
    Path("dvc.yaml").write_text(f"stages: {{a: {stage}}}\n")
    item, result = {"dataset": "mine"}, Path("cells/mine/metrics.json")
    result.parent.mkdir(parents=True)
    result.write_text("1")
    assert not execution.is_finished("a", item, "input")
    execution.record("a", item, "input")
    assert execution.is_finished("a", item, "input")
    assert not execution.is_finished("a", item, "another")
    result.write_text("2")
    assert not execution.is_finished("a", item, "input")
