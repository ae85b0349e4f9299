"""Cells handed to schedulers: what that costs, and what it saves.

    python benchmarks/schedulers.py nothing --cells 700     # many cells that do nothing, by each scheduler
    python benchmarks/schedulers.py nothing --on xargs      # the same, by `dvc repro -s` for each cell
    python benchmarks/schedulers.py digits                  # the digits study, by `--on local` against `dvc repro`

**nothing.** What it costs to hand over a cell, wait for it and record it: nothing of that is the cell's own work. Each
scheduler gets a new DVC repository with the same stages, which depend on one and are depended on by one. SLURM is
started for it, as in the tests, where it is installed; else it is left out. Of DVC's lock it says how often it was
taken, how often somebody had to wait for it and for how long in all, and of 5 looks a second the share that found it
taken: so often `dvc status` beside it would have to wait.

**digits.** Wall time of report@digits, by each in a clone of its own of this checkout, one after the other, untracked.

Two cores of an AMD EPYC, nothing else running, 100 cells, two at a time on this machine:

                s a cell   CPU of the driver, s a cell   MiB of the driver
    dvc            0.340
    reproduce      0.051                         0.042                  79
    local          0.582                         0.057                  81
    slurm          0.685                         0.067                  86

    ray            0.486                         0.117                 177   (30 cells, Ray's start among it)

Of DVC's lock, with 10 cells and others at work on the machine: neither `dvc` nor a driver had to wait for it. `xargs`,
two `dvc repro -s` at a time, had to once, for 0.5 s, which is DVC's time between two attempts.

Not measured: 700 cells; the digits study.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
PIPELINE = """
stages:
  first: {cmd: echo 1 > first, outs: [first]}
  cell:
    matrix: {n: "${numbers}"}
    cmd: echo ${item.n} > cells/${item.n}
    deps: [first]
    outs: ["cells/${item.n}": {cache: false, persist: true}]
  last: {cmd: ls cells | wc -l > last, deps: [cells], outs: [last]}
"""
PROGRAM = """
import json, resource, sys, time
from contextlib import closing
import dvc.lock
on, jobs = sys.argv[1], int(sys.argv[2])
locks = {"taken": 0, "waited": 0, "seconds": 0.0}
lock, attempt = dvc.lock.Lock.lock, dvc.lock.Lock._do_lock
refused = []
def counted(self):
    refused.clear()
    lock(self)
    locks["taken"] += 1
    if refused:
        locks["waited"] += 1
        locks["seconds"] += time.monotonic() - refused[0]
def tried(self):
    try:
        attempt(self)
    except dvc.lock.LockError:
        refused.append(time.monotonic())
        raise
dvc.lock.Lock.lock, dvc.lock.Lock._do_lock = counted, tried
if on == "dvc":
    from dvc.cli import main
    status = main(sys.argv[3:])
else:
    from overgen.run.clusters import open_cluster
    from overgen.run.reproduce import reproduce
    if on == "reproduce":
        status = reproduce(jobs=jobs)
    else:
        with closing(open_cluster(on, {}, jobs)) as cluster:
            status = reproduce(jobs=cluster.jobs or sys.maxsize, cluster=cluster)
