"""Standard deviations over a few problems, and how little so few say of them."""

from __future__ import annotations

import math

from scipy import special  # scipy.stats, whose numbers these are, takes every stage a second to import

from overgen.measures.intervals import Interval


def deviation_interval(deviation: float, n: int) -> Interval:
    """95 % χ² interval of a standard deviation of n independent, normal values.

    deviation: with n − 1 in the denominator, at least 0; n: at least 2.
    Of 5 values the interval goes from 0.6 to 2.9 times the deviation. Returns (low, high), in its unit. Raises
    ValueError for a negative deviation and for fewer than two values.
    """
    if not deviation >= 0 or n < 2:
        raise ValueError(f"a deviation of {deviation} over {n} values: it is at least 0, of at least 2")
    scaled = deviation * math.sqrt(n - 1)
    return scaled / math.sqrt(special.chdtri(n - 1, 0.025)), scaled / math.sqrt(special.chdtri(n - 1, 0.975))
