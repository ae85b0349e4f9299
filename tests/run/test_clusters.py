"""`overgen run` and `overgen cells` without a cluster: small pipelines, on this machine by submitit."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import dvc.cli
import pytest
import yaml
import zc.lockfile
from dvc.repo import Repo

from overgen import OvergenError, arguments
from overgen.run import clusters, commands, hints
from overgen.run.cells import as_text, cells
from overgen.run.clusters import Estimates, Needs, last_lines, open_cluster
from overgen.run.reproduce import reproduce
from overgen.run.work import Done, Killed, Work, has_ended, passed_on

from schedulers import until

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie

SOURCE = Path(clusters.__file__).parents[2]
PIPELINE = """
stages:
  first: {cmd: echo 1 > first, deps: [source], outs: [first]}
  cell:
    matrix: {n: [2, 1]}
    cmd: echo ${item.n} > cell${item.n} && printenv CUDA_VISIBLE_DEVICES > seen${item.n} || true
    deps: [first]
    outs: ["cell${item.n}"]
  bad: {cmd: "echo it is bad; exit 3", deps: [first], outs: [bad]}
  last: {cmd: cat cell1 cell2 > last, deps: [cell1, cell2], outs: [last]}
  below: {cmd: cat bad last > below, deps: [bad, last], outs: [below]}
"""

ON_LOCAL = """
from contextlib import closing
from overgen.run.clusters import open_cluster
from overgen.run.reproduce import reproduce
with closing(open_cluster("local", {}, 2)) as cluster:
    raise SystemExit(reproduce(jobs=2, cluster=cluster))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of Git and DVC with a small pipeline, as the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    subprocess.run(["git", "init", "-q", "."], check=True)
    Repo.init().close()
    Path("dvc.yaml").write_text(PIPELINE)
    Path("params.yaml").write_text("{}")
    Path("source").write_text("s")
    hints.TIMES.parent.mkdir()
    hints.TIMES.write_text(",".join(hints.COLUMNS) + "\n")
    return tmp_path


def on_local(*targets: str, **options: object) -> int:
    with closing(open_cluster("local", options, 2)) as cluster:
        return reproduce(targets, jobs=2, cluster=cluster)


