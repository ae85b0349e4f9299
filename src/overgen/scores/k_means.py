"""Distance to the nearest of k means (Lloyd 1982), as in anomaly detection by clustering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from overgen.scores.arrays import blocks, rows
from overgen.scores.fitted import Fitted

# Of a fit, at most. scikit-learn adds up what its threads have summed in the order in which they end: with three or
# more of them the same input gives means that differ in the eighth digit.
THREADS = 2


class KMeansDistance(Fitted):
    """−min_j ‖x − m_j‖₂ with the means m_j of the inputs that it was fitted on. x: pixels or features.

    clusters: how many means, at most one an input; seed: of k-means++.
    """

    means: np.ndarray  # (clusters, D)

    def __init__(self, *, clusters: int = 50, seed: int = 0) -> None:
        if clusters < 1:
            raise ValueError(f"clusters = {clusters}: must be at least 1")
        self.clusters, self.seed = clusters, seed

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> KMeansDistance:
        """x: (N, D) with N ≥ clusters; labels are not used. Raises ValueError if there are fewer."""
        from sklearn.cluster import KMeans

        x = rows(x)
        if len(x) < self.clusters:
            raise ValueError(f"{len(x)} inputs to be fitted on, fewer than clusters = {self.clusters}")
        with limited_to(THREADS):
            fitted = KMeans(self.clusters, n_init=1, random_state=self.seed).fit(x)
        self.means = fitted.cluster_centers_.astype(np.float64)
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,), ≤ 0, in the unit of the inputs."""
        x = rows(x, self.means.shape[1])
        scores = np.zeros(len(x))
        squares = (self.means**2).sum(1)
        for start, block in blocks(x, x.shape[1]):
            block = block.astype(np.float64)
            nearest = self.means[(squares - 2 * block @ self.means.T).argmin(1)]
            scores[start : start + len(block)] = -np.linalg.norm(block - nearest, axis=1)
        return scores


@contextmanager
def limited_to(threads: int) -> Iterator[None]:
    """So many threads of OpenMP at most, where there are more now."""
    from threadpoolctl import threadpool_info, threadpool_limits

    now = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    with threadpool_limits(limits=min([threads, *now]), user_api="openmp"):
        yield
