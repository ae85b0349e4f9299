"""The intrinsic dimension of a cloud of points: how many numbers say where in the cloud a point is.

Three estimators, all of distances alone. None is right: each takes the cloud to be uniform within some neighbours, and
with more points these come nearer. So an estimate is told with n, and beside the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from overgen.measures.neighbours import distinct, nearest, pairs_within

DISCARDED = 0.1  # share of the largest ratios that `two_nearest` leaves out, as Facco et al. do
SCALES = (10, 20)  # neighbours between whose distances `correlation` measures
ESTIMATORS = ("two_nn", "mle", "correlation")


class Dimension(NamedTuple):
    """What `dimension` found. two_nn, mle, correlation: by `ESTIMATORS`.

    local: (n,), of each distinct row; places: (n,), where these stand; repeated: how many rows were left out.
    """

    two_nn: float
    mle: float
    correlation: float
    local: np.ndarray
    places: np.ndarray
    repeated: int


def dimension(x: np.ndarray, *, neighbours: int = 20) -> Dimension:
    """The intrinsic dimension of a cloud, by all estimators.

    x: (N, D), finite, in one unit; repeated rows are left out and counted. neighbours: k of the maximum likelihood and
    of the local estimates. Raises ValueError for fewer than max(neighbours, 20) + 1 distinct rows.
    """
    places = distinct(x)
    points = x[places]
    most = max(neighbours, *SCALES)
    if len(points) <= most:
        raise ValueError(f"{len(points)} distinct rows: {most} neighbours need at least {most + 1}")
    found = nearest(points, most)
    near = found.distances[:, :neighbours]
    return Dimension(
        two_nearest(found.distances),
        maximum_likelihood(near),
        correlation(points, found.distances),
        local(near, found.places[:, :neighbours]),
        places,
        len(x) - len(places),
    )


def two_nearest(distances: np.ndarray) -> float:
    """The dimension by ratios μ = r₂/r₁ of the distances to the two nearest neighbours (Facco et al. 2017).

    They follow a Pareto law of the exponent d: the slope of the line through 0 of −log(1 − F(μ)) against log μ, with
    the tenth of the largest ratios left out. distances: (N, k), k ≥ 2, positive, rising along a row.
    Raises ValueError for fewer than 3 rows, and where all ratios are 1, as on a grid.
    """
    ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    count = int(len(ratios) * (1 - DISCARDED))
    if count < 2 or ratios[count - 1] == 0:
        raise ValueError(f"{len(ratios)} ratios of distances, {count} of them kept: too few, or all are 1")
    kept, heights = ratios[:count], -np.log(1 - np.arange(1, count + 1) / len(ratios))
    return float(kept @ heights / (kept @ kept))


def maximum_likelihood(distances: np.ndarray) -> float:
    """The maximum likelihood estimate of Levina and Bickel (2004) over k neighbours.

    Points are put together by the mean of their inverse estimates, as MacKay and Ghahramani (2005) say: the likelihood
    of all points has its maximum there. distances: (N, k), k ≥ 2, positive, rising along a row. Infinite where all
    neighbours of every point are equally far.
    """
    return _inverted(float(inverse_dimensions(distances).mean()))


def inverse_dimensions(distances: np.ndarray) -> np.ndarray:
    """1/d of each point, the mean of log(r_k / r_j) over j < k (Levina and Bickel 2004, Eq. 8).

    distances: (N, k), k ≥ 2, positive, rising along a row. Returns (N,), at least 0.
    """
    return np.log(distances[:, -1:] / distances[:, :-1]).mean(1)


def local(distances: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The dimension around each point: inverse estimates averaged over the point and its k neighbours.

    One point's own estimate, of k distances, has a deviation of d/√k. distances, places: (N, k), of the neighbours.
    Returns (N,); infinite as in `maximum_likelihood`.
    """
    inverse = inverse_dimensions(distances)
    with np.errstate(divide="ignore"):
        return 1 / ((inverse + inverse[places].sum(1)) / (1 + places.shape[1]))


def correlation(x: np.ndarray, distances: np.ndarray) -> float:
    """The correlation dimension (Grassberger and Procaccia 1983): how the number of near pairs grows with the radius.

    The slope of log C(r) between two radii, the median distances to the 10th and to the 20th neighbour.
    x: (N, D), distinct rows; distances: (N, k), k ≥ 20, to their neighbours, rising along a row. Infinite where both
    medians are equal, and where no pair is nearer than the first. Pairs exactly as far as a radius do not count.
    """
    radii = np.array([np.median(distances[:, k - 1]) for k in SCALES])
    few, many = pairs_within(x, radii)
    if not few or radii[0] == radii[1]:
        return float("inf")
    return float(np.log(many / few) / np.log(radii[1] / radii[0]))


def _inverted(inverse: float) -> float:
    return 1 / inverse if inverse else float("inf")
