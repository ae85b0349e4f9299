"""How many changed pixels a label outlives, held against a law: (1 − ε)ⁿ, or exp(−(λn)ᵏ), of which that is k = 1.

If each changed pixel flips the label with chance ε, whatever the others do, the number of changes that it takes is
geometric. An image that is tried at some numbers of pixels loses its label between two of them: its chance is the
difference of the law at the two, and counts of images are multinomial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import chdtrc

LOG_RATES = (math.log(1e-9), math.log(50))  # of λ a pixel, between which it is looked for
LOG_EXPONENTS = (math.log(0.05), math.log(20))
TINY = 1e-300
EXPECTED = 5.0  # images of a bin of the χ² test, at least; neighbours are put together until there are as many


class Law(NamedTuple):
    """exp(−(λn)ᵏ). rate: λ; exponent: k; log_likelihood: of the counts that it was fitted to."""

    rate: float
    exponent: float
    log_likelihood: float

    @property
    def epsilon(self) -> float:
        """ε of (1 − ε)ⁿ, where the exponent is 1."""
        return -math.expm1(-self.rate)

    def __call__(self, pixels: Sequence[int] | np.ndarray) -> np.ndarray:
        """The share of labels that outlive n changed pixels."""
        return np.exp(-((self.rate * np.asarray(pixels, dtype=np.float64)) ** self.exponent))


class Misfit(NamedTuple):
    """Pearson's χ² of counts against a law: its value, degrees of freedom, and the chance of one as large under it."""

    chi_squared: float
    freedom: int
    p: float


def losses(kept: np.ndarray) -> np.ndarray:
    """Of how many images the label is first lost at each number of pixels, (K + 1,); the last: of those that keep it.

    kept: bool (M, K), images by rising numbers of pixels. A label that comes back has been lost.
    """
    first = np.where(kept.all(1), kept.shape[1], np.argmin(kept, axis=1))
    return np.bincount(first, minlength=kept.shape[1] + 1)


def survivors(counts: np.ndarray) -> np.ndarray:
    """How many images still have their label at each number of pixels, (K,). counts: of `losses`, (K + 1,)."""
    return counts.sum() - np.cumsum(counts)[:-1]


def fit(pixels: Sequence[int], counts: np.ndarray, *, exponent: float | None = 1.0) -> Law:
    """The law by maximum likelihood. pixels: (K,), rising; counts: (K + 1,) of `losses`; exponent: None to fit it, too.

    Where all images lose their labels at once or none does, λ ends at the edge of `LOG_RATES`.
    """
    n = np.asarray(pixels, dtype=np.float64)

    def minus(log_rate: float, log_exponent: float) -> float:
        shares = np.exp(-((np.exp(log_rate) * n) ** np.exp(log_exponent)))
        chances = -np.diff(np.concatenate([[1.0], shares, [0.0]]))
        return -float(counts @ np.log(np.maximum(chances, TINY)))

    fixed = math.log(1.0 if exponent is None else exponent)
    grid = np.linspace(*LOG_RATES, 60)
    best = float(min(grid, key=lambda log_rate: minus(log_rate, fixed)))
    step = grid[1] - grid[0]
    ends = (max(best - step, LOG_RATES[0]), min(best + step, LOG_RATES[1]))
    found = minimize_scalar(lambda log_rate: minus(log_rate, fixed), bounds=ends, method="bounded")
    if exponent is not None:
        return Law(math.exp(found.x), exponent, -float(found.fun))
    both = minimize(
        lambda v: minus(v[0], v[1]), (found.x, 0.0), method="Nelder-Mead", bounds=(LOG_RATES, LOG_EXPONENTS)
    )
    return Law(math.exp(both.x[0]), math.exp(both.x[1]), -float(both.fun))


def misfit(pixels: Sequence[int], counts: np.ndarray, law: Law, *, fitted: int) -> Misfit:
    """Pearson's χ² test of counts against a law. fitted: how many of the law's parameters were.

    Neighbouring bins are put together until each is expected to hold `EXPECTED` images. Without a degree of freedom
    p is NaN.
    """
    chances = -np.diff(np.concatenate([[1.0], law(pixels), [0.0]]))
    bins: list[list[float]] = [[0.0, 0.0]]
    for count, expected in zip(counts, counts.sum() * chances, strict=True):
        if bins[-1][1] >= EXPECTED:
            bins.append([0.0, 0.0])
        bins[-1][0] += count
        bins[-1][1] += expected
    if len(bins) > 1 and bins[-1][1] < EXPECTED:
        count, expected = bins.pop()
        bins[-1][0] += count
        bins[-1][1] += expected
    value = sum((count - expected) ** 2 / expected for count, expected in bins)
    freedom = len(bins) - 1 - fitted
    return Misfit(value, max(freedom, 0), float(chdtrc(freedom, value)) if freedom > 0 else math.nan)
