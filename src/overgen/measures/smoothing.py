"""The median of a score over images with Gaussian noise, and how far it is sure not to pass a threshold.

h(x) is the median of s(x + σn) over n ~ N(0, I): the smoothed score (Chiang et al. 2020, arXiv:2007.03730). Whatever s
is, and however x is moved by ‖δ‖₂ ≤ r, h(x + δ) lies between the quantiles Φ(−r/σ) and Φ(r/σ) of s(x + σn) (their
Lemma 1, which rests on Cohen et al. 2019, arXiv:1902.02918).

Of n draws both the median and those quantiles are order statistics. A quantile's bound is one of which a binomial
distribution says that it holds with a probability of 1 − error, for each image by itself. A larger radius needs more
draws: if all n fall on one side the radius is σ·Φ⁻¹(error^(1/n)), `reach`, and no image gets more. At an error of 0.001
that is 1.50σ of 100 draws, 1.83σ of 200, 2.46σ of 1,000 and 3.20σ of 10,000; at 0.05, 2.17σ of 200.

A quantile here is the least value that at least such a share of the draws does not exceed: the median of an even number
of draws is the lower of the two in the middle.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special  # scipy.stats, whose numbers these are, takes every stage a second to import


def smoothed(values: np.ndarray, share: float = 0.5) -> np.ndarray:
    """The quantile of the draws of each image. values: (N, n); share: of the draws, in (0, 1). Returns (N,)."""
    values = _checked(values)
    place = max(math.ceil(_inside("share", share) * values.shape[1] - 1e-9), 1) - 1
    return np.partition(values, place, axis=1)[:, place]


def score_bounds(
    values: np.ndarray, radius: float, sigma: float, error: float, share: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Between what the smoothed score stays, wherever an image is moved within an L2 ball.

    values: (N, n), the score of n draws around each image; radius: of the ball, ≥ 0; sigma: of the noise; error: of
    each of the two bounds; share: of the quantile that is the smoothed score. Returns (low, high), (N,) each; −∞ and ∞
    where so few draws say nothing.
    """
    values, count = np.sort(_checked(values), axis=1), np.shape(values)[1]
    _inside("error", error)
    if not (sigma > 0 and radius >= 0):
        raise ValueError(f"radius {radius}, sigma {sigma}: at least 0, and above 0")
    centre = special.ndtri(_inside("share", share))
    lower, upper = (float(special.ndtr(centre + sign * radius / sigma)) for sign in (-1, 1))
    place = np.arange(1, count + 1)
    # P(the k-th lies above the quantile) = P(fewer than k draws up to it), and below: P(k draws or more below it)
    low = int(np.count_nonzero(special.bdtr(place - 1, count, lower) <= error))
    high = int(np.count_nonzero(special.bdtrc(place - 1, count, upper) > error)) + 1
    none = np.full(len(values), np.inf)
    return -none if low == 0 else values[:, low - 1], none if high > count else values[:, high - 1]


def certified_radius(hits: np.ndarray, draws: int, sigma: float, error: float) -> np.ndarray:
    """Within what L2 radius the median stays on its side of a threshold: everywhere nearer than that.

    hits: (N,), of how many draws the score lies on that side (below the threshold, or at it and above). The side is to
    be chosen before the draws are seen. Each radius is right with a probability of 1 − error: it is σ·Φ⁻¹ of the lower
    end of Clopper and Pearson's interval (1934) of the share of hits. A median is on that side only where the radius is
    above 0; there is no promise where it is not.
    Returns (N,), −∞ to `reach`.
    """
    hits = np.asarray(hits)
    if draws < 1 or hits.ndim != 1 or ((hits < 0) | (hits > draws)).any():
        raise ValueError(f"hits {hits.tolist()!r:.80} of {draws} draws: each must lie in 0..{draws}")
    least = np.where(hits > 0, special.betaincinv(np.maximum(hits, 1), draws - hits + 1, _inside("error", error)), 0.0)
    return _positive(sigma) * special.ndtri(least)


def reach(draws: int, sigma: float, error: float) -> float:
    """The largest radius that so many draws can certify: all of them fall on one side."""
    return float(certified_radius(np.array([draws]), draws, sigma, error)[0])


def _checked(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1] or np.isnan(values).any():
        raise ValueError(f"draws of a score are (N, n), at least one an image and none NaN: shape {values.shape}")
    return values


def _inside(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} = {value}: must lie between 0 and 1")
    return value


def _positive(sigma: float) -> float:
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"sigma = {sigma}: must be above 0")
    return sigma
