"""Open-set scores against their peers: OpenMax against pytorch-ood's, neighbours against faiss and scikit-learn.

    dvc repro download@mnist
    uv pip install --no-deps faiss-cpu==1.15.1
    OMP_NUM_THREADS=1 python benchmarks/scores.py [reference inputs for the neighbours] [queries]

OpenMax of random logits of 10 classes; neighbours of MNIST's test images among its training images, by the published
CNN's 400 features and by pixels. One run, in turn; CPU time, one thread. The peers' values are compared: faiss has its
distances in float32, ours are exact.

One busy core of an AMD EPYC (Zen 3, AVX2), numpy 2.4.6, the least of three:

    OpenMax of 10,000 rows                          0.024 s
    pytorch-ood                                    14.706 s    612 times as long (goal 50)
    neighbours of 1,000 among 60,000, features      0.546 s
    faiss, IndexFlatL2                              0.791 s    1.4 (goal 1), its distances up to 2e-4 off
    scikit-learn, brute force                       1.628 s    3.0 (goal 1)
    the same of pixels                              0.695 s
    faiss, IndexFlatL2                              1.465 s    2.1 (goal 1)
    scikit-learn, brute force                       3.391 s    4.9 (goal 1)

What is made of the reference inputs once, their outline and their lengths, is paid at the first search and is not in
it; the line says what it took.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable

import faiss
import numpy as np
import torch
from pytorch_ood.detector import OpenMax as PeerOpenMax
from sklearn.neighbors import NearestNeighbors as PeerNeighbours

from overgen import data
from overgen.models import features, registry
from overgen.scores.knn import NearestNeighbours
from overgen.scores.openmax import OpenMax

ROWS, CLASSES, NEIGHBOURS, ROUNDS = 10_000, 10, 5, 3


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


def views(count: int, asked: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reference inputs and queries, by what they are of MNIST's images."""
    source = data.load("mnist")
    network, _ = registry.trained("mnist", "cnn")
    images = [data.floats(part) for part in (source.train_images[:count], source.test_images[:asked])]
    with torch.no_grad():
        seen = [torch.cat([features.seen(network, block)[0] for block in part.split(500)]) for part in images]
    as_arrays = {"features": seen, "pixels": [part.flatten(1) for part in images]}
    return {name: (x.numpy(), queries.numpy()) for name, (x, queries) in as_arrays.items()}


def neighbours(name: str, x: np.ndarray, queries: np.ndarray) -> None:
    ours = NearestNeighbours(neighbours=NEIGHBOURS).fit(x)
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    peer = PeerNeighbours(n_neighbors=NEIGHBOURS, algorithm="brute").fit(x)
    first, _ = timed(f"neighbours of {len(queries):,} among {len(x):,}, {name}: first", lambda: ours.distances(queries))
    seconds: dict[str, list[float]] = {"ours": [], "faiss, IndexFlatL2": [], "scikit-learn, brute force": []}
    found = {}
    ways = (ours.distances, lambda q: np.sqrt(index.search(q, NEIGHBOURS)[0]), lambda q: peer.kneighbors(q)[0])
    for _ in range(ROUNDS):
        for way, search in zip(seconds, ways, strict=True):
            spent, found[way] = timed(f"    {way}", lambda search=search: search(queries))
            seconds[way].append(spent)
    naive = np.sort(np.linalg.norm(queries[:20, None].astype(np.float64) - x[None, :5000], axis=2), 1)[:, :NEIGHBOURS]
    few = NearestNeighbours(neighbours=NEIGHBOURS).fit(x[:5000]).distances(queries[:20])
    np.testing.assert_allclose(few, naive, rtol=1e-12)
    for way in list(seconds)[1:]:
        times = min(seconds[way]) / min(seconds["ours"])
        print(f"{times:.1f} times as fast as {way} (goal 1); distances differ by at most "
              f"{np.abs(found['ours'] - found[way]).max():.1e}")  # fmt: skip
    print(f"what is made once took {first - min(seconds['ours']):.2f} s")


if __name__ == "__main__":
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}, torch {torch.__version__}, "
          f"faiss {faiss.__version__}")  # fmt: skip
    openmax()
    for name, inputs in views(*(int(number) for number in sys.argv[1:] or ("60000", "1000"))).items():
        neighbours(name, *inputs)
