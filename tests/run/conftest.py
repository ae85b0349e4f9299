"""For tests of what runs stages: folders as roots of a repository, and databases of MLflow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from overgen.run import sync

from processes import git, run_dvc
from schedulers_study import CELLS, LONG
from workspace import ROOT, make_workspace, run_stage


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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """The cells as one process makes them, undisturbed."""
    workspace = make_workspace(tmp_path_factory.mktemp("undisturbed") / "workspace", digits, **LONG)
    for model in CELLS:
        run_stage(workspace, "train_classifier", model=model)
    return workspace


@pytest.fixture
def fresh(tmp_path: Path, digits: Path) -> Path:
    """A study in which nothing but the data is there."""
    workspace = make_workspace(tmp_path / "workspace", digits, **LONG)
    (workspace / "data").unlink()
    shutil.copytree(digits / "data", workspace / "data")  # DVC takes no link
    git(workspace, "init", "-q")
    run_dvc(workspace, "init", "-q")
    for name in (".dvcignore", ".gitignore"):
        (workspace / name).write_text((ROOT / name).read_text())
    run_dvc(workspace, "commit", "-q", "-f", "download@digits")
    return workspace
