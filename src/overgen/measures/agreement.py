"""How far those who judge the same things agree, beyond what chance alone would make them.

Judgements are categories without an order. Nothing here draws from a global random state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from overgen.measures.intervals import Interval, wilson

MISSING = -1  # of somebody who did not judge


def cohens_kappa(
    first: Sequence[Any] | np.ndarray, second: Sequence[Any] | np.ndarray
) -> tuple[float, Interval] | None:
    """Cohen's κ of two judges, κ = (p_o − p_e)/(1 − p_e), with a 95 % interval (Cohen 1960).

    first, second: (n,), the category that each gave; p_o: the share that is alike; p_e: the share that would be alike
    if the two gave their categories as often, but to things at random.
    The interval is that of large samples (Fleiss, Cohen and Everitt 1969), but no narrower than Wilson's of p_o at the
    measured p_e: the former has no width where all is alike, and of 20 things on which nearly all is alike it holds κ
    in one case of three. It is cut at −1 and 1.
    Returns None where κ is not defined: nothing was judged, or both gave one and the same category to all.
    Raises ValueError unless both judged as many things.
    """
    one, other = np.asarray(first), np.asarray(second)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"two judges of the same things: {one.shape} and {other.shape} judgements")
    n = len(one)
    if not n:
        return None
    _, both = np.unique(np.concatenate([one, other]), return_inverse=True)
    table = np.zeros((both.max() + 1, both.max() + 1))
    np.add.at(table, (both[:n], both[n:]), 1)
    shares = table / n
    rows, columns, alike = shares.sum(1), shares.sum(0), shares.diagonal()
    observed, expected = float(alike.sum()), float(rows @ columns)
    if (table.diagonal() == n).any():
        return None
    kappa = (observed - expected) / (1 - expected)
    # the delta method: κ is a function of the shares, which are multinomial
    apart = shares * (columns[:, None] + rows[None, :]) ** 2
    spread = (
        float((alike * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
        + (1 - kappa) ** 2 * float(apart.sum() - apart.diagonal().sum())
        - (kappa - expected * (1 - kappa)) ** 2
    )
    half = float(special.ndtri(0.975)) * math.sqrt(max(spread, 0) / n) / (1 - expected)
    low, high = ((share - expected) / (1 - expected) for share in wilson(int(table.diagonal().sum()), n))
    return kappa, (max(min(kappa - half, low), -1.0), min(max(kappa + half, high), 1.0))


def krippendorffs_alpha(
    answers: np.ndarray, *, resamples: int = 2000, seed: int = 0
) -> tuple[float | None, Interval | None, int]:
    """Krippendorff's α of any number of judges, some of whom may not have judged everything (Krippendorff 2004).

    answers: (things, judges) of integer categories, `MISSING` where a judge gave none. α = 1 − D_o/D_e: the share of
    pairs of judgements of one thing that differ, against that of pairs of all judgements.
    The 95 % interval is a percentile bootstrap over things; resamples: draws of it; seed: of the draws, so that the
    same input gives the same interval. A draw without two different judgements has no α and is left out. There is no
    interval where all judges agree on everything.
    Returns α, the interval and the number of things that two judges or more judged. α is None where it is not defined:
    there is no such thing, or all judgements are the same. Raises ValueError for answers of another shape.
    """
    answers = np.asarray(answers)
    if answers.ndim != 2 or not np.issubdtype(answers.dtype, np.integer):
        raise ValueError(f"answers must be integers (things, judges): {answers.dtype} {answers.shape}")
    answers = answers[(answers != MISSING).sum(1) > 1]
    things = len(answers)
    categories = np.unique(answers[answers != MISSING])
    if len(categories) < 2:
        return None, None, things
    counts = (answers[:, :, None] == categories).sum(1)  # (things, categories)
    ones = np.ones((1, things), int)
    value = float(_alphas(counts, ones)[0])
    if (counts.max(1) == counts.sum(1)).all():
        return value, None, things
    draws = np.random.default_rng(seed).integers(things, size=(resamples, things))
    weights = np.zeros((resamples, things), int)  # how often each thing was drawn
    np.add.at(weights, (np.arange(resamples)[:, None], draws), 1)
    low, high = np.nanquantile(_alphas(counts, weights), [0.025, 0.975])
    return value, (float(low), float(high)), things


def _alphas(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """α of each of R draws of things, (R,); NaN where it is not defined.

    counts: (things, categories), how many judges gave it; weights: (R, things), how often a draw has it.
    """
    judged = counts.sum(1)
    differing = (judged**2 - (counts**2).sum(1)) / (judged - 1)  # of each thing, D_o times all judgements
    total = weights @ judged
    of_category = weights @ counts
    expected = (total**2 - (of_category**2).sum(1)) / (total - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - (weights @ differing) / expected, np.nan)