used = resource.getrusage(resource.RUSAGE_SELF)
print("\\n" + json.dumps({"own": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024} | locks))
sys.exit(status)
"""


def repository(folder: Path, cells: int) -> None:
    """A new DVC repository with so many stages."""
    (folder / "cells").mkdir(parents=True)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text(json.dumps({"numbers": list(range(cells))}))
    (folder / "budgets").mkdir()
    shutil.copy(ROOT / "budgets/times.csv", folder / "budgets")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=folder, check=True)


@contextmanager
def environment(on: str, folder: Path) -> Iterator[dict[str, str] | None]:
    """What a scheduler is found by; None where it is not installed."""
    if on != "slurm":
        yield {}
        return
    import schedulers

    if missing := schedulers.missing_programs():
        print(f"slurm: left out: {missing}", file=sys.stderr)
        yield None
        return
    cluster = schedulers.Slurm(folder)
    try:
        yield cluster.environment
    finally:
        cluster.stop()


def measure(on: str, cells: int, jobs: int) -> dict[str, float] | None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:  # daemons write to the last
        (Path(place) / "slurm").mkdir()
        with environment(on, Path(place) / "slurm") as extra:
            if extra is None:
                return None
            folder = Path(place) / "study"
            repository(folder, cells)
            before = time.monotonic()
            given = os.environ | extra | {"PYTHONPATH": str(ROOT / "src")}
            with looked_at(folder / ".dvc/tmp/lock") as held:
                said = [say for command in commands(on, cells, jobs) for say in run(command, folder, given)]
            wall = time.monotonic() - before
            status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=folder, capture_output=True, text=True)
            assert "up to date" in status.stdout, status.stdout
            assert (folder / "last").read_text().strip() == str(cells)
            sums = {name: sum(say[name] for say in said) for name in ("own", "taken", "waited", "seconds")}
            return sums | {"wall": wall, "mib": max(say["mib"] for say in said), "held": sum(held) / max(1, len(held))}


def commands(on: str, cells: int, jobs: int) -> list[list[str]]:
    """What is run one after another. `xargs`: a `dvc repro -s` for each cell, so many at a time."""
    dvc = [sys.executable, "-c", PROGRAM, "dvc", "0"]
    if on == "dvc":
        return [[*dvc, "repro", "-q"]]
    if on != "xargs":
        return [[sys.executable, "-c", PROGRAM, on, str(jobs)]]
    each = shlex.join([*dvc, "--wait-for-lock", "repro", "-q", "-s", "cell@NUMBER"])
    each = f"seq 0 {cells - 1} | xargs -P {jobs} -I NUMBER {each}"
    return [[*dvc, "repro", "-q", "first"], ["sh", "-c", each], [*dvc, "repro", "-q"]]


def run(command: list[str], folder: Path, environment: dict[str, str]) -> list[dict[str, float]]:
    """Run one, and give what each `PROGRAM` in it said."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"own"')]


@contextmanager
def looked_at(lock: Path) -> Iterator[list[bool]]:
    """Looks, five a second, at whether a file is locked by anybody: Linux says so."""
    held: list[bool] = []
    end = threading.Event()

    def look() -> None:
        while not end.wait(0.2):
            with suppress(FileNotFoundError):
                inode = f":{lock.stat().st_ino} "
                lines = Path("/proc/locks").read_text().splitlines()
                held.append(any("FLOCK" in line and inode in line for line in lines))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield held
    finally:
        end.set()
        thread.join()


def digits(arguments: argparse.Namespace) -> None:
    """Print the wall time of each way to run the digits study, and the ratio."""
    ways = {"dvc": [sys.executable, "-m", "dvc", "repro", "-q", "report@digits"]}
    for on in arguments.on:
        command = [sys.executable, "-m", "overgen.cli", *(["run", "--on", on] if on != "reproduce" else ["reproduce"])]
        ways[on] = [*command, "--jobs", str(arguments.jobs), "report@digits"]
    took = {}
    for name, command in ways.items():
        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["git", "clone", "-q", ROOT, f"{place}/study"], check=True)
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            given = {"PATH": path, "PYTHONPATH": f"{place}/study/src", "OVERGEN_TRACKING": "off"}
            began = time.monotonic()
            subprocess.run(command, cwd=f"{place}/study", env=os.environ | given, check=True, stdout=subprocess.DEVNULL)
            took[name] = time.monotonic() - began
            ratio = took[name] / took["dvc"]
            print(f"{name:10} {took[name]:7.1f} s {ratio:6.2f}  load {os.getloadavg()[0]:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["nothing", "digits"])
    parser.add_argument("--cells", type=int, default=700)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--on", nargs="+", help="default: all for nothing, local for digits")
    arguments = parser.parse_args()
    if arguments.what == "digits":
        arguments.on = arguments.on or ["local"]
        digits(arguments)
        return
    arguments.on = arguments.on or ["dvc", "reproduce", "local", "slurm", "ray"]
    print(f"{arguments.cells} cells, {arguments.jobs} at a time on this machine; load {os.getloadavg()[0]:.1f}")
    print(f"{'':10} {'s a cell':>9} {'driver, CPU s a cell':>21} {'driver, MiB':>12} {'lock: taken':>12} {'waited':>7} "
          f"{'s':>6} {'held':>5}")  # fmt: skip
    for on in arguments.on:
        if (found := measure(on, arguments.cells, arguments.jobs)) is not None:
            print(f"{on:10} {found['wall'] / arguments.cells:9.3f} {found['own'] / arguments.cells:21.3f} "
                  f"{found['mib']:12.0f} {found['taken']:12.0f} {found['waited']:7.0f} {found['seconds']:6.1f} "
                  f"{found['held']:5.0%}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
