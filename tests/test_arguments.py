"""Arguments of the command line: what is wrong is told before anything heavy is imported, with what was meant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from overgen import OvergenError, arguments

from workspace import ROOT, set_params

HEAVY = {"torch", "torchvision", "pytorch_lightning", "pandas", "scipy", "dvc", "mlflow", "matplotlib"}
SCRIPT = f"""
import sys
from overgen import OvergenError, cli
for line in sys.stdin.read().splitlines():
    try:
        cli.commands(line.split(), standalone_mode=False)
        print("no error:", line)
    except OvergenError as error:
        print(error)
print("imported:", *sorted(set({sorted(HEAVY)}) & {{name.partition(".")[0] for name in sys.modules}}))
"""
WRONG = {
    "fool noise --to 10 --on mnist/cnn": "a number from 0 to 9",
    "fool noise --to 3 --on mnist/cn": "did you mean mnist/cnn",
    "fool noise --to 3 --on torchvision/resnet19": "did you mean resnet18",
    "fool noise --to 3 --on torchvision/resnet18 --weights none.pth": "none.pth: missing",
    "fool none.png --to 3 --on mnist/cnn": "none.png: missing",
    "fool dvc.yaml --to 3 --on mnist/cnn": "cannot be read as a picture",
    "fool noise --to 3 --on mnist/cnn -o nowhere/x.png": "no folder nowhere",
    "fool noise --to 3 --on mnist/cnn --tau 2": "--tau 2",
    "export mnist/daesym x.pt2": "did you mean mnist/dae_sym",
    "reproduce fool_fng@mnist-cnn": "did you mean fool_fgn@mnist-cnn",
    "sync mnits": "did you mean mnist",
}


def test_wrong_arguments_are_told_without_heavy_imports() -> None:
    given = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, env=given, input="\n".join(WRONG), capture_output=True, text=True)
    *told, imported = done.stdout.splitlines()
    assert len(told) == len(WRONG), done.stdout + done.stderr
    for line, message in zip(told, WRONG.values(), strict=True):
        assert message in line
    assert imported == "imported:"


def test_what_completes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from overgen.cli import complete

    monkeypatch.chdir(ROOT / "docs")
    assert complete(arguments.addresses)("fool_fgn@mnist-c") == ["fool_fgn@mnist-cnn", "fool_fgn@mnist-cool"]
    assert "mnist/cnn" in complete(arguments.networks)("mnist/c")
    assert complete(arguments.networks)("torchvision/resnet18") == ["torchvision/resnet18"]
    monkeypatch.chdir(tmp_path)
    assert complete(arguments.datasets)("") == []


def test_the_names_of_torchvision_are_its_own() -> None:
    from torchvision import models

    assert arguments.torchvision_classifiers() == sorted(models.list_models(module=models))


def test_which_stage_makes_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert arguments.maker("mnist/cnn") == "train_classifier@mnist-cnn"
    assert arguments.maker("mnist/dae_sym") == "train_autoencoder@mnist-dae_sym"
    assert arguments.maker("mnist/vgg") == arguments.maker("mnist") == ""
    monkeypatch.chdir(tmp_path)
    assert arguments.maker("mnist/cnn") == ""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    only = {"network": "adopted", "datasets": ["digits"]}
    set_params(tmp_path / "params.yaml", {"adopted": ["mine"], "models.mine": only})
    assert arguments.maker("digits/mine") == "adopt@digits-mine"
    assert arguments.maker("mnist/mine") == ""  # a matrix has it, the data set has not


def test_targets_that_dvc_knows_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    arguments.check_targets(
        ["fool_fgn@mnist-cnn", "report", "report@mnist", "dvc.yaml", "reports/mnist", "x/dvc.yaml:y"]
    )
    with pytest.raises(OvergenError, match="no stage and no cell"):
        arguments.check_targets(["fool_fgn@mnist"])
