"""1-vs-Set machine (Scheirer et al. 2013, "Toward open set recognition"): a slab in place of a half-space."""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import class_labels, rows
from overgen.scores.fitted import Fitted
from overgen.scores.kernels import dual, one_against_rest

CANDIDATES = 100  # places tried for each plane of a slab


class OneVsSet(Fitted):
    """A slab A ≤ f_c(x) ≤ Ω for each class, f_c a linear machine against the rest. x: features or pixels.

    Planes are chosen on the training inputs, among `CANDIDATES` quantiles of f_c of the class's own and of all, where

        max(1, (Ω − A)/δ) + max(1, δ/(Ω − A)) + λ/F₁

    is smallest, with δ the width that holds the class's own training inputs and F₁ the F-measure of the slab as a
    classifier of the class: the balanced risk of the authors' code (libsvm-openset), with its λ = 2. The pressures of
    the paper's Eq. 6, which there move the planes afterwards and are 0 unless set, are left out. The score is how deep
    an input lies in its class's slab, min(f_c − A, Ω − f_c), in widths of the slab; the paper only takes its sign.

    errors: λ; cost: C of the machines. With a single known class the linear machine is the one-class one with ν = nu,
    as in the paper.
    """

    classes: np.ndarray  # (C,)
    normals: np.ndarray  # (D, C)
    offsets: np.ndarray  # (C,)
    slabs: np.ndarray  # (C, 2)

    def __init__(self, *, errors: float = 2.0, cost: float = 1.0, nu: float = 0.1) -> None:
        if not (errors >= 0 and cost > 0 and 0 < nu <= 1):
            raise ValueError(f"errors = {errors}, cost = {cost}, nu = {nu}: must be >= 0, > 0, and in (0, 1]")
        self.errors, self.cost, self.nu = errors, cost, nu

    def fit(self, x: np.ndarray, labels: np.ndarray) -> OneVsSet:
        """x: (N, D); labels: (N,). Memory and time grow with N²: fit some thousand inputs."""
        x = rows(x).astype(np.float64)
        labels = class_labels(labels, len(x))
        self.classes = np.unique(labels)
        kernel = x @ x.T
        if len(self.classes) > 1:
            weights, self.offsets = one_against_rest(kernel, labels, self.cost)
        else:
            from sklearn.svm import OneClassSVM

            normal, offset = dual(OneClassSVM(kernel="precomputed", nu=self.nu).fit(kernel), len(x))
            weights, self.offsets = normal[:, None], np.array([offset])
        self.normals = x.T @ weights  # (D, C)
        values = x @ self.normals + self.offsets
        slabs = [self._slab(values[labels == k, c], values[labels != k, c]) for c, k in enumerate(self.classes)]
        self.slabs = np.array(slabs)  # (C, 2)
        return self

    def _slab(self, inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
        """The planes A and Ω of least risk. inside, outside: f of the class's own inputs and of the others'."""
        least, most = float(inside.min()), float(inside.max())
        width = max(most - least, 1e-12 * max(abs(least), abs(most), 1))
        shares = np.linspace(0, 1, CANDIDATES)
        every = np.concatenate([inside, outside])
        places = np.unique(np.concatenate([np.quantile(inside, shares), np.quantile(every, shares)]))
        a, omega = np.meshgrid(places, places, indexing="ij")
        extent = omega - a
        hits, accepted = (
            np.searchsorted(np.sort(values), omega, "right") - np.searchsorted(np.sort(values), a, "left")
            for values in (inside, every)
        )
        f_measure = 2 * hits / np.maximum(accepted + len(inside), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            risk = np.maximum(1, extent / width) + np.maximum(1, width / extent) + self.errors / f_measure
        risk[(extent <= 0) | (hits == 0)] = np.inf
        if not np.isfinite(risk).any():  # all inputs lie on one plane
            return least - width, most + width
        best = np.unravel_index(risk.argmin(), risk.shape)
        return float(a[best]), float(omega[best])

    def depths(self, x: np.ndarray) -> np.ndarray:
        """How deep an input lies in each class's slab, in its widths. x: (N, D). Returns (N, C), at most ½."""
        values = rows(x, len(self.normals)) @ self.normals + self.offsets
        a, omega = self.slabs.T
        return np.minimum(values - a, omega - values) / (omega - a)

    def score(self, x: np.ndarray) -> np.ndarray:
        """x: (N, D). Returns (N,), at most ½; positive inside some slab."""
        return self.depths(x).max(1)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class in whose slab an input lies deepest. x: (N, D). Returns (N,)."""
        return self.classes[self.depths(x).argmax(1)]
