"""The one-class support vector machine (Schölkopf et al. 2001), in the form of scikit-learn's OneClassSVM.

    f(x) = Σ_i a_i·exp(−γ‖x − s_i‖²) + b,   0 < a_i ≤ 1,   Σ_i a_i = ν·N

over the support vectors s_i among the N points that it was fitted to. At most a share of ν of these have f < 0, and at
least one of ν are support vectors, both up to the tolerance of the fit. Spigler 2019, Figure 5: ν = 0.1, γ = 0.1, on
pixels in [0, 1].
"""

from __future__ import annotations

import numpy as np

from overgen.scores.arrays import rows
from overgen.scores.fitted import Fitted

CACHE_MB = 500  # of kernel rows that a fit keeps
CHUNK = 500  # points scored at once: with 6,000 support vectors 24 MB


class OneClassSVM(Fitted):
    """A one-class support vector machine with the RBF kernel. **A larger score is more in-distribution.**

    nu: ν in (0, 1], the share of the training points that may be rejected; gamma: γ > 0, of the kernel.
    """

    support_vectors: np.ndarray  # (S, D)
    coefficients: np.ndarray  # (S,)
    offset: float

    def __init__(self, *, nu: float, gamma: float) -> None:
        if not 0 < nu <= 1 or not gamma > 0:
            raise ValueError(f"nu = {nu}, gamma = {gamma}: must lie in (0, 1], and be > 0")
        self.nu, self.gamma = nu, gamma

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> OneClassSVM:
        """Fit to x, (N, D); labels are not used. Returns itself.

        Raises ValueError on a wrong shape, and for NaN or infinity naming the row.

        The arithmetic is float64, and no random number takes part.
        """
        from sklearn.svm import OneClassSVM as Machine

        x = rows(x).astype(np.float64)
        fitted = Machine(kernel="rbf", nu=self.nu, gamma=self.gamma, cache_size=CACHE_MB).fit(x)
        self.support_vectors = fitted.support_vectors_
        self.coefficients = fitted.dual_coef_[0]
        self.offset = float(fitted.intercept_[0])
        return self

    def score(self, x: np.ndarray) -> np.ndarray:
        """f of each point, above 0 where it is accepted. x: (N, D). Returns (N,) float64.

        A point scores the same alone and among others, to 1e-10. Raises ValueError as `fit` does, and if D is
        not that of the fit.
        """
        x = rows(x, self.support_vectors.shape[1]).astype(np.float64)
        own = (self.support_vectors**2).sum(1)
        scores = np.empty(len(x))
        for start in range(0, len(x), CHUNK):
            chunk = x[start : start + CHUNK]
            squares = (chunk**2).sum(1)[:, None] + own - 2 * chunk @ self.support_vectors.T  # (n, S)
            kernel = np.exp(-self.gamma * squares.clip(min=0))  # rounding may leave −1e-15
            scores[start : start + CHUNK] = kernel @ self.coefficients + self.offset
        return scores
