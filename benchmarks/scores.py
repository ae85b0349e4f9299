"""Open-set scores against their peers: OpenMax against pytorch-ood's, neighbours against scikit-learn's brute force.

    python benchmarks/scores.py [reference inputs for the neighbours] [queries]

Random logits of 10 classes and random inputs of 784 columns on 30 directions, one run; the peers' values are compared.
CPU time, one thread (OMP_NUM_THREADS=1).

One busy core of an AMD EPYC, 30,000 reference inputs and 1,000 queries:

    OpenMax of 10,000 rows              0.010 s
    pytorch-ood                         4.395 s     448 times as fast (goal 50)
    neighbours of 1,000 among 30,000    0.791 s
    scikit-learn, brute force           1.120 s     1.4 times as fast (goal 1)

The neighbours' first cost, centring the reference inputs, is paid when they are fitted and is not in it.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from pytorch_ood.detector import OpenMax as PeerOpenMax
from sklearn.neighbors import NearestNeighbors

from overgen.scores.knn import NearestNeighbours
from overgen.scores.openmax import OpenMax

ROWS, CLASSES, NEIGHBOURS = 10_000, 10, 5


def timed(name: str, work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds of CPU time (other work on the machine does not count), and the result."""
    begin = time.process_time()
    result = work()
    seconds = time.process_time() - begin
    print(f"{name:60s} {seconds:9.3f} s")
    return seconds, result


def openmax() -> None:
    draws = np.random.default_rng(0)
    labels = draws.integers(CLASSES, size=ROWS)
    z = draws.normal(size=(ROWS, CLASSES)) + 12 * np.eye(CLASSES)[labels]
    queries = draws.normal(size=(ROWS, CLASSES)) + 8 * np.eye(CLASSES)[draws.integers(CLASSES, size=ROWS)]
    ours = OpenMax(tail=25).fit(z, labels)
    peer = PeerOpenMax(None, tailsize=25, alpha=10).fit_logits(torch.from_numpy(z), torch.from_numpy(labels))
    ours.probabilities(queries)
    fast, found = timed(f"OpenMax of {ROWS:,} rows", lambda: ours.probabilities(queries)[:, 0])
    slow, reference = timed("pytorch-ood", lambda: peer.predict_logits(torch.from_numpy(queries)).numpy())
    print(f"{slow / fast:.0f} times as fast (goal 50); P₀ differs by at most {np.abs(found - reference).max():.1e}")


def neighbours(count: int, asked: int) -> None:
    draws = np.random.default_rng(0)
    plane = draws.normal(size=(30, 784)).astype(np.float32) / 28
    x, queries = ((draws.normal(size=(n, 30)) @ plane).astype(np.float32) for n in (count, asked))
    ours = NearestNeighbours(neighbours=NEIGHBOURS).fit(x)
    peer = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(x)
    fast, found = timed(f"neighbours of {asked:,} among {count:,}", lambda: ours.distances(queries))
    slow, reference = timed("scikit-learn, brute force", lambda: peer.kneighbors(queries)[0])
    naive = np.sort(np.linalg.norm(queries[:50, None].astype(np.float64) - x[None, :5000], axis=2), 1)[:, :NEIGHBOURS]
    few = NearestNeighbours(neighbours=NEIGHBOURS).fit(x[:5000]).distances(queries[:50])
    np.testing.assert_allclose(few, naive, rtol=1e-12)
    print(
        f"{slow / fast:.1f} times as fast (goal 1); distances differ by at most {np.abs(found - reference).max():.1e}"
    )


if __name__ == "__main__":
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}, torch {torch.__version__}")
    openmax()
    neighbours(*(int(number) for number in sys.argv[1:] or ("60000", "1000")))
