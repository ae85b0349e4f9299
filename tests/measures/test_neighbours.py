"""Nearest rows and near pairs, against all distances written out."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from overgen.measures import neighbours
from overgen.measures.neighbours import distinct, nearest, pairs_within


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
    with patch.object(neighbours, "LARGE", large):
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
    axes = neighbours.outline_axes(x - x.mean(0))
    assert axes is not None
    assert axes.shape[1] <= 4
    shadows = neighbours.outline(x - x.mean(0), axes)
    assert (all_distances(shadows, shadows) <= all_distances(x, x) + 1e-12).all()
    monkeypatch.setattr(neighbours, "LARGE", 100)
    whole = list(neighbours.forms(x, 5))
    assert len(whole) == 3
    monkeypatch.setattr(neighbours, "forms", lambda x, k: whole[:1])
    every = all_distances(x, x)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(nearest(x, 5).distances, np.sort(every, 1)[:, :5], rtol=1e-12)


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
