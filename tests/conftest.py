"""Shared by the tests: the tiny study, workspaces of their own, and stages that run in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):  # they share the cores; before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

os.environ.setdefault("OVERGEN_PROGRESS", "off")

from processes import Run, environment, hears_ctrl_c, run_program
from workspace import ROOT, TINY, Copies, Study, make_workspace, run_stage, set_params

__all__ = ["ROOT", "TINY", "Run", "environment", "hears_ctrl_c", "make_workspace", "set_params"]

# Files that take longest, which come first: where files go to several processes, nobody waits for one at the end.
LONGEST = (
    *("test_study.py", "test_defend_scores.py", "test_colour_study.py", "test_seeds.py", "test_tracking.py"),
    *("test_dag.py", "test_audit.py", "test_together.py", "test_ranks.py", "test_budget.py", "test_clusters.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


COPIES = Copies()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what starts programs while nothing has been computed yet, if a test asks for it."""
    asked = any("copies" in getattr(item, "fixturenames", ()) for item in session.items)
    if asked and not session.config.option.collectonly:
        COPIES.start()


@pytest.fixture(scope="session")
def copies() -> Iterator[Copies]:
    """Starts programs as copies of this process: copies.stage(workspace, "train_classifier", model="cnn").wait()."""
    yield COPIES
    COPIES.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Study:
    """The tiny study: `study.cell("fool_fgn", "cnn")` is the folder of a finished cell."""
    folder = tmp_path_factory.getbasetemp()
    if workers:  # each has a folder of its own in this one
        folder = folder.parent
    asked = any("repository" in getattr(item, "fixturenames", ()) for item in request.session.items)
    return Study(folder / "tiny-study", whole=asked)


@pytest.fixture(scope="session")
def repository(study: Study) -> Path:
    """A Git repository in which `overgen reproduce report@digits` made the tiny study, all committed."""
    return study.repository()


@pytest.fixture(scope="session")
def digits(study: Study) -> Path:
    """A folder that holds data/digits as the download stage writes it, with fewer images."""
    study.cell("download")
    return study.root


@pytest.fixture
def workspace(tmp_path: Path, digits: Path) -> Path:
    """A directory in which stages run on digits: tiny params.yaml, dvc.yaml, the source and the data."""
    return make_workspace(tmp_path / "workspace", digits)


@pytest.fixture(name="run_stage")
def _run_stage() -> Run:
    """Run a stage in a workspace: run_stage(workspace, "train_classifier", model="cnn").

    With variables of the environment, in a process of its own.
    """

    def run(workspace: Path, stage: str, **options: object) -> object:
        own = {"dataset", "model", "check"} >= set(options)
        return (run_stage if own else run_program)(workspace, stage, **options)  # type: ignore[arg-type]

    return run
