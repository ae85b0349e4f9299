"""Nearest rows and near pairs, against all distances written out."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from overgen.measures import neighbours
from overgen.measures.neighbours import Cloud, distinct, nearest, pairs_within, smallest


def all_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(((a[:, None].astype(np.float64) - b[None]) ** 2).sum(2))


def cloud(seed: int, count: int, width: int, kind: str) -> np.ndarray:
    """Of five kinds that a float32 product finds hard or easy."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, width))
    if kind == "grid":
        return draw.integers(0, 3, (count, width)).astype(np.float32)  # many rows are equally far, some repeated
    if kind == "far away":
        return 1000 + x
    if kind == "flat":  # as a curve with little beside it
        return np.sin(2 * x[:, :1] * np.arange(1, width + 1) / width) + 0.1 * x
    if kind == "tight pairs":
        x[1::2] = x[::2][: len(x) // 2] + 1e-6 * x[1::2]
    return x


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 60),
    width=st.integers(1, 9),
    kind=st.sampled_from(["plain", "grid", "far away", "tight pairs", "flat"]),
    others=st.booleans(),
    large=st.sampled_from([1, 10, 1000]),
    data=st.data(),
)
def test_nearest_rows_are_those_of_all_distances(
    seed: int, count: int, width: int, kind: str, others: bool, large: int, data: st.DataObject
) -> None:
    """Whether an outline is searched first or not."""
    with patch.object(neighbours, "LARGE", large), patch.object(neighbours, "ASKED", 0):
        nearest_rows_are_those_of_all_distances(seed, count, width, kind, others, data)


def nearest_rows_are_those_of_all_distances(
    seed: int, count: int, width: int, kind: str, others: bool, data: st.DataObject
) -> None:
    x = cloud(seed, count, width, kind)
    queries = cloud(seed + 1, 7, width, kind) if others else None
    k = data.draw(st.integers(1, count if others else count - 1))
    found = nearest(x, k, queries)
    every = all_distances(x if queries is None else queries, x)
    if queries is None:
        assert (found.places != np.arange(count)[:, None]).all()
        np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(found.distances, np.sort(every, 1)[:, :k], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(every, found.places, 1), found.distances, rtol=1e-12, atol=1e-12)
    assert all(len(set(row)) == k for row in found.places.tolist())


def test_nearest_rows_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overgen.scores.arrays.BLOCK", 200)  # several blocks of queries
    draw = np.random.default_rng(0)
    base, queries = draw.normal(100, 1, (50, 7)), draw.normal(100, 1, (23, 7))
    expected = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(base).kneighbors(queries, return_distance=False)
    assert (nearest(base, 6, queries).places == expected).all()
    assert (np.sort(nearest(base, 50, queries).places) == np.arange(50)).all()


