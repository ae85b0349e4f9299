"""What the pipeline costs beside the work itself, against another checkout: `python benchmarks/pipeline.py OLD`.

OLD is a checkout of the commit to compare with, such as 4ae8714, in which `make .venv/.ready` was run; so is this one.
Both are brought to the state of a fresh clone (`git clean -fdx`, but for the environment) before each `reproduce`, so
neither may hold work that is not committed. The two take turns; a row gives both medians and the ratio.

    python benchmarks/pipeline.py ../old reproduce noop sync report lock   # or some of them, or `test`; --repeat 3

Two cores of an Intel Xeon with AVX-512, nothing else running, against 4ae8714 (n: runs of each, taking turns):

    reproduce     530.5 s       191.5 s       0.36, n = 1
    noop            4.9 s         3.7 s       0.75, n = 3 (CPU)
    noop2           4.8 s         2.1 s       0.45, n = 3 (CPU)
    sync            5.4 s         0.4 s       0.08, n = 3
    report         30.0 s        12.2 s       0.41, n = 3
    lock         17,504 lines   6,716 lines   0.38

reproduce   wall time of `make reproduce` on digits, packages there
noop        CPU time of `dvc repro report@digits` when nothing is to do
noop2       the same of `overgen reproduce report@digits`, against the old `dvc repro`
sync        wall time of `overgen sync` as `make reproduce` ends with it
report      wall time of report@digits alone
lock        lines of dvc.lock
test        wall time of `make test`
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def run(checkout: Path, command: str) -> tuple[float, float]:
    """Wall and CPU seconds of a shell command in a checkout, with its environment first. Raises if it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        f'PATH="$PWD/.venv/bin:$PATH" {command}', cwd=checkout, shell=True, capture_output=True, text=True
    )
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{checkout}: `{command}` ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def as_cloned(checkout: Path) -> None:
    """Bring a checkout to the state of a fresh clone, but for its environment."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=checkout, capture_output=True, text=True).stdout
    strange = [line for line in changed.splitlines() if line[3:] != "dvc.lock"]
    if strange:
        sys.exit(f"{checkout}: has work that is not committed:\n" + "\n".join(strange))
    for command in ("git checkout -q dvc.lock", "git clean -fdxq -e .venv"):
        subprocess.run(command.split(), cwd=checkout, check=True)
    shutil.rmtree(checkout / ".dvc/cache", ignore_errors=True)


def reproduce(checkout: Path) -> float:
    as_cloned(checkout)
    return run(checkout, "make reproduce")[0]


def noop(checkout: Path) -> float:
    return run(checkout, "dvc repro report@digits")[1]


def noop2(checkout: Path) -> float:
    new = (checkout / "src/overgen/run/reproduce.py").exists()
    return run(checkout, f"{'overgen reproduce' if new else 'dvc repro'} report@digits")[1]


def sync(checkout: Path) -> float:
    several = (checkout / "src/overgen/run/sync.py").exists()  # before, it logged the cells of all data sets
    return run(checkout, "overgen sync digits" if several else "overgen sync")[0]


def report(checkout: Path) -> float:
    new = (checkout / "src/overgen/run/__main__.py").exists()
    return run(checkout, f"python -m overgen.run {'' if new else 'stages.'}report --dataset digits")[0]


def lock(checkout: Path) -> float:
    return len((checkout / "dvc.lock").read_text().splitlines())


def test(checkout: Path) -> float:
    return run(checkout, "make test")[0]


MEASURES: dict[str, tuple[Callable[[Path], float], str]] = {
    "reproduce": (reproduce, "s"),
    "noop": (noop, "s of CPU"),
    "noop2": (noop2, "s of CPU"),
    "sync": (sync, "s"),
    "report": (report, "s"),
    "lock": (lock, "lines"),
    "test": (test, "s"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="The pipeline's cost, this checkout against another.")
    parser.add_argument("old", type=Path)
    parser.add_argument("what", nargs="*", default=[name for name in MEASURES if name != "test"])
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args()
    checkouts = {"old": given.old.resolve(), "new": HERE}
    print(f"{'':12}{'old':>10}{'new':>10}  new/old")
    for name in given.what:
        measure, unit = MEASURES[name]
        taken: dict[str, list[float]] = {which: [] for which in checkouts}
        for _ in range(1 if name == "lock" else given.repeat):
            for which, checkout in checkouts.items():
                taken[which].append(measure(checkout))
        old, new = (statistics.median(taken[which]) for which in checkouts)
        print(f"{name:12}{old:>10.1f}{new:>10.1f}  {new / old:.2f}  {unit}, n = {len(taken['new'])}", flush=True)


if __name__ == "__main__":
    main()
