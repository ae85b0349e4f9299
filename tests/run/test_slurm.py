"""`overgen run --on slurm` on a real SLURM: cells that are preempted, killed, or lose their node, and their drivers.

Needs Debian's slurm-wlm and munge, and root; skipped where they are not.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import run_dvc
from schedulers import Slurm, missing_programs, overgen, pids_of, until
from schedulers_study import CELLS, LONG, TARGETS, begun, same_cells
from workspace import ROOT, make_workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_programs()), reason=missing_programs() or "SLURM is here"),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        yield cluster
    finally:
        cluster.stop()


def logs(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob(".overgen/jobs/*/*_log.out"))


def test_an_array_of_cells_that_are_preempted_killed_and_lose_their_node(
    fresh: Path, undisturbed: Path, slurm: Slurm
) -> None:
    """The same bytes as in one process, and no epoch twice but the one that was at work."""
    process = overgen(fresh, "run", *TARGETS, "--on", "slurm", **slurm.environment)
    until(lambda: all(begun(fresh, model) for model in CELLS))
    queued = slurm.say("squeue", "--noheader", "--array", "--format=%F")
    assert len(set(queued.split())) == 1, queued  # one array

    for pid in pids_of("train_classifier", "lenet"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: "this job is preempted" in logs(fresh))

    slurm.say("sbatch", "--partition=high", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
    until(lambda: not pids_of("overgen.run", "train_classifier"))
    until(lambda: len(pids_of("overgen.run", "train_classifier")) >= 2)

    slurm.kill_node()
    until(lambda: not pids_of("overgen.run", "train_classifier"))
    slurm.start_node()
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, out + err + logs(fresh)
    said = logs(fresh)
    assert said.count("seed0 goes on from its last whole epoch") >= 3
    same_cells(fresh, undisturbed)
    assert run_dvc(fresh, "repro", "--dry", *TARGETS) == set()
    assert json.loads((fresh / ".overgen/jobs/slurm.json").read_text()) == {}


def test_a_driver_that_is_killed_leaves_its_jobs_to_the_next(fresh: Path, undisturbed: Path, slurm: Slurm) -> None:
    first = overgen(fresh, "run", *TARGETS, "--on", "slurm", **slurm.environment)
    until(lambda: all(begun(fresh, model) for model in CELLS))
    before = slurm.say("squeue", "--noheader", "--array", "--format=%i")
    first.kill()
    first.communicate()
    second = overgen(fresh, "run", *TARGETS, "--on", "slurm", **slurm.environment)
    out, err = second.communicate(timeout=400)
    assert second.returncode == 0, out + err
    assert out.count("its job is at work already") == 3
    assert len(list(fresh.glob(".overgen/jobs/*_[0-9]"))) == len(before.split())  # no job beside those of the first
    same_cells(fresh, undisturbed)
    assert run_dvc(fresh, "repro", "--dry", *TARGETS) == set()


def test_ctrl_c_cancels_the_jobs_and_a_second_call_goes_on(fresh: Path, undisturbed: Path, slurm: Slurm) -> None:
    process = overgen(fresh, "run", *TARGETS, "--on", "slurm", **slurm.environment)
    until(lambda: all(begun(fresh, model) for model in CELLS))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in err
    until(lambda: not slurm.say("squeue", "--noheader").strip())
    out, err = overgen(fresh, "run", *TARGETS, "--on", "slurm", **slurm.environment).communicate(timeout=400)
    assert "3 stages ran" in out, out + err
    assert logs(fresh).count("seed0 goes on from its last whole epoch") == 3
    same_cells(fresh, undisturbed)
    assert run_dvc(fresh, "repro", "--dry", *TARGETS) == set()


def test_a_cell_that_fails_leaves_the_others_and_is_named_at_the_end(
    fresh: Path, undisturbed: Path, slurm: Slurm
) -> None:
    lines = (fresh / "dvc.yaml").read_text()
    broken = lines.replace(
        "cmd: python -m overgen.run train_classifier --dataset ${item.dataset} --model ${item.model}",
        "cmd: test ${item.model} != cool && python -m overgen.run train_classifier --dataset ${item.dataset} "
        "--model ${item.model}",
    )
    assert broken != lines
    (fresh / "dvc.yaml").write_text(broken)
    process = overgen(fresh, "run", *TARGETS, "--on", "slurm", **slurm.environment)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 1
    assert "1 of 5 stages failed:\n  train_classifier@digits-cool: " in err
    assert out.count("' took ") == 3, out  # code and two cells


@pytest.mark.parametrize("name", ["README.md", "docs/running.md"])
def test_the_lines_for_srun_run(name: str, tmp_path: Path, digits: Path, undisturbed: Path, slurm: Slurm) -> None:
    page = re.sub(r"\\\n\s+", "", (ROOT / name).read_text())
    for line in re.findall(r"^    (.*\bsrun .*)$", page, re.M):
        workspace = make_workspace(tmp_path / "workspace", digits, **LONG)
        smaller = line.replace("mnist", "digits").replace("OVERGEN_DEVICES=4 OVERGEN_NODES=2", "OVERGEN_DEVICES=2")
        smaller = smaller.replace("--nodes 2", "--nodes 1").replace("--ntasks-per-node 4", "--ntasks-per-node 2")
        smaller = smaller.replace("train_openset", "train_classifier")
        done = subprocess.run(
            ["/bin/sh", "-c", smaller], cwd=workspace, capture_output=True, text=True,
            env=os.environ | slurm.environment | {"PYTHONPATH": str(workspace / "src"), "OVERGEN_TRACKING": "off"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        same_cells(workspace, undisturbed, models=["cnn"])
