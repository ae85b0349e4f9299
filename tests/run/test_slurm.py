"""`overgen run --on slurm` on a real SLURM: cells that are preempted, killed, or lose their node, and their drivers.

Needs Debian's slurm-wlm and munge, and root; skipped where they are not.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
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


SHELL = """
import sys
from contextlib import closing
from overgen.run.clusters import open_cluster
from overgen.run.reproduce import reproduce
with closing(open_cluster("slurm", {}, 2)) as cluster:
    raise SystemExit(reproduce(jobs=sys.maxsize, force=True, cluster=cluster))
"""


@pytest.fixture
def shell(tmp_path: Path, slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A study of one stage, which is a shell's: its commands hear of it themselves when a job is to end."""
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    (tmp_path / "params.yaml").write_text("{}")
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets/times.csv").write_text((ROOT / "budgets/times.csv").read_text().split("\n")[0] + "\n")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    yield tmp_path
    slurm.say("scancel", "--user=root")
    until(lambda: not slurm.say("squeue", "--noheader").strip())


def drive(folder: Path, slurm: Slurm, cmd: str) -> subprocess.Popen[str]:
    """Start a driver of a stage with this command, and wait until it says that it has begun."""
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"stage": {"cmd": cmd, "outs": ["out"]}}}))
    driver = subprocess.Popen(
        [sys.executable, "-c", SHELL], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | slurm.environment,
    )  # fmt: skip
    until(lambda: (folder / "said").exists() or driver.poll() is not None)
    return driver


@pytest.mark.parametrize("grace", [0, 5])
def test_commands_that_end_as_slurm_tells_them_to_are_no_result(shell: Path, slurm: Slurm, grace: int) -> None:
    """Of a job that is preempted: it begins again, in the queue, and the driver waits for that."""
    slurm.say("scontrol", "update", "PartitionName=low", f"GraceTime={grace}")
    try:
        driver = drive(shell, slurm, "echo begun >> said; sleep 6 && echo whole > out || echo broken > out")
        slurm.say("sbatch", "--partition=high", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
        said, _ = driver.communicate(timeout=120)
    finally:
        slurm.say("scontrol", "update", "PartitionName=low", "GraceTime=0")
    assert driver.returncode == 0, said
    assert (shell / "said").read_text() == "begun\nbegun\n"
    assert (shell / "out").read_text() == "whole\n"


def test_a_job_that_is_cancelled_from_outside_has_failed(shell: Path, slurm: Slurm) -> None:
    driver = drive(shell, slurm, "echo begun >> said; sleep 300; echo > out")
    slurm.say("scancel", "--user=root")
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert "stage: the job ended without a result (state " in said


def test_after_ctrl_c_the_next_call_waits_for_what_is_slow_to_end(shell: Path, slurm: Slurm) -> None:
    """Both would write the same output."""
    slow = "trap 'echo told >> said' TERM; echo begun $$ >> said; sleep 1; sleep 1; sleep 1; "
    slow += "echo end $$ >> said; echo > out"
    driver = drive(shell, slurm, slow)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=30)
    assert driver.returncode == 130
    said, _ = drive(shell, slurm, slow).communicate(timeout=120)
    assert "is cancelled: waiting for its end" in said
    begun = [line.split()[1] for line in (shell / "said").read_text().splitlines() if line.startswith("begun")]
    end = [line.split()[1] for line in (shell / "said").read_text().splitlines() if line.startswith("end")]
    assert len(begun) == 2, said
    assert end[-1] == begun[1]
    assert (shell / "said").read_text().splitlines()[-2:] == [f"begun {begun[1]}", f"end {begun[1]}"]


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
