"""`overgen run --on ray` on a real Ray of two nodes, one of which dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import run_dvc
from schedulers import RayNodes, overgen, pids_of, until
from schedulers_study import CELLS, TARGETS, begun, same_cells

pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    nodes = RayNodes(tmp_path_factory.mktemp("ray"))
    try:
        yield nodes
    finally:
        nodes.stop()


def test_a_cell_that_is_killed_and_a_node_that_dies(fresh: Path, undisturbed: Path, nodes: RayNodes) -> None:
    process = overgen(fresh, "run", *TARGETS, "--on", "ray", **nodes.environment)
    until(lambda: all(begun(fresh, model) for model in CELLS))
    for pid in pids_of("train_classifier", "lenet"):
        os.kill(pid, signal.SIGKILL)
    nodes.kill_second()
    out, err = process.communicate(timeout=400)
    said = "".join(path.read_text() for path in fresh.glob(".overgen/jobs/ray/*.log"))
    assert process.returncode == 0, out + err + said
    assert said.count("seed0 goes on from its last whole epoch") >= 2
    same_cells(fresh, undisturbed)
    assert run_dvc(fresh, "repro", "--dry", *TARGETS) == set()
