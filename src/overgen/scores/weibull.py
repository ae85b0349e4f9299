"""Weibull fits of the tails of scores, as meta-recognition uses them (Scheirer et al. 2011; libmr).

    F(t) = 1 − exp(−(x/λ)^κ)  with  x = t − m + translation,  0 where x ≤ 0

m: the smallest value of the tail. κ and λ by maximum likelihood on the tail's values, of which the likelihood has one
maximum. With a translation of 10,000 x lies so far from 0 that the fit is one of a Gumbel distribution, which has no
lower end; with a small one F is 0 at m − translation and below. (libmr's own default is 1, that of pytorch-ood 10,000.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LARGEST_SHAPE = 1e9  # a tail of equal values has no finite κ: F then steps from 0 to 1 at them
HALVINGS = 200


class Weibull(NamedTuple):
    """G fits: (G,) arrays shape κ, log_scale log λ and smallest m; translation: as in the module's docstring."""

    shape: np.ndarray
    log_scale: np.ndarray
    smallest: np.ndarray
    translation: float

    def cdf(self, values: np.ndarray) -> np.ndarray:
        """F of the g-th fit for the g-th column. values: (N, G). Returns (N, G) in [0, 1]."""
        x = values - self.smallest + self.translation
        log_x = np.log(np.maximum(x, np.finfo(float).tiny))
        power = np.exp(np.minimum(self.shape * (log_x - self.log_scale), 709))
        return np.where(x > 0, -np.expm1(-power), 0.0)


def fit_largest(groups: list[np.ndarray], *, tail: int, translation: float) -> Weibull:
    """Fit the `tail` largest values of each group (all of a smaller one): F says how far a value lies above them.

    Raises ValueError on an empty group, a tail below 2 or a translation that is not > 0.
    """
    if tail < 2 or not translation > 0:
        raise ValueError(f"tail = {tail}, translation = {translation}: must be at least 2, and > 0")
    fits = []
    for g, values in enumerate(groups):
        if not len(values):
            raise ValueError(f"group {g} has no value to fit a tail to")
        tailed = np.sort(values)[-tail:]
        smallest = float(tailed[0])
        fits.append((*_likeliest(tailed - smallest + translation), smallest))
    shape, log_scale, smallest_of = (np.array(column) for column in zip(*fits, strict=True))
    return Weibull(shape, log_scale, smallest_of, translation)


def fit_smallest(groups: list[np.ndarray], *, tail: int, translation: float) -> Weibull:
    """Fit the `tail` smallest values of each group, from below: F says how surely a value belongs to or above them.

    m is the group's smallest value. Errors as for `fit_largest`.
    """
    if tail < 2:
        raise ValueError(f"tail = {tail}: must be at least 2")
    return fit_largest([np.sort(values)[:tail] for values in groups], tail=tail, translation=translation)


def _likeliest(x: np.ndarray) -> tuple[float, float]:
    """κ and log λ of x > 0. κ solves Σ x^κ ln x / Σ x^κ − 1/κ = mean ln x, whose left side rises."""
    logs = np.log(x)
    top = logs.max()
    logs = logs - top
    low, high = np.log(1e-6), np.log(LARGEST_SHAPE)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        shape = np.exp(middle)
        weights = np.exp(shape * logs)
        if (weights * logs).sum() / weights.sum() - 1 / shape < logs.mean():
            low = middle
        else:
            high = middle
    shape = float(np.exp(middle))
    return shape, float(top + np.log(np.exp(shape * logs).mean()) / shape)
