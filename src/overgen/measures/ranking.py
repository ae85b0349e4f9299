"""Ranks of methods over problems: Friedman's test, and Nemenyi's critical difference (Demšar 2006, Section 3.2.2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
    """ranks: (T,) mean rank of each method, 1 = best; p: of Friedman's test that all are alike; difference: that two
    mean ranks must have to differ at the 5 % level (Nemenyi); problems: how many."""

    ranks: np.ndarray
    p: float
    difference: float
    problems: int


def ranking(values: np.ndarray) -> Ranking:
    """Rank methods by values where larger is better.

    values: (P, T), a row a problem and a column a method; ties share their mean rank.
    Both tests take problems as independent. Raises ValueError unless P ≥ 2, T ≥ 3 and all values are finite.
    """
    from scipy import stats  # takes a second

    problems, methods = values.shape
    if problems < 2 or methods < 3 or not np.isfinite(values).all():
        raise ValueError(f"values: shape {values.shape}: must be finite, of 2 or more problems and 3 or more methods")
    ranks = stats.rankdata(-values, axis=1).mean(0)
    p = 1.0 if (values == values[:, :1]).all() else float(stats.friedmanchisquare(*values.T).pvalue)
    quantile = float(stats.studentized_range.ppf(0.95, methods, np.inf)) / math.sqrt(2)
    return Ranking(ranks, p, quantile * math.sqrt(methods * (methods + 1) / (6 * problems)), problems)
