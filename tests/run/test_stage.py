"""Cells as commands: what is refused, and what a stage imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from processes import environment, stage_command
from workspace import run_stage


def test_bad_input_is_named_and_nothing_is_written(workspace: Path) -> None:
    cases = [
        ({"dataset": "cifar", "model": "cnn"}, "dataset 'cifar' is unknown"),
        ({"dataset": "digits", "model": "vgg"}, "model 'vgg' is unknown"),
    ]
    for item, message in cases:
        done = run_stage(workspace, "train_classifier", check=False, **item)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    done = run_stage(workspace, "fool_fgn", model="cnn", check=False)
    assert done.returncode == 1
    assert "models/digits/networks/cnn: missing; `dvc repro fool_fgn@digits-cnn` makes it first" in done.stderr
    assert not (workspace / "reports").exists()


def test_tracking_off_imports_neither_mlflow_nor_dvc(workspace: Path) -> None:
    arguments = stage_command("train_classifier", model="cnn")[3:]
    script = (
        "import sys\n"
        "from overgen.run.__main__ import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "status = main()\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(status or sorted(loaded & {'mlflow', 'dvc', 'seaborn'}) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=workspace, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (workspace / "reports/cells/digits/train_classifier/cnn/metrics.json").exists()
