"""Cells handed to schedulers: what that costs, and what it saves.

    python benchmarks/schedulers.py nothing --cells 700     # many cells that do nothing, by each scheduler
    python benchmarks/schedulers.py digits                  # the digits study, by `--on local` against `dvc repro`

**nothing.** What it costs to hand over a cell, wait for it and record it: nothing of that is the cell's own work. Each
scheduler gets a new DVC repository with the same stages, which depend on one and are depended on by one. SLURM is
started for it, as in the tests, where it is installed; else it is left out.

**digits.** Wall time of report@digits, by each in a clone of its own of this checkout, one after the other, untracked.

Two cores of an AMD EPYC, nothing else running, 100 cells, two at a time on this machine:

                s a cell   CPU of the driver, s a cell   MiB of the driver
    dvc            0.340
    reproduce      0.051                         0.042                  79
    local          0.582                         0.057                  81
    slurm          0.685                         0.067                  86

    ray            0.486                         0.117                 177   (30 cells, Ray's start among it)

Not measured: 700 cells; the digits study.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from overgen.run.clusters import open_cluster
from overgen.run.reproduce import reproduce
on, jobs = sys.argv[1], int(sys.argv[2])
began = time.monotonic()
if on == "reproduce":
    status = reproduce(jobs=jobs)
else:
    with closing(open_cluster(on, {}, jobs)) as cluster:
        status = reproduce(jobs=cluster.jobs or sys.maxsize, cluster=cluster)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"status": status, "wall": time.monotonic() - began, "own": used.ru_utime + used.ru_stime,
                  "mib": used.ru_maxrss / 1024}))
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
            if on == "dvc":
                command = [sys.executable, "-m", "dvc", "repro", "-q"]
            else:
                command = [sys.executable, "-c", PROGRAM, on, str(jobs)]
            done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True)
            wall = time.monotonic() - before
            if done.returncode:
                sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
            said = json.loads(done.stdout.splitlines()[-1]) if on != "dvc" else {}
            status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=folder, capture_output=True, text=True)
            assert "up to date" in status.stdout, status.stdout
            assert (folder / "last").read_text().strip() == str(cells)
            return said | {"wall": wall}


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
    print(f"{'':10} {'s a cell':>9} {'driver, CPU s a cell':>21} {'driver, MiB':>12}")
    for on in arguments.on:
        if (found := measure(on, arguments.cells, arguments.jobs)) is not None:
            own = f"{found['own'] / arguments.cells:21.3f} {found['mib']:12.0f}" if "own" in found else ""
            print(f"{on:10} {found['wall'] / arguments.cells:9.3f} {own}", flush=True)


if __name__ == "__main__":
    main()
