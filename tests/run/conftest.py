"""For tests of what runs stages: folders as roots of a repository, and databases of MLflow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from overgen.run import sync

from workspace import ROOT


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository root, as the working directory, with the default tracking."""
    for name in ("OVERGEN_TRACKING", "MLFLOW_TRACKING_URI", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs: making one takes 2 s, so only the tests about that make their own."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        sync.prepare(folder)
    return folder / "mlflow.db"


@pytest.fixture
def database(root: Path, empty: Path) -> Path:
    """An empty database where runs go by default."""
    shutil.copy(f"{empty}.lock", root / "mlflow.db.lock")
    return Path(shutil.copy(empty, root / "mlflow.db"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the committed params.yaml and dvc.yaml."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path
