"""The stage explore_paths."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen import OvergenError
from overgen.measures.intervals import mean_interval
from overgen.run.params import Params
from overgen.run.results import parts
from overgen.stages.explore_paths import params, summary
from overgen.stages.explore_paths.geodesics import Graph
from overgen.stages.explore_paths.pairs import Pairs, draw_pairs
from overgen.stages.explore_paths.run import along


def test_pairs_are_spread_over_classes() -> None:
    labels = np.array([*(i % 3 for i in range(90)), -1, -1])
    pairs = draw_pairs(labels, 10, "mine")
    for kind, groups in (("within", [(0, 0), (1, 1), (2, 2)]), ("across", [(0, 1), (0, 2), (1, 2)])):
        own = pairs.kind == kind
        of = Counter(map(tuple, pairs.of[own].tolist()))
        assert set(of) == set(groups)
        assert sorted(of.values()) == [3, 3, 4]
    assert (labels[pairs.first] == pairs.of[:, 0]).all()
    assert (labels[pairs.second] == pairs.of[:, 1]).all()
    for c in range(3):
        used = [*pairs.first[(pairs.of == c).all(1)], *pairs.second[(pairs.of == c).all(1)]]
        assert len(set(used)) == len(used)
    assert all((a == b).all() for a, b in zip(pairs, draw_pairs(labels, 10, "mine"), strict=True))


def test_fewer_pairs_than_class_pairs_are_of_different_ones() -> None:
    pairs = draw_pairs(np.arange(200) % 10, 12, "mine")
    across = pairs.of[pairs.kind == "across"].tolist()
    assert len({tuple(of) for of in across}) == 12


def test_too_few_test_images_are_refused() -> None:
    with pytest.raises(OvergenError, match=r"explore_paths.mine.pairs: 12 pairs need 8 test images of class 0.* has 5"):
        draw_pairs(np.arange(15) % 3, 12, "mine")


def test_a_network_that_no_list_names_is_refused() -> None:
    own = {"latents": ["autoencoder"], "denoiser": "dae", "classifier": "cnn"}
    lists = {"classifiers": ["cnn"], "autoencoders": ["autoencoder", "dae_sym"], "explored_datasets": ["mine"]}
    found = Params(lists | {"explore_paths": {"mine": SimpleNamespace(**own)}})
    with pytest.raises(ValueError, match=r"paths.mine.denoiser: 'dae' is none of cnn, autoencoder, dae_sym"):
        params.check(found)
    params.check(Params(lists | {"adopted": ["dae"]} | {"explore_paths": {"mine": SimpleNamespace(**own)}}))


def floyd_warshall(lengths: np.ndarray) -> np.ndarray:
    """Lengths of all shortest paths. lengths: (N, N), infinite where there is no edge."""
    found = lengths.copy()
    np.fill_diagonal(found, 0)
    for k in range(len(found)):
        found = np.minimum(found, found[:, k, None] + found[None, k])
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(8, 40), k=st.integers(1, 6), twice=st.booleans())
def test_shortest_paths_are_as_long_as_those_of_the_whole_matrix(seed: int, count: int, k: int, twice: bool) -> None:
    """Also where points of the graph coincide with one another and with ends."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, 3)).astype(np.float32)
    ends = draw.normal(size=(2, 4, 3)).astype(np.float32)
    if twice:
        x[1], ends[0, 0] = x[0], x[2]
    gaps = np.linalg.norm(x[:, None].astype(np.float64) - x[None], axis=2)
    edges = np.full_like(gaps, np.inf)
    for i, row in enumerate(gaps):
        near = sorted((d, j) for j, d in enumerate(row) if j != i)[:k]
        for d, j in near:
            edges[i, j] = edges[j, i] = d
    inside = floyd_warshall(edges)
    paths = Graph(x, k).shortest(*ends)
    for first, second, path in zip(*ends, paths, strict=True):
        own = [np.linalg.norm(x - end.astype(np.float64), axis=1) for end in (first, second)]
        near = [np.argsort(d, kind="stable")[:k] for d in own]
        shortest = min(own[0][i] + inside[i, j] + own[1][j] for i in near[0] for j in near[1])
        if path is None:
            assert shortest == np.inf
            continue
        assert (path[0] == first).all()
        assert (path[-1] == second).all()
        length = np.linalg.norm(np.diff(path.astype(np.float64), axis=0), axis=1).sum()
        assert length == pytest.approx(shortest, rel=1e-6, abs=1e-6)