def test_of_equally_near_rows_the_first_comes_first() -> None:
    base = np.array([[4.0], [1.0], [-1.0], [1.0]])
    assert nearest(base, 3, np.array([[0.0]])).places.tolist() == [[1, 2, 3]]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 60),
    width=st.integers(1, 9),
    kind=st.sampled_from(["plain", "grid", "far away", "tight pairs"]),
)
def test_near_pairs_are_those_of_all_distances(seed: int, count: int, width: int, kind: str) -> None:
    """A radius that some pairs have exactly counts none of them."""
    x = cloud(seed, count, width, kind)
    every = all_distances(x, x)[np.triu_indices(count, 1)]
    radii = np.array([*np.sort(every)[:: max(1, len(every) // 5)], 1.0])
    radii = radii[radii > 0] if kind == "grid" else np.array([1.0, np.median(every) * (1 + 1e-9)])
    assert pairs_within(x, radii).tolist() == [int((every < radius).sum()) for radius in radii]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = cloud(0, 300, 20, "plain")
    whole, pairs = nearest(x, 5), pairs_within(x, np.array([4.0, 5.0]))
    for module in ("overgen.scores.arrays", "overgen.measures.neighbours"):
        monkeypatch.setattr(f"{module}.BLOCK", 300 * 16)
    monkeypatch.setattr(neighbours, "CACHED", 1000)
    again = nearest(x, 5)
    np.testing.assert_allclose(again.distances, whole.distances, rtol=1e-12)
    assert (again.places == whole.places).all()
    assert (pairs_within(x, np.array([4.0, 5.0])) == pairs).all()


def test_an_outline_is_searched_where_it_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows near a plane need no other search, and none of its distances is above that of the rows."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 4)) @ draw.normal(size=(4, 40)) + 0.01 * draw.normal(size=(300, 40))
    found = neighbours.outline_axes(x - x.mean(0))
    assert found is not None
    axes, spare = found
    assert axes.shape[1] <= 4
    assert spare == neighbours.SPARE
    shadows = neighbours.outline(x - x.mean(0), axes)
    assert (all_distances(shadows, shadows) <= all_distances(x, x) + 1e-12).all()
    monkeypatch.setattr(neighbours, "LARGE", 100)
    cloud = Cloud(x)
    expected = np.sort(all_distances(x, x) + np.diag(np.full(300, np.inf)), 1)[:, :5]
    np.testing.assert_allclose(cloud.nearest(5).distances, expected, rtol=1e-12)
    assert "outlined" in vars(cloud)
    assert "centred" not in vars(cloud)  # what an outline settles is searched in no other form


def test_an_outline_of_a_quarter_takes_more_candidates_and_is_left_where_it_holds_too_little() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(500, 40))
    x[:, :8] *= 8  # holds 0.94 of the variance
    found = neighbours.outline_axes(x - x.mean(0))
    assert found is not None
    assert found[0].shape == (40, 10)
    assert found[1] == neighbours.SPARE * neighbours.MORE
    assert neighbours.outline_axes(draw.normal(size=(500, 40))) is None


@pytest.mark.parametrize(("count", "asked", "outlined"), [(4000, 1, False), (4000, 8, True), (3999, 8, False)])
def test_few_rows_or_queries_are_not_worth_an_outline(count: int, asked: int, outlined: bool) -> None:
    draw = np.random.default_rng(0)
    x = (draw.normal(size=(count, 2)) @ draw.normal(size=(2, 40))).astype(np.float32)
    cloud = Cloud(x)
    queries = x[:asked] + np.float32(0.1)
    expected = np.sort(all_distances(queries, x), 1)[:, :3]
    np.testing.assert_allclose(cloud.nearest(3, queries).distances, expected, rtol=1e-12)
    assert ("outlined" in vars(cloud)) == outlined


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["plain", "grid", "far away", "tight pairs", "flat"]))
def test_a_query_gets_the_same_bits_alone_and_among_others(seed: int, kind: str) -> None:
    """Whatever form was searched: distances are computed as they are written."""
    x, queries = cloud(seed, 60, 9, kind), cloud(seed + 1, 7, 9, kind)
    with patch.object(neighbours, "LARGE", 1), patch.object(neighbours, "ASKED", 0):
        together = nearest(x, 4, queries).distances
    alone = np.concatenate([nearest(x, 4, query[None]).distances for query in queries])
    np.testing.assert_array_equal(together, alone)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(0, 700))
def test_the_smallest_of_each_row_are_found(seed: int, count: int, more: int) -> None:
    values = np.random.default_rng(seed).integers(50, size=(3, count + 1 + more)).astype(np.float32)  # with ties
    place = smallest(values, count)
    assert all(len(set(row)) == count for row in place.tolist())
    np.testing.assert_array_equal(np.sort(np.take_along_axis(values, place, 1)), np.sort(values)[:, :count])


def test_what_float32_cannot_tell_is_searched_again() -> None:
    """A far point moves the centre away from the others, of which a float32 product then cannot tell the nearest."""
    draw = np.random.default_rng(0)
    x = np.concatenate([1e-5 * draw.normal(size=(200, 3)), 1e3 * np.ones((1, 3))])
    every = all_distances(x, x)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(nearest(x, 3).distances, np.sort(every, 1)[:, :3], rtol=1e-9)


def test_distinct_rows() -> None:
    x = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, -0.0], [2.0, 0.0], [3.0, 1.0]])
    assert distinct(x).tolist() == [0, 1, 4]
    assert distinct(x[:, 1:]).tolist() == [0, 4]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"k = 3 nearest of 3 rows: must lie in 1\.\.2"):
        nearest(np.eye(3), 3)
    assert nearest(np.eye(3), 3, np.eye(3)).distances.shape == (3, 3)
    with pytest.raises(ValueError, match="k = 3 nearest of 2 rows"):
        nearest(np.zeros((2, 4)), 3, np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"shape \(5, 3\)"):
        nearest(np.zeros((9, 4)), 3, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="row 1, column 0"):
        nearest(np.array([[0.0], [np.nan]]), 1)
