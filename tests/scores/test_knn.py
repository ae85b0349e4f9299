"""Nearest neighbours against scikit-learn's, where float32 cannot tell them apart and where memory is short."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_ood import detector as peers
from sklearn.neighbors import NearestNeighbors

from overgen.scores.knn import NearestNeighbours

from processes import environment


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("normalise", [False, True])
def test_nearest_neighbours(digits: dict[str, Any], kind: type, normalise: bool) -> None:
    x, queries = (digits[part][False].astype(kind) for part in ("train", "unknown"))
    ours = NearestNeighbours(neighbours=7, normalise=normalise).fit(x)
    x, queries = x.astype(np.float64), queries.astype(np.float64)
    if normalise:
        x, queries = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, queries))
    theirs, _ = NearestNeighbors(n_neighbors=7, algorithm="kd_tree").fit(x).kneighbors(queries)
    found = ours.distances(digits["unknown"][False].astype(kind))
    np.testing.assert_allclose(found, theirs, rtol=1e-6 if kind == np.float32 and normalise else 1e-12)
    peer = peers.KNN(None, k=7, normalize=normalise).fit_features(
        torch.from_numpy(digits["train"][False]), torch.from_numpy(digits["labels"])
    )
    scores = peer.predict_features(torch.from_numpy(digits["unknown"][False])).numpy()
    np.testing.assert_allclose(found[:, -1], scores, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-7, 1e-3, 1.0]), st.integers(1, 6))
def test_neighbours_are_exact_where_float32_cannot_tell_them_apart(seed: int, spread: float, k: int) -> None:
    """Points far from 0 and close to each other; the naive way is the oracle."""
    draws = np.random.default_rng(seed)
    x = draws.normal(size=5) * 100 + spread * draws.normal(size=(80, 5))
    queries = x[:7] + spread * draws.normal(size=(7, 5))
    naive = np.sort(np.linalg.norm(queries[:, None] - x, axis=2), 1)[:, :k]
    np.testing.assert_allclose(NearestNeighbours(neighbours=k).fit(x).distances(queries), naive, rtol=1e-9)


def test_neighbours_of_many_copies() -> None:
    """More equal points than candidates: none can be told from another, and the distances are right all the same."""
    x = np.concatenate([np.zeros((100, 3)), np.ones((5, 3))])
    found = NearestNeighbours(neighbours=2).fit(x).distances(np.array([[0.0, 0, 0], [1, 1, 1], [3, 0, 0]]))
    np.testing.assert_allclose(found, [[0, 0], [0, 0], [np.sqrt(6), np.sqrt(6)]])


def test_memory_of_neighbours_is_bounded() -> None:
    """60,000 × 784, of which the matrix alone takes 188 MB, searched in several blocks, and again in float64."""
    script = """
import numpy as np
from pathlib import Path
from overgen.scores.knn import NearestNeighbours
x = np.zeros((60_000, 784), np.float32)
x[:, :30] = np.random.default_rng(0).normal(size=(60_000, 30))
x[:50] = x[0]  # more copies than candidates: float32 does not settle these
score = NearestNeighbours(neighbours=5).fit(x)
found = score.score(x[40:1200] + 1e-4)
# this program's own peak: getrusage's would be that of the process that started it, if that was larger
used = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # KiB
assert used < 1.5 * 2**20, used
assert found.shape == (1160,) and found[:10].min() > -0.01 > found[10:].max()
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
