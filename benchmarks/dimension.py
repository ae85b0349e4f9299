"""Intrinsic dimension by three estimators against scikit-dimension's (the extra `oracle`) on the same images.

    python benchmarks/dimension.py [images] [rounds]

MNIST's training images (`dvc repro download@mnist` first), without repeated ones, of which scikit-dimension's maximum
likelihood answers 0. In turn, one run; CPU time, one thread (OMP_NUM_THREADS=1). The values are compared.

One busy core of an AMD EPYC (Zen 3, AVX2), 60,000 images:

    ours                     112.4 s  14.902421695, 13.367632497, 4.336307333
    scikit-dimension         875.3 s  14.902421695, 13.367632497, 4.336307333
    7.8 times as fast (goal 5); values differ by at most 1.6e-14 of themselves (goal 1e-6)

On 20,000 images it was 5.8 times, on 10,000 3 times (a core of an Intel Xeon with AVX-512): what is linear in their
number, the distances of candidates, weighs more there.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import skdim

from overgen import data
from overgen.measures.dimension import ESTIMATORS, dimension
from overgen.measures.neighbours import distinct

NEIGHBOURS = 20  # scikit-dimension's default


def ours(x: np.ndarray) -> list[float]:
    found = dimension(x, neighbours=NEIGHBOURS)
    return [getattr(found, name) for name in ESTIMATORS]


def theirs(x: np.ndarray) -> list[float]:
    return [
        float(skdim.id.TwoNN().fit(x).dimension_),
        float(skdim.id.MLE().fit(x, n_neighbors=NEIGHBOURS).dimension_),
        float(skdim.id.CorrInt().fit(x).dimension_),
    ]


def timed(name: str, work: Callable[[np.ndarray], list[float]], x: np.ndarray) -> tuple[float, list[float]]:
    """Seconds of CPU time (other work on the machine does not count), and the values."""
    begin = time.process_time()
    values = work(x)
    seconds = time.process_time() - begin
    print(f"{name:20s} {seconds:9.1f} s  {', '.join(f'{value:.9f}' for value in values)}", flush=True)
    return seconds, values


def main(count: int, rounds: int) -> None:
    images = data.floats(data.load("mnist").train_images[:count]).flatten(1).numpy()
    x = images[distinct(images)]
    print(f"{platform.processor() or platform.machine()}, {len(x):,} of {count:,} images, numpy {np.__version__}")
    theirs(x[:200]), ours(x[:200])  # imports and compilation
    fast, slow = [], []
    for _ in range(rounds):
        seconds, found = timed("ours", ours, x)
        fast.append(seconds)
        seconds, reference = timed("scikit-dimension", theirs, x.astype(np.float64))
        slow.append(seconds)
        off = max(abs(a / b - 1) for a, b in zip(found, reference, strict=True))
    ratio = statistics.median(slow) / statistics.median(fast)
    print(f"{ratio:.1f} times as fast (goal 5); values differ by at most {off:.1e} of themselves (goal 1e-6)")


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    main(*(given + [60_000, 1][len(given) :]))
