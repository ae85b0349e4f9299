"""Cells as commands: what is refused. test_study says what a stage imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from overgen.run.stage import command

from processes import Run
from workspace import set_params

REFUSED = [
    (("train_classifier", "cifar", "cnn"), "dataset 'cifar' is unknown"),
    (("train_classifier", "digits", "vgg"), "model 'vgg' is unknown"),
    (
        ("fool_fgn", "digits", "cnn"),
        "models/digits/networks/cnn: missing; `dvc repro fool_fgn@digits-cnn` makes it first",
    ),
    (("evaluate_confidence", "digits", ""), "model: missing; the cells of evaluate_confidence have one of dataset"),
]


@pytest.mark.parametrize(("cell", "message"), REFUSED)
def test_bad_input_is_named_and_nothing_is_written(
    workspace: Path, run_stage: Run, cell: tuple[str, str, str], message: str
) -> None:
    stage, dataset, model = cell
    done = run_stage(workspace, stage, dataset=dataset, model=model, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace / "reports").exists()


@pytest.mark.parametrize("key", ["nonsense", "datasets", "engine.digits.threads", "evaluate_confidence"])
def test_another_list_than_dvc_yamls_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """And no cell is removed, of which the list that dvc.yaml gives would be asked."""
    monkeypatch.chdir(workspace)
    cell = Path("reports/cells/digits/evaluate_confidence/cnn")
    cell.mkdir(parents=True)
    assert command(["evaluate_confidence", "--dataset", "digits", "--models", key]) == 1
    assert f"--models {key}: not the list of models that dvc.yaml gives" in capsys.readouterr().err
    set_params(Path("params.yaml"), {"attacked": ["dae_sym", "dae_sym"]})
    assert command(["evaluate_confidence", "--dataset", "digits", "--models", "attacked"]) == 1
    assert "'dae_sym' is named twice" in capsys.readouterr().err
    assert cell.is_dir()