def test_a_path_goes_round_where_the_data_do() -> None:
    """On a ring the way between opposite points is half the ring, and never through the middle."""
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    (path,) = Graph(ring, 2).shortest(np.array([[1.0, 0.001]]), np.array([[-1.0, 0.001]]))
    assert path is not None
    points = along(path, np.linspace(0, 1, 21))
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=2e-3)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(steps, np.pi / 20, rtol=0.02)


def test_two_islands_have_no_path() -> None:
    x = np.concatenate([np.zeros((5, 2)), 9 * np.ones((5, 2))]) + np.arange(10)[:, None] * 0.01
    near, far = Graph(x, 2).shortest(np.zeros((2, 2)), np.array([[0.0, 0.1], [9.0, 9.1]]))
    assert near is not None
    assert far is None


def test_positions_along_a_path_are_even_by_length() -> None:
    path = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 3.0]])
    np.testing.assert_allclose(along(path, np.array([0, 0.25, 0.5, 1])), [[0, 0], [1, 0], [1, 1], [1, 3]])


def test_numbers_by_hand() -> None:
    """Three pairs of two classes: a missing path leaves its pair out of that way, and of the comparison."""
    kinds = np.array(["across", "across", "across", "within"])
    pairs = Pairs(kinds, np.arange(4), np.arange(4), np.array([[0, 2], [1, 2], [1, 2], [2, 2]]))

    def way(distance: list[list[float]], answer: float = 2) -> dict[str, np.ndarray]:
        values = np.array(distance)
        scores = np.where(np.isnan(values), np.nan, [[1.0, 0.5, 0.995, 0.5, 1.0]] * 4)
        return {"distance": values, "error": values / 2, "score": scores, "scaled": 0.9 * scores,
                "answer": np.where(np.isnan(values), np.nan, answer)}  # fmt: skip

    none = [np.nan] * 5
    straight = [[1, 9, 5, 9, 3], [1, 9, 2, 9, 1], [1, 9, 5, 9, 3], [2, 9, 2, 9, 2]]
    made = {"pixels": way(straight), "geodesic": way([none, [1, 9, 4, 9, 3], none, none], answer=0)}
    table = summary.pairs_table(made, pairs, 0.99)
    assert len(table) == 5
    rows = {tuple(parts(row["metric"]).values()): row for row in summary.rows(table, 0.99)}

    def value(*of: str) -> float:
        return rows[of]["reproduced"]

    assert value("distance_rise", "pixels", "across") == pytest.approx((3 + 1 + 3) / 3)
    assert value("error_rise", "pixels", "across") == pytest.approx(7 / 6)
    assert value("distance_rise", "pixels", "within") == 0
    assert value("distance_rise", "geodesic", "across") == 2
    assert value("distance_rise_beyond_pixels", "geodesic", "across") == 2 - 1  # of the second pair alone
    assert rows["distance_rise", "geodesic", "across"]["note"] == "pairs without a path: 2"
    assert value("middle_sure", "pixels", "across") == 100
    passed = rows["middle_scaled_sure", "pixels", "across"]
    wilson = 100 * 1.959964**2 / (3 + 1.959964**2)  # none of three
    assert (passed["reproduced"], passed["low"], passed["high"]) == (0, 0, pytest.approx(wilson, abs=0.01))
    assert value("middle_of_ends", "pixels", "across") == 100
    assert value("middle_of_ends", "geodesic", "across") == 0
    assert ("distance_rise", "geodesic", "within") not in rows
    curves = summary.curves(made, pairs)
    middle = curves[(curves["way"] == "pixels") & (curves["kind"] == "across") & (curves["position"] == 0.5)]
    assert middle.set_index("measure")["q50"]["distance"] == 5


def test_an_interval_knows_that_pairs_share_classes() -> None:
    """What each of ten classes adds to all its pairs: an interval that takes pairs for independent misses the mean."""
    classes = np.array([(a, b) for a in range(10) for b in range(a)])
    draw = np.random.default_rng(0)
    shared = apart = 0
    for _ in range(300):
        values = draw.normal(size=10)[classes].sum(1) + 0.5 * draw.normal(size=45)
        for k, found in enumerate((summary.interval_over_shared(values, classes), mean_interval(values))):
            assert found is not None
            covers = found[0] < 0 < found[1]
            shared, apart = shared + covers * (k == 0), apart + covers * (k == 1)
    assert shared > 0.9 * 300
    assert apart < 0.7 * 300
    assert summary.interval_over_shared(np.ones(4), np.array([[0, 1]] * 4)) is None
