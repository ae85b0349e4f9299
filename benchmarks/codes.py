"""The size curve's 45 autoencoders (stage train_codes): two processes of one thread each, against one of two threads.

    python benchmarks/codes.py [dataset] [images] [epochs]     # mnist 5000 5, which must be in data/

Runs the stage itself in a temporary folder, each way once. Wall times are told as a whole, imports too, and without the
start: less those of two networks of one step each. The errors must agree; with other numbers of threads they do but for
the last digits. Two processes share the networks as in

    OVERGEN_DEVICES=2 python -m overgen.run train_codes --dataset mnist --model codes

Two idle cores of an AMD EPYC (Zen 3, AVX2), torch 2.15, `mnist 5000 3`:

    one after another, two threads     101.6 s, without the start 87.7 s, mean error 0.034150
    side by side, one thread each       84.7 s, without the start 62.1 s, mean error 0.034150
    1.41 times as fast side by side, 45 networks (goal 1.7)

The goal is out of reach there. A step of a network with a code of 64 units, in a plain loop, takes 14.9 ms with one
thread and 12.3 ms with two: at most 1.65 times. Beside another process it takes 16.3 ms: both share cache and memory.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

ROOT = Path(__file__).resolve().parent.parent


def main(dataset: str, images: int, epochs: int) -> None:
    """Time both ways."""
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {os.cpu_count()} cores, load "
          f"{os.getloadavg()[0]:.1f}, {dataset}: {images} images, {epochs} epochs")  # fmt: skip
    seconds, errors = {}, {}
    for name, processes, threads in (("one after another, two threads", 1, 2), ("side by side, one thread each", 2, 1)):
        with tempfile.TemporaryDirectory() as folder:
            workspace = prepared(Path(folder), dataset, images=images, epochs=epochs, threads=threads)
            whole = timed(workspace, dataset, processes)
            curves = pd.read_csv(workspace / "reports/cells" / dataset / "train_codes/codes/curves.csv")
        errors[name] = curves.groupby("network", sort=False)["test_error"].last().to_numpy()
        with tempfile.TemporaryDirectory() as folder:
            short = prepared(Path(folder), dataset, images=100, epochs=1, threads=threads, sizes=[1], seeds=[0, 1])
            seconds[name] = whole - timed(short, dataset, processes)
        print(f"    {name:32}{whole:8.1f} s, without the start {seconds[name]:.1f} s, mean error "
              f"{errors[name].mean():.6f}", flush=True)  # fmt: skip
    first, second = seconds.values()
    np.testing.assert_allclose(*errors.values(), rtol=0.05)
    print(f"    {first / second:.2f} times as fast side by side, {len(curves['network'].unique())} networks")


def prepared(folder: Path, dataset: str, *, images: int, epochs: int, threads: int, **changes: list[int]) -> Path:
    """A folder in which the stage runs: this checkout's code and data, with only the size curve to train.

    changes: of its sizes and seeds.
    """
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    section = params["train_codes"][dataset]
    section |= {"images": images, "epochs": epochs, "threads": threads}
    section["codes"] = {"ae": section["codes"]["ae"] | changes}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    (folder / "src").mkdir()
    for name in ("src/overgen", "src/own", "data"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def timed(folder: Path, dataset: str, processes: int) -> float:
    """The wall time of the stage, in seconds, by so many processes."""
    command = [sys.executable, "-m", "overgen.run", "train_codes", "--dataset", dataset, "--model", "codes"]
    own = {"PYTHONPATH": str(ROOT / "src"), "OVERGEN_DEVICES": str(processes), "OVERGEN_ACCELERATOR": "cpu",
           "OVERGEN_TRACKING": "off", "OVERGEN_PROGRESS": "off"}  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.monotonic() - started


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*given[:1] or ("mnist",), *(int(text) for text in (*given[1:], *("5000", "5")[len(given[1:]) :])))
