"""`overgen run` while what it needs is away: the shared folder cannot be written, the tracking server does not answer.

Cells are those of a run that nothing disturbed, none is half written, and those that failed are named.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from processes import environment, run_dvc
from schedulers import RayNodes, Slurm, free_port, missing_programs, overgen, until
from schedulers_study import CELLS, TARGETS, begun, same_cells
from workspace import ROOT, cell_folders

pytestmark = pytest.mark.slow
READ_ONLY = "Read-only file system"
WAITS = f": cannot be written ({READ_ONLY}): waiting until it can be"


@pytest.fixture(params=["local", "slurm", "ray"])
def scheduler(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict]]:
    """The name of a scheduler, and what of the environment it is found by."""
    if request.param == "local":
        yield "local", {}
        return
    if request.param == "slurm" and (missing := missing_programs()):
        pytest.skip(missing)
    if request.param == "ray":
        pytest.importorskip("ray")
    made = (Slurm if request.param == "slurm" else RayNodes)(tmp_path_factory.mktemp(request.param))
    try:
        yield request.param, made.environment
    finally:
        made.stop()


def logs(folder: Path) -> list[str]:
    """What each job has said."""
    jobs = folder / ".overgen/jobs"
    return [path.read_text() for path in (*jobs.glob("*/*_log.out"), *jobs.glob("ray/*.log"))]


def test_a_shared_folder_that_is_read_only_for_a_while(
    fresh: Path, undisturbed: Path, tmp_path: Path, scheduler: tuple[str, dict[str, str]]
) -> None:
    """Cells fail when they next write, the driver waits until it can; the second call goes on from the last epochs."""
    on, found_by = scheduler
    switch = tmp_path / "read-only"
    given = found_by | {
        "PYTHONPATH": f"{ROOT / 'tests/faults'}{os.pathsep}{fresh / 'src'}",
        "OVERGEN_READ_ONLY_FOLDER": str(fresh),
        "OVERGEN_READ_ONLY_WHILE": str(switch),
    }
    process = overgen(fresh, "run", *TARGETS, "--on", on, "--jobs", "3", **given)
    until(lambda: all(begun(fresh, model) for model in CELLS) or process.poll() is not None)
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    heard = b""

    def waits() -> bool:
        """Whether the driver says that it waits, which it does when the first job has ended."""
        nonlocal heard
        with suppress(BlockingIOError):
            heard += os.read(process.stderr.fileno(), 1 << 16)  # type: ignore[union-attr]
        return WAITS in heard.decode()

    switch.touch()
    try:
        until(lambda: sum(READ_ONLY in log for log in logs(fresh)) == 3 or process.poll() is not None)
        until(lambda: waits() or process.poll() is not None)
        assert not [path for model in CELLS for path in cell_folders(fresh, "train_classifier", model) if path.exists()]
    finally:
        switch.unlink()
    os.set_blocking(process.stderr.fileno(), True)
    out, err = process.communicate(timeout=400)
    err = heard.decode() + err
    assert process.returncode == 1, out + err
    assert "3 of 5 stages failed:" in err, out + err
    for target in TARGETS:
        assert re.search(rf"^  {target}: ", err, re.M), err
    assert WAITS in err
    assert "Traceback" not in re.sub(r"(?m)^    \| .*$", "", err), err

    out, err = overgen(fresh, "run", *TARGETS, "--on", on, "--jobs", "3", **found_by).communicate(timeout=400)
    assert "3 stages ran." in out, out + err
    assert sum("goes on from its last whole epoch" in log for log in logs(fresh)) == 3
    same_cells(fresh, undisturbed)
    assert run_dvc(fresh, "repro", "--dry", *TARGETS) == set()


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes calls and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def no_server() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("server", [no_server, silent_server])
def test_cells_are_made_while_the_tracking_server_is_away(
    fresh: Path, undisturbed: Path, scheduler: tuple[str, dict[str, str]], server: object
) -> None:
    """They wait for it a little, say so once each, and `overgen sync` logs them afterwards."""
    on, found_by = scheduler
    assert callable(server)
    with server() as address:
        given = found_by | {"OVERGEN_TRACKING": "on", "MLFLOW_TRACKING_URI": address}
        out, err = overgen(fresh, "run", *TARGETS[:2], "--on", on, **given).communicate(timeout=500)
    assert "stages ran." in out, out + err
    said = [log for log in logs(fresh) if f"MLflow at {address} cannot be written" in log]
    assert [log.count("warning: MLflow") for log in said] == [1, 1], logs(fresh)
    same_cells(fresh, undisturbed, CELLS[:2])
    assert run_dvc(fresh, "repro", "--dry", *TARGETS[:2]) == set()
    kept = environment(OVERGEN_TRACKING="on", MLFLOW_TRACKING_URI=f"sqlite:///{fresh}/kept.db")
    out, err = overgen(fresh, "sync", "digits", **kept).communicate(timeout=200)
    assert re.search(r"\b2\b", out), out + err