def test_a_stage_that_fails_leaves_the_others_and_the_lock_is_dvcs(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")  # which submitit hides
    theirs = shutil.copytree(folder, folder.with_name("theirs"))
    assert on_local() == 1
    out, err = capfd.readouterr()
    (log,) = [path for path in folder.glob(".overgen/jobs/*/*_log.out") if "it is bad" in path.read_text()]
    assert "1 of 6 stages failed:\n  bad: echo it is bad; exit 3 (exit status 3)\n" in err
    assert f"    {log} ends with\n    | it is bad\n" in err
    assert "not run, since they hang on these: below\n" in err
    assert out.count("' took ") == 4
    assert Path("seen1").read_text() == "3,1\n"

    for place in (folder, theirs):
        os.chdir(place)
        Path("dvc.yaml").write_text(PIPELINE.replace("exit 3", "echo > bad"))
    assert dvc.cli.main(["repro"]) == 0
    os.chdir(folder)
    assert on_local() == 0
    assert "2 stages ran." in capfd.readouterr().out
    assert yaml.safe_load((theirs / "dvc.lock").read_text()) == yaml.safe_load((folder / "dvc.lock").read_text())
    assert on_local() == 0
    assert "Data and pipelines are up to date." in capfd.readouterr().out
    with Repo() as repo:
        assert not repo.status()


@pytest.mark.parametrize(("number", "group"), [("INT", False), ("INT", True), ("HUP", True), ("KILL", False)])
def test_a_driver_that_is_stopped_leaves_nothing_at_work(folder: Path, number: str, group: bool) -> None:
    """The commands of a shell, which do not watch who started them, end with the driver. group: as by a terminal."""
    Path("dvc.yaml").write_text("stages: {slow: {cmd: echo $$ > begun; sleep 300; echo > out, outs: [out]}}")
    driver = subprocess.Popen(
        [sys.executable, "-c", ON_LOCAL], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until(lambda: Path("begun").exists() and Path("begun").read_text())
    pid = int(Path("begun").read_text())  # which leads the session of all that the stage has started
    assert not has_ended(pid)
    (os.killpg if group else os.kill)(driver.pid, signal.Signals[f"SIG{number}"])
    began = time.monotonic()
    driver.communicate()
    assert time.monotonic() - began < 8  # submitit would wait 15 seconds for a result that cannot come
    until(lambda: not of_session(pid), 8)
    assert not Path("out").exists()


def test_a_result_that_another_process_of_this_number_has_left_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    from submitit.local import local

    start = local.start_controller

    def reused(folder: Path, **given: object) -> subprocess.Popen[bytes]:
        process = start(folder=folder, **given)
        place = Path(str(folder).replace("%j", str(process.pid)))
        place.mkdir()
        (place / f"{process.pid}_0_result.pkl").write_bytes(pickle.dumps(("success", Done(0, 1.0, ""))))
        process.kill()  # so that it leaves none of its own
        return process

    Path("dvc.yaml").write_text("stages: {stage: {cmd: 'true', always_changed: true}}")
    monkeypatch.setattr(local, "start_controller", reused)
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)
    assert on_local() == 1


def of_session(pid: int) -> list[int]:
    """The processes of a session that have not ended."""
    lines = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    fields = [(int(line.split()[0]), line.rpartition(")")[2].split()) for line in lines]
    return [number for number, (state, _, _, session, *_) in fields if int(session) == pid and state != "Z"]


def test_a_cell_that_is_killed_too_often_says_so(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("dvc.yaml").write_text("stages: {killed: {cmd: sh -c 'exit 137', outs: [out]}}")
    assert on_local() == 1
    assert "Killed: killed: killed, by a person or for want of memory: sh -c 'exit 137'" in capfd.readouterr().err


def test_a_folder_that_cannot_be_written_for_a_while_is_waited_for(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the driver, whose jobs have ended, or come to nothing when submitit touches their folders."""
    pytest.importorskip("submitit")
    from overgen.run import on_submitit

    locks: list[str] = []

    class LockFile(zc.lockfile.LockFile):
        def __init__(self, path: str) -> None:
            locks.append(path)
            if path.endswith("tmp/lock") and 2 <= locks.count(path) <= 4:
                raise OSError(errno.EROFS, "Read-only file system")
            super().__init__(path)

    touched: list[object] = []
    result = on_submitit.SubmititJob.result

    def touch(job: object) -> object:
        touched.append(job)
        if touched.count(job) <= 2:
            raise OSError(errno.EROFS, "Read-only file system")
        return result(job)  # type: ignore[arg-type]

    monkeypatch.setattr("dvc.lock.zc.lockfile.LockFile", LockFile)
    monkeypatch.setattr(on_submitit.SubmititJob, "result", touch)
    Path("dvc.yaml").write_text(PIPELINE.replace("exit 3", "echo > bad"))
    assert on_local() == 0
    out, err = capfd.readouterr()
    assert out.count("' took ") == 6
    assert len(touched) == 3 * 6
    for name in ("first", "cell@1", "last"):
        assert err.count(f"{name}: {folder}/.overgen/jobs/") == 1
    assert err.count(f"{folder}/.dvc/tmp: cannot be written (Read-only file system): waiting until it can be") == 1
    with Repo() as repo:
        assert not repo.status()


def test_ctrl_c_ends_the_waiting_for_a_folder(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("dvc.yaml").write_text("stages: {one: {cmd: sleep 1; echo > one, outs: [one]}, two: {cmd: sleep 300}}")

    class LockFile(zc.lockfile.LockFile):
        def __init__(self, path: str) -> None:
            if path.endswith("tmp/lock") and list(clusters.JOBS.glob("*/*_result.pkl")):
                os.kill(os.getpid(), signal.SIGINT)
                raise OSError(errno.EROFS, "Read-only file system")
            super().__init__(path)

    monkeypatch.setattr("dvc.lock.zc.lockfile.LockFile", LockFile)
    assert on_local() == 130
    assert "interrupted (SIGINT): 'two' did not finish; the same command goes on" in capfd.readouterr().err


def test_another_fault_of_the_lock_is_no_reason_to_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[str] = []

    class LockFile(zc.lockfile.LockFile):
        def __init__(self, path: str) -> None:
            locks.append(path)
            if path.endswith("tmp/lock") and locks.count(path) == 2:
                raise OSError(errno.EACCES, "Permission denied")
            super().__init__(path)

    monkeypatch.setattr("dvc.lock.zc.lockfile.LockFile", LockFile)
    with pytest.raises(OSError, match="Permission denied"):
        on_local()


def test_a_folder_that_cannot_be_written_at_the_start_is_named(folder: Path) -> None:
    commands.LOCK.mkdir(parents=True)
    with pytest.raises(OvergenError, match=r"reproduce.lock: cannot be written \(Is a directory\); nothing was run"):
        on_local()


def test_what_is_due_is_what_dvc_would_run(folder: Path) -> None:
    rows = cells()
    assert [row["address"] for row in rows] == ["first", "cell@2", "cell@1", "bad", "last", "below"]
    assert [row["level"] for row in rows] == [0, 1, 1, 1, 2, 3]
    assert all(row["changed"] for row in rows)
    assert rows[4] | {"needs": None} == {
        "address": "last",
        "level": 2,
        "changed": True,
        "cmd": ["cat cell1 cell2 > last"],
        "after": ["cell@2", "cell@1"],
        "deps": ["cell1", "cell2"],
        "outs": ["last"],
        "needs": None,
    }
    Path("dvc.yaml").write_text(PIPELINE.replace("exit 3", "echo > bad"))
    assert reproduce() == 0
    assert cells() == []
    assert as_text([]) == "Data and pipelines are up to date."
    Path("dvc.yaml").write_text(PIPELINE.replace("exit 3", "echo > bad").replace("echo 1 >", "echo 2 >"))
    rows = cells(["last"])
    assert [(row["address"], row["changed"]) for row in rows] == [
        ("first", True), ("cell@2", False), ("cell@1", False), ("last", False),
    ]  # fmt: skip
    text = as_text(rows).splitlines()
    assert text[0].split()[:2] == ["0", "first"]
    assert text[-1].endswith("maybe: waits for what comes before")
    json.dumps(rows)


def test_what_it_asks_for_is_what_was_measured(folder: Path) -> None:
    Path("params.yaml").write_text("engine: {digits: {threads: 3}}")
    one = "a: {cmd: python -m overgen.run a --dataset digits --model cnn, outs: [a]}"
    Path("dvc.yaml").write_text(f"stages: {{{one}, b: {{cmd: touch b, outs: [b]}}}}")
    with hints.TIMES.open("a") as file:
        file.write("a,60,1,4,1/4,here\n")
    estimates = Estimates()
    with Repo() as repo:
        a, b = repo.index.stages
        assert estimates.needs(a) == Needs(cores=3, minutes=256, memory_gib=4.0, gpu=0.25)
        assert estimates.needs(a, gpus=False) == Needs(
            cores=3, minutes=clusters.UNKNOWN_MINUTES, memory_gib=None, gpu=0
        )
        assert estimates.needs(b) == Needs(cores=1, minutes=clusters.UNKNOWN_MINUTES, memory_gib=None, gpu=0)


def test_stages_are_handed_over_by_what_each_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What one group asks for, as memory, is not asked for the next; where one is refused, none goes on."""
    pytest.importorskip("submitit")
    from overgen.run import on_submitit

    given: list[dict[str, object]] = []

    class Executor(on_submitit.submitit.AutoExecutor):
        def submit(self, function: object, *rest: object) -> object:
            given.append(dict(self._executor.parameters))
            if len(given) == refused:
                raise OSError("no more")
            return super().submit(function, *rest)

    monkeypatch.setattr(on_submitit.submitit, "AutoExecutor", Executor)
    minute = f"60.{time.monotonic_ns()}"  # no other process sleeps for that long
    stages = {name: {"cmd": f"sleep {minute}; touch {name}", "outs": [name]} for name in "abc"}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    with hints.TIMES.open("a") as file:
        file.write("a,600,1,4,,here\nb,60,2,,,here\n")
    refused = 3
    with closing(open_cluster("local", {}, 3)) as cluster:
        assert reproduce(jobs=3, cluster=cluster) == 1
    asked = [tuple(each.get(name) for name in ("cpus_per_task", "timeout_min", "mem_gb")) for each in given]
    assert asked == [(1, 2048, 4), (1, clusters.UNKNOWN_MINUTES, None), (2, 128, None)]
    said = capfd.readouterr().err
    assert "3 of 3 stages failed:\n  a\n  b\n  c\nerror: --on local: the jobs were not taken: no more\n" in said
    until(lambda: minute not in subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True).stdout)
    assert not [name for name in "abc" if Path(name).exists()]
    with Repo() as repo:  # whose locks are open
        assert set(repo.status()) == set("abc")


def test_results_of_many_short_jobs_are_read(folder: Path) -> None:
    """Of those, too, that end while others are still handed over: submitit waits between two."""
    stages = {f"s{i}": {"cmd": f"touch s{i}", "outs": [f"s{i}"]} for i in range(12)}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    with closing(open_cluster("local", {}, 12)) as cluster:
        assert reproduce(jobs=12, cluster=cluster) == 0


@pytest.mark.parametrize(
    ("on", "options", "says"),
    [
        ("moon", {}, "--on moon: none of local, slurm, ray"),
        ("local", {"walltime": 3}, "--on local: submitit says: Parameter 'walltime' need to be prefixed"),
        ("local", {"tasks_per_node": 2}, "--on local: tasks_per_node=2: each task would make the whole cell"),
        ("local", {"timeout_min": "long"}, '--on local: submitit says: Parameter "timeout_min" expected type'),
    ],
)
def test_what_there_is_not_is_an_error(folder: Path, on: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(OvergenError) as raised:
        open_cluster(on, options, 1)
    assert str(raised.value).startswith(says)


def test_slurm_where_there_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(OvergenError, match=r"--on slurm: submitit says: .*srun"):
        open_cluster("slurm", {}, 1)


@pytest.mark.parametrize(("on", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_package_that_is_not_installed(on: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "overgen.run.on_submitit", raising=False)
    monkeypatch.delitem(sys.modules, "overgen.run.on_ray", raising=False)
    with pytest.raises(OvergenError, match=rf"--on {on} needs {package} .*pip install 'overgen\[{package}\]'"):
        open_cluster(on, {}, 1)


def test_folders_of_jobs_that_ended_long_ago_are_removed(folder: Path) -> None:
    pytest.importorskip("submitit")
    from overgen.run.on_submitit import DAYS, SUBMITTED

    for name, days in (("1", DAYS + 1), ("2", DAYS - 1), ("3_0", DAYS + 1), ("ray", DAYS + 1)):
        (clusters.JOBS / name).mkdir(parents=True)
        (clusters.JOBS / name / "log").touch()
        then = time.time() - days * 24 * 3600
        os.utime(clusters.JOBS / name, (then, then))
    SUBMITTED.write_text('{"a": {"job": "3_0", "state": "s"}}')
    open_cluster("local", {}, 1)
    assert {path.name for path in clusters.JOBS.iterdir()} == {"2", "3_0", "ray", SUBMITTED.name}


def test_options_are_yaml() -> None:
    assert arguments.options_of(["slurm_partition=gpu", "timeout_min=90", "a=[1, x]"]) == {
        "slurm_partition": "gpu", "timeout_min": 90, "a": [1, "x"],
    }  # fmt: skip
    for texts, says in ((["gpu"], "must be key=value"), (["a=1", "a=2"], "given twice"), (["a=[1"], "--option a: ")):
        with pytest.raises(OvergenError, match=says):
            arguments.options_of(texts)


def work(folder: Path, *lines: str, **extra: object) -> Work:
    given: dict[str, object] = {"log": str(folder / "log"), "environment": ()}
    commands = tuple(("/bin/sh", "-c", line) for line in lines)
    return Work("s", commands, str(folder), str(folder / "bin"), **(given | extra))  # type: ignore[arg-type]


def test_work_is_done_line_by_line_until_one_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST", "1")
    done = work(folder, "echo $GIVEN $LOST", "exit 4", "echo never",
                environment=(("GIVEN", "g"), ("LOST", None)))()  # fmt: skip
    assert done == Done(4, done.seconds, "exit 4")
    assert (folder / "log").read_text() == "g\n"
    program = folder / "bin/tool"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert work(folder, "tool").__call__().status == 0
    assert (folder / "log").read_text() == "g\nfound\n"


def test_work_that_is_killed_or_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed, match="s: killed, by a person or for want of memory: kill"):
        work(folder, f"kill -{signal.SIGKILL.value} $$")()
    with pytest.raises(FileNotFoundError, match="a folder that all machines share"):
        work(tmp_path / "elsewhere", "true")()
    assert work(folder).again().kills == 1


def test_work_that_is_killed_begins_again_three_times(folder: Path) -> None:
    pytest.importorskip("submitit")
    from overgen.run.on_submitit import Resumable

    killed = "echo begun >> log2; test $(wc -l < log2) -gt {0} || kill -9 $$"
    assert Resumable(work(folder, killed.format(3)))().status == 0
    assert (folder / "log2").read_text().count("begun") == 4
    (folder / "log2").unlink()
    with pytest.raises(Killed):
        Resumable(work(folder, killed.format(4)))()
    job = Resumable(work(folder, "true"))
    assert job.checkpoint().function.work.kills == 0  # preempted
    job.killed = True
    assert job.checkpoint().function.work.kills == 1


def test_what_of_the_environment_goes_along() -> None:
    given = {"OVERGEN_MIRROR": "m", "HOME": "h", "OVERGEN_DRIVER": "1", "DVC_STAGE": "s", "MLFLOW_TRACKING_URI": "u"}
    assert dict(passed_on(given)) == {"OVERGEN_MIRROR": "m", "DVC_STAGE": "s", "MLFLOW_TRACKING_URI": "u"}


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == []
    lines = [b"x" * 200_000, *(b"%d\n" % i for i in range(20)), b"a\rb", b"submitit INFO (x) - y", b"\xff"]
    log.write_bytes(b"\n".join(lines))
    assert last_lines(log, 3) == ["19", "b", "\ufffd"]
