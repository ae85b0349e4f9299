"""Cells as commands: what is refused, and what a stage imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overgen.run.stage import command

from processes import environment
from workspace import make_workspace, set_params

REFUSED = [
    (("train_classifier", "cifar", "cnn"), "dataset 'cifar' is unknown"),
    (("train_classifier", "digits", "vgg"), "model 'vgg' is unknown"),
    (
        ("fool_fgn", "digits", "cnn"),
        "models/digits/networks/cnn: missing; `dvc repro fool_fgn@digits-cnn` makes it first",
    ),
    (("evaluate_confidence", "digits", ""), "model: missing; the cells of evaluate_confidence have one of dataset"),
]
# Runs cells, given as JSON, one after the other; prints of each how it ended, what it said and whether there is a
# folder of results, and then what all of them imported.
SCRIPT = """
import io, json, sys
from contextlib import redirect_stderr
from pathlib import Path
from overgen.run.__main__ import main
ends = []
for stage, dataset, model in json.loads(sys.argv[1]):
    sys.argv[1:] = [stage, "--dataset", dataset, "--model", model]
    with redirect_stderr(io.StringIO()) as said:
        status = main()
    ends.append([status, said.getvalue(), Path("reports").exists()])
print(json.dumps([ends, sorted({name.split(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> tuple[Path, list[Any], list[str]]:
    """The refused cells and one that is whole, run by one process that has imported nothing, without tracking.

    The workspace; the status of each cell, what it said and whether there were results; what it all imported.
    """
    workspace = make_workspace(tmp_path_factory.mktemp("stage") / "workspace", digits)
    set_params(workspace / "params.yaml", {"train_classifier.digits": {"epochs": 1, "seeds": [0]}})
    cells = [*(cell for cell, _ in REFUSED), ("train_classifier", "digits", "cnn")]
    program = [sys.executable, "-c", SCRIPT, json.dumps(cells)]
    done = subprocess.run(program, cwd=workspace, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return workspace, *json.loads(done.stdout)


def test_bad_input_is_named_and_nothing_is_written(ran: tuple[Path, list[Any], list[str]]) -> None:
    for (_, message), (status, said, written) in zip(REFUSED, ran[1], strict=False):
        assert status == 1
        assert message in said
        assert "Traceback" not in said
        assert not written


def test_tracking_off_imports_neither_mlflow_nor_dvc(ran: tuple[Path, list[Any], list[str]]) -> None:
    workspace, ends, imported = ran
    assert ends[-1][0] == 0, ends[-1][1]
    assert {"mlflow", "dvc", "seaborn"}.isdisjoint(imported)
    assert "torch" in imported
    assert (workspace / "reports/cells/digits/train_classifier/cnn/metrics.json").exists()


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
