"""The one-class support vector machine (Schölkopf et al. 2001), in the form of scikit-learn's OneClassSVM.

    f(x) = Σ_i a_i·exp(−γ‖x − s_i‖²) + b,   0 < a_i ≤ 1,   Σ_i a_i = ν·N

over the support vectors s_i among the N points that it was fitted to. At most a share of ν of these have f < 0, and at
least one of ν are support vectors, both up to the tolerance of the fit. Spigler 2019, Figure 5: ν = 0.1, γ = 0.1, on
pixels in [0, 1].
"""

from __future__ import annotations

import numpy as np

CACHE_MB = 500  # of kernel rows that a fit keeps
CHUNK = 500  # points scored at once: with 6,000 support vectors 24 MB


class OneClassSVM:
    """A one-class support vector machine with the RBF kernel. **A larger score is more in-distribution.**

    nu: ν in (0, 1], the share of the training points that may be rejected; gamma: γ > 0, of the kernel.
    """

    def __init__(self, *, nu: float, gamma: float) -> None:
        self.nu, self.gamma = nu, gamma
        self.support_vectors = np.zeros((0, 0))  # (S, D)
        self.coefficients = np.zeros(0)  # (S,)
        self.offset = 0.0

    def fit(self, x: np.ndarray) -> OneClassSVM:
        """Fit to x, (N, D). Returns itself. Raises ValueError on a wrong shape, and for NaN or infinity naming the row.

        The arithmetic is float64, and no random number takes part.
        """
        from sklearn.svm import OneClassSVM as Machine

        fitted = Machine(kernel="rbf", nu=self.nu, gamma=self.gamma, cache_size=CACHE_MB).fit(_checked(x))
        self.support_vectors = fitted.support_vectors_
        self.coefficients = fitted.dual_coef_[0]
        self.offset = float(fitted.intercept_[0])
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """f of each point, above 0 where it is accepted. x: (N, D). Returns (N,) float64.

        A point scores the same alone and among others, to 1e-10. Raises ValueError as `fit`, if D is not that of the
        fit, and before a fit.
        """
        if not len(self.coefficients):
            raise ValueError("this one-class SVM is not fitted: call fit, or from_state, first")
        x = _checked(x)
        if x.shape[1] != self.support_vectors.shape[1]:
            raise ValueError(f"x: shape {x.shape}, but it was fitted to D = {self.support_vectors.shape[1]}")
        own = (self.support_vectors**2).sum(1)
        scores = np.empty(len(x))
        for start in range(0, len(x), CHUNK):
            chunk = x[start : start + CHUNK]
            squares = (chunk**2).sum(1)[:, None] + own - 2 * chunk @ self.support_vectors.T  # (n, S)
            kernel = np.exp(-self.gamma * squares.clip(min=0))  # rounding may leave −1e-15
            scores[start : start + CHUNK] = kernel @ self.coefficients + self.offset
        return scores

    def state(self) -> dict[str, np.ndarray]:
        """All that scoring needs: support_vectors (S, D), coefficients (S,), and offset, nu and gamma as scalars."""
        return {
            "support_vectors": self.support_vectors,
            "coefficients": self.coefficients,
            "offset": np.array(self.offset),
            "nu": np.array(self.nu),
            "gamma": np.array(self.gamma),
        }

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> OneClassSVM:
        """The machine whose `state` this is: it scores the same."""
        machine = cls(nu=float(state["nu"]), gamma=float(state["gamma"]))
        machine.support_vectors, machine.coefficients = state["support_vectors"], state["coefficients"]
        machine.offset = float(state["offset"])
        return machine


def _checked(x: np.ndarray) -> np.ndarray:
    """x as (N, D) float64. Raises ValueError on another shape, and for NaN or infinity naming the row."""
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"x: shape {x.shape}, must be (N, D) with N, D >= 1")
    finite = np.isfinite(x).all(1)
    if not finite.all():
        raise ValueError(f"x: NaN or infinity in row {int(np.flatnonzero(~finite)[0])}")
    return x
