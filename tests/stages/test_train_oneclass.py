"""The stage train_oneclass on the tiny study: what is trained on, and a run that is killed."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from overgen import data
from overgen.models import registry
from overgen.run.files import read_npz
from overgen.run.results import Cell
from overgen.run.stage import execute
from overgen.scores.one_class_svm import OneClassSVM
from overgen.stages.train_oneclass import run as train_oneclass

from processes import Run
from workspace import set_params

DRAW = np.random.default_rng(0)


POINTS, OTHERS = DRAW.random((120, 6)), 1.5 * DRAW.random((90, 6)) - 0.2


@pytest.fixture(scope="module")
def machine() -> OneClassSVM:
    return OneClassSVM(nu=0.2, gamma=0.7).fit(POINTS)


def results(workspace: Path, model: str) -> Path:
    return workspace / "models/digits/oneclass" / model


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
    images[elsewhere] = torch.randint(0, 256, (int(elsewhere.sum()), 1, 28, 28), dtype=torch.uint8)
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
