"""Estimates of intrinsic dimension: on manifolds whose dimension is known, and against scikit-dimension."""

from __future__ import annotations

import numpy as np
import pytest

from overgen.data.manifolds import cube, sphere, swiss_roll
from overgen.measures.dimension import (
    ESTIMATORS,
    dimension,
    inverse_dimensions,
    local,
    maximum_likelihood,
    two_nearest,
)

CLOUDS = {  # of 1,000 points in 784 columns: the dimension, and how far an estimate may be from it
    "plane": (lambda draw: cube(draw, 1000, 2, 784), 2, 0.15),
    "cube": (lambda draw: cube(draw, 1000, 5, 784), 5, 1.0),  # too low: many points are near a face,
    "sphere": (lambda draw: sphere(draw, 1000, 3, 784), 3, 0.3),
    "roll": (lambda draw: swiss_roll(draw, 1000, 784), 2, 0.15),
}


@pytest.mark.parametrize("name", CLOUDS)
def test_known_dimensions_are_found(name: str) -> None:
    """Also where a third of the rows is repeated, which changes no estimate."""
    make, true, off = CLOUDS[name]
    x = make(np.random.default_rng(1))
    found = dimension(x)
    for estimator in ESTIMATORS:
        assert getattr(found, estimator) == pytest.approx(true, abs=off), estimator
    assert np.median(found.local) == pytest.approx(true, abs=off)
    assert (len(found.places), found.repeated) == (1000, 0)
    again = dimension(np.concatenate([x, x[:300]]))
    assert (again.places.tolist(), again.repeated) == (list(range(1000)), 300)
    assert again[:3] == found[:3]


def test_a_roll_is_uniform_on_its_plane() -> None:
    """The mean of t² is then that of its ends, and the squared length of a point t² + h², however it is turned."""
    x = swiss_roll(np.random.default_rng(0), 20_000, 5)
    expected = np.pi**2 * (1.5**2 + 4.5**2) / 2 + 21**2 / 3
    assert np.square(x).sum(1).mean() == pytest.approx(expected, abs=4)


def test_unit_and_place_do_not_matter() -> None:
    x = cube(np.random.default_rng(0), 400, 3, 30)
    for estimator, first, second in zip(ESTIMATORS, dimension(x), dimension(255 * x + 7), strict=False):
        assert first == pytest.approx(second, rel=1e-9), estimator


@pytest.mark.parametrize(("count", "width"), [(300, 784), (301, 10)])
def test_all_three_are_those_of_scikit_dimension(count: int, width: int) -> None:
    skdim = pytest.importorskip("skdim")
    x = sphere(np.random.default_rng(2), count, 6, width)
    x[: count // 3] *= 0.3  # not of one density
    found = dimension(x)
    assert found.two_nn == pytest.approx(skdim.id.TwoNN().fit(x).dimension_, rel=1e-9)
    mle = skdim.id.MLE().fit(x)
    assert found.mle == pytest.approx(mle.dimension_, rel=1e-9)
    # Of an odd number the median is one of the distances, which rounding in the oracle puts on either side of itself.
    off = 1e-9 if count % 2 == 0 else 1e-2
    assert found.correlation == pytest.approx(skdim.id.CorrInt().fit(x).dimension_, rel=off)


def test_local_estimates_are_pooled_over_neighbours() -> None:
    """A line that touches a cube: points far inside either have its dimension, whatever the mean of all is."""
    draw = np.random.default_rng(3)
    line, block = np.zeros((400, 4)), cube(draw, 800, 4, 4)
    line[:, 0] = 20 + 10 * draw.random(400)
    found = dimension(np.concatenate([line, block]), neighbours=20)
    assert np.median(found.local[:400]) == pytest.approx(1, abs=0.1)
    assert np.median(found.local[400:]) == pytest.approx(4, abs=0.5)
    assert 1.2 < found.mle < 3.5


def test_formulas_by_hand() -> None:
    distances = np.array([[1.0, 2.0, 4.0], [1.0, 1.0, np.e]])
    first, second = (np.log(4) + np.log(2)) / 2, 1.0
    np.testing.assert_allclose(inverse_dimensions(distances), [first, second])
    assert maximum_likelihood(distances) == pytest.approx(2 / (first + second))
    np.testing.assert_allclose(local(distances[:, 1:], np.array([[1, 1], [0, 0]])),
                               [3 / (np.log(2) + 2), 3 / (1 + 2 * np.log(2))])  # fmt: skip
    # ten ratios, of which nine are kept: exactly the quantiles of a Pareto law of exponent 3
    heights = -np.log(1 - np.arange(1, 10) / 10)
    ratios = np.exp(np.append(heights / 3, 50))
    assert two_nearest(np.stack([np.ones(10), ratios], 1)) == pytest.approx(3)


def test_points_at_equal_distances_have_no_finite_dimension() -> None:
    assert maximum_likelihood(np.ones((30, 5))) == np.inf
    with pytest.raises(ValueError, match="all are 1"):
        two_nearest(np.ones((30, 5)))


def test_too_few_distinct_rows_are_refused() -> None:
    x = cube(np.random.default_rng(0), 20, 2, 5)
    with pytest.raises(ValueError, match="20 distinct rows: 20 neighbours need at least 21"):
        dimension(np.concatenate([x, x]))
