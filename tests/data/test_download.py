"""The stage download: its mirror, its errors and its imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from overgen import data
from overgen.run.stage import execute

from workspace import ROOT


def test_stage_takes_the_mirror_from_the_environment(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERGEN_MIRROR", str(mirror))
    as_in_the_repository(Path())
    execute("download", dataset="mnist")
    assert len(data.load("mnist").train_labels) == 30


def as_in_the_repository(folder: Path) -> None:
    """Put the files there that every stage reads, and the code that runs."""
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "src").symlink_to(ROOT / "src")


def test_stage_fails_without_a_traceback_and_imports_only_what_it_uses() -> None:
    as_in_the_repository(Path())
    code = (
        "import sys, runpy; import overgen.data;"
        "heavy = {'torchvision', 'sklearn', 'pytorch_lightning', 'PIL', 'pandas'};"
        "print(*sorted(heavy & sys.modules.keys()));"
        "sys.argv = ['overgen.run', 'download', '--dataset', 'minst'];"
        "runpy.run_module('overgen.run', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.strip() == ""
    assert done.stderr.startswith("error: dataset 'minst' is unknown to stage download; params.yaml has digits, mnist")
    assert "Traceback" not in done.stderr
