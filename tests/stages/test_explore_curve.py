"""Two features on a curve: its geometry, stacks of networks, distances to a boundary that is known, and the page."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from overgen import OvergenError
from overgen.measures.intervals import mean_interval
from overgen.run import params
from overgen.run.stage import execute
from overgen.run.streams import generator
from overgen.stages.explore_curve import boundaries, geometry, negatives, summary
from overgen.stages.explore_curve.networks import Stack, cross_entropy

from workspace import ROOT, Study, make_workspace

SETTINGS = params.load(ROOT / "params.yaml").explore_curve
CURVE = geometry.Curve(SETTINGS.curve)
PLACES = st.floats(0.01, 0.99)


def test_places_are_told_by_length() -> None:
    shape = SETTINGS.curve
    pace = math.pi * shape.waves
    length, _ = quad(lambda s: math.hypot(shape.width, shape.height * pace * math.cos(pace * s)), -1, 1)
    assert CURVE.length == pytest.approx(length, rel=1e-6)
    pieces = np.linalg.norm(np.diff(CURVE.points(np.linspace(0, 1, 2001)), axis=0), axis=1)
    assert pieces == pytest.approx(np.full(2000, length / 2000), rel=1e-4)
    labels = CURVE.labels(np.array([0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 1]))
    assert labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


@given(PLACES, st.floats(-0.99, 0.99))
def test_a_point_beside_the_curve_is_as_far_from_it_as_it_was_moved(place: float, share: float) -> None:
    u = np.array([place])
    normal = CURVE.tangents(u) @ np.array([[0, 1], [-1, 0]])
    moved = CURVE.points(u) + share * CURVE.radius * normal
    assert CURVE.distance(moved)[0] == pytest.approx(abs(share) * CURVE.radius, abs=2e-3)


def test_the_radius_is_that_of_the_tightest_circle_through_three_points() -> None:
    points = CURVE.points(np.linspace(0, 1, 4001))
    a, b, c = (np.linalg.norm(points[i:-2 + i or None] - points[j:-2 + j or None], axis=1)
               for i, j in ((0, 1), (1, 2), (0, 2)))  # fmt: skip
    half = (a + b + c) / 2
    area = np.sqrt((half * (half - a) * (half - b) * (half - c)).clip(1e-30))
    assert CURVE.radius == pytest.approx((a * b * c / (4 * area)).min(), rel=1e-2)


def test_planes_are_orthonormal_and_directions_leave_the_curve() -> None:
    planes = geometry.embeddings(3, 7, generator("planes"))
    assert torch.allclose(planes.transpose(1, 2) @ planes, torch.eye(2).expand(3, 2, 2), atol=1e-6)
    tangents = torch.from_numpy(CURVE.tangents(np.full((3, 4), 0.3))).float()
    off = geometry.directions_off(tangents, planes, 5, generator("directions"))
    along = torch.einsum("std,sed->ste", tangents, planes)
    assert (off * along[:, :, None]).sum(-1).abs().max() < 1e-5
    away = geometry.directions_off_plane(planes, 6, generator("away"))
    assert (away @ planes).abs().max() < 1e-5
    assert torch.allclose(away.norm(dim=2), torch.ones(3, 6))
    assert torch.allclose(off.norm(dim=3), torch.ones(3, 4, 5))


def test_a_network_of_a_stack_is_the_network_alone() -> None:
    """Outputs are as torch's layers give them, points of a plane as themselves, and training keeps networks apart."""
    planes = geometry.embeddings(2, 5, generator("planes"))
    plane = torch.rand(2, 9, 2, generator=generator("points"))
    x = plane @ planes.transpose(1, 2)
    labels = torch.arange(9).expand(2, 9) % 2

    def stack() -> Stack:
        return Stack(2, 5, 8, 2, generator("weights"))

    both, alone = stack(), stack()
    alone.weights = [w.detach()[1:].clone().requires_grad_() for w in alone.weights]
    alone.biases = [b.detach()[1:].clone().requires_grad_() for b in alone.biases]
    h = x[1]
    for w, b in zip(both.weights, both.biases, strict=True):
        h = torch.nn.functional.linear(h, w[1].T, b[1, 0])
        h = h.relu() if w is not both.weights[-1] else h
    assert torch.allclose(both(x)[1], h, atol=1e-6)
    assert torch.allclose(both.rest(both.first_of_plane(plane, planes)), both(x), atol=1e-5)
    before = cross_entropy(both(x), labels).mean()
    both.train(lambda _: cross_entropy(both(x), labels), steps=30, learning_rate=0.02)
    alone.train(lambda _: cross_entropy(alone(x[1:]), labels[1:]), steps=30, learning_rate=0.02)
    assert torch.allclose(both(x)[1], alone(x[1:])[0], atol=1e-3)
    assert cross_entropy(both(x), labels).mean() < before


def linear_stack(normal: torch.Tensor, offset: float) -> Stack:
    """A network whose boundary is the plane normal·x = offset: rectified units kept on their linear side."""
    stack = Stack(1, len(normal), 2, 2, generator("linear"))
    far = 1e3
    stack.weights = [torch.stack([normal, -normal], 1)[None], torch.eye(2)[None], torch.eye(2).flip(1)[None]]
    stack.biases = [torch.tensor([[[far - offset, far + offset]]]), torch.zeros(1, 1, 2), torch.zeros(1, 1, 2)]
    return stack


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(0.1, 0.9), st.integers(0, 99))
def test_the_smallest_change_to_a_plane_is_its_distance(point: list[float], offset: float, seed: int) -> None:
    normal = torch.nn.functional.normalize(torch.randn(3, generator=generator(seed)), dim=0)
    x = torch.tensor([[point]])
    gap = abs(float(x[0, 0] @ normal) - offset)
    stack = linear_stack(normal, offset)
    if gap < 1e-2:
        return
    sideways = torch.linalg.cross(normal, torch.tensor([0.3, -0.5, 0.8]))
    first = 2 * (offset - float(x[0, 0] @ normal)) * normal + sideways  # crosses, but not the shortest way
    change = boundaries.smallest_change(stack, x, first[None, None], 3)
    assert float(change.norm()) == pytest.approx(gap, rel=0.02, abs=2e-3)
    towards = math.copysign(1, offset - float(x[0, 0] @ normal)) * normal
    slanted = torch.nn.functional.normalize(towards + 0.5 * torch.nn.functional.normalize(sideways, dim=0), dim=0)
    directions = torch.stack([towards, slanted, -towards])[None, None]
    near, longer, never = boundaries.first_crossings(stack, x, directions, 50.0)[0, 0].tolist()
    assert near == pytest.approx(gap, rel=0.01, abs=2e-3)
    assert longer == pytest.approx(gap * math.hypot(1, 0.5), rel=0.01, abs=2e-3)
    assert never == math.inf


def test_the_way_along_the_curve_ends_where_the_class_changes() -> None:
    places = np.linspace(0, 1, 101)
    votes = (places > 0.305) & (places < 0.805)
    u = np.array([0.0, 0.4, 0.7, 0.95])
    assert boundaries.to_change(u, places, votes) == pytest.approx([0.305, 0.095, 0.105, 0.145], abs=1e-9)
    there = boundaries.nearest_change(u[None], places, votes[None])[0]
    assert there == pytest.approx([0.31, 0.30, 0.81, 0.80])
    assert boundaries.to_change(u, places, np.zeros(101, bool)).tolist() == [1, 1, 1, 1]


@given(st.integers(2, 6), st.integers(1, 9), st.integers(0, 99))
def test_disagreement_is_that_of_all_pairs(count: int, points: int, seed: int) -> None:
    votes = np.random.default_rng(seed).random((count, points)) < 0.5
    pairs = [float((votes[i] != votes[j]).mean()) for i, j in combinations(range(count), 2)]
    assert summary.differs(votes).mean() == pytest.approx(np.mean(pairs))


def test_tables_by_hand() -> None:
    """Of one network, three points and two directions from each."""
    smallest = np.array([[0.1, 0.2, 0.4]])
    random = np.array([[[0.1, 0.2], [0.41, 0.9], [np.inf, np.inf]]])  # 2 of 6 within twice the smallest
    votes = np.array([[True, False, True, True]])
    arrays = {"along": np.array([[0.3, 0.5, 0.9]]), "smallest": smallest, "random": random, "accuracy": np.array([0.9]),
              "off_plane": np.array([[0.0, 0.5, 1.0]]), "on_curve": np.concatenate([votes, ~votes]),
              "in_plane": np.concatenate([votes, votes])}  # fmt: skip
    blind = {name: np.array([[0.1], [0.2]]) for name in ("accuracy", *summary.KINDS)}
    of = SimpleNamespace(boundaries=SimpleNamespace(limit=5.0), negatives=SimpleNamespace(counts=[4, 8]), distances=[])
    found = summary.tables({2: arrays}, {2: blind}, of)
    (line,) = found["boundaries"].to_dict("records")
    assert line == {"dimension": 2, "seed": 0, "accuracy": 0.9, "along": 0.5, "smallest": 0.2,
                    "random": pytest.approx((0.41 + 0.9) / 2), "never": pytest.approx(1 / 3),
                    "in_twice": pytest.approx(1 / 3), "off_plane": 0.5, "differs_on_curve": 1.0,
                    "differs_in_plane": 0.0}  # fmt: skip
    negatives = found["negatives"]
    assert negatives[["negatives", "seed", "uniform"]].to_numpy().tolist() == [[4, 0, 0.1], [8, 0, 0.2]]
    assert negatives["worst_off"].isna().all()


def test_disagreement_has_twice_the_interval_that_networks_without_pairs_had() -> None:
    shares = np.array([0.3, 0.32, 0.29, 0.33, 0.31])
    row = summary.pairs_row("differs", shares, {"dimension": 2.0})
    low, high = mean_interval(100 * shares)  # type: ignore[misc]
    assert (row["reproduced"], row["n"]) == (pytest.approx(31), 10)  # of five networks there are ten pairs
    assert (row["low"], row["high"]) == (pytest.approx(31 - 2 * (31 - low)), pytest.approx(31 + 2 * (high - 31)))
    assert summary.pairs_row("differs", np.array([0.0, 0.1]), {"dimension": 2.0})["low"] == 0


def test_what_is_needed_is_the_least_number_from_which_on_it_is_enough() -> None:
    shares = {0: [0.9, 0.04, 0.01], 1: [0.02, 0.3, 0.03], 2: [0.5, 0.4, 0.3]}  # a lucky first one does not count
    own = pd.DataFrame(
        [
            {"negatives": n, "seed": s, "near": v}
            for s, of in shares.items()
            for n, v in zip((4, 16, 64), of, strict=True)
        ]
    )
    of = SimpleNamespace(rejected=95.0, negatives=SimpleNamespace(counts=[4, 16, 64]))
    assert summary.needed(own, "near", of).tolist() == [16, 64, math.inf]
    row = summary.needed_row(own, "near", 2, of)
    assert (row["reproduced"], row["high"]) == (100, None)
    assert "too small for 1 of 3" in row["note"]


def test_ratios_are_of_the_most_dimensions_to_the_least() -> None:
    """Geometric means over two seeds; where the whole budget is too small, twice the budget counts."""
    of = SimpleNamespace(
        distances=[], rejected=95.0, boundaries=SimpleNamespace(tested=5, directions=2, limit=9.0),
        negatives=SimpleNamespace(counts=[4, 16, 64], tested=50),
    )  # fmt: skip
    columns = ("along", "random", "accuracy", "off_plane", "in_twice", "never", "differs_on_curve", "differs_in_plane")
    lengths = {2: [0.4, 0.4], 8: [0.2, 0.1]}
    boundaries_table = pd.DataFrame(
        dict.fromkeys(columns, 0.5) | {"dimension": d, "seed": s, "smallest": value}
        for d, values in lengths.items() for s, value in enumerate(values)
    )  # fmt: skip
    rows = {row["metric"]: row for row in summary.curve_rows(boundaries_table, of)}
    assert rows["smallest_ratio"]["reproduced"] == pytest.approx(math.sqrt(0.5 * 0.25))
    assert (rows["ratio@dimension=8"]["reproduced"], rows["accuracy@dimension=8"]["reproduced"]) == (
        pytest.approx(0.3), 50
    )  # fmt: skip
    shares = {(2, 0): [0.02] * 3, (2, 1): [0.5, 0.01, 0.01], (8, 0): [0.5] * 3, (8, 1): [0.5, 0.5, 0.01]}
    blind = pd.DataFrame(
        dict.fromkeys(summary.KINDS, share) | {"dimension": d, "seed": s, "negatives": n, "accuracy": 0.9,
                                               "worst_off": math.nan}
        for (d, s), of_counts in shares.items() for n, share in zip((4, 16, 64), of_counts, strict=True)
    )  # fmt: skip
    rows = {row["metric"]: row for row in summary.other_rows(blind, of)}
    assert rows["needed_ratio"]["reproduced"] == pytest.approx(math.sqrt(128 / 4 * 64 / 16))
    assert rows["accepted@kind=uniform@dimension=8"]["reproduced"] == pytest.approx((50 + 1) / 2)
    assert rows["accuracy@dimension=2"]["reproduced"] == pytest.approx(90)


def test_far_points_are_off_the_curve_and_ascent_accepts_no_less() -> None:
    planes = geometry.embeddings(2, 6, generator("planes"))
    of = SimpleNamespace(near=0.2, negatives=SimpleNamespace(tested=40))
    far = negatives.far_points(of, CURVE, planes, generator("far"))
    curve = torch.from_numpy(CURVE.points(np.linspace(0, 1, 2001))).float() @ planes.transpose(1, 2)
    assert torch.cdist(far, curve).min() > 0.2 - 1e-3
    assert far.abs().max() <= 1
    stack = Stack(2, 6, 8, 3, generator("weights"))
    x, away = far, geometry.directions_off_plane(planes, 40, generator("away"))

    def hits(steps: int) -> torch.Tensor:
        return negatives.ascended(stack, x, away, 0.7, lambda v: geometry.off_plane(v, planes), 1, steps)

    at_once, later = hits(0), hits(10)
    assert torch.equal(at_once, stack(x + 0.7 * away).argmax(2) != 2)
    assert bool((later | ~at_once).all())
    assert later.sum() > at_once.sum()


def test_the_stage_and_its_page(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study.cell("explore_curve", "mlp", "curve")
    monkeypatch.chdir(study.copy(tmp_path / "workspace"))
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    cell = Path("reports/cells/curve/explore_curve/mlp")
    found = {row["metric"]: row for row in json.loads((cell / "metrics.json").read_text())["metrics"]}
    table = pd.read_csv(cell / "boundaries.csv")
    assert len(table) == 8
    assert (table["smallest"] <= table["along"] + 1e-6).all()  # the straight line to it is where the search begins
    assert found["off_plane@dimension=2"]["reproduced"] < 0.01 < found["off_plane@dimension=16"]["reproduced"]
    plane = table[table["dimension"] == 2]["smallest"]
    assert found["smallest@dimension=2"]["reproduced"] == pytest.approx(plane.mean())
    execute("report_page", dataset="curve")
    text = Path("reports/curve/report.md").read_text()
    for claim in ("off the curve than along it", "nearer to its boundary", "step off the curve", "runs is chance",
                  "with every dimension", "is not feasible"):  # fmt: skip
        assert text.count(claim) == 2, claim  # among the findings, and in its section
    assert {path.stem for path in Path("reports/curve/figures").iterdir()} == {
        "curve_boundaries", "curve_moves", "curve_distances", "other_needed", "other_off"
    }  # fmt: skip


def test_a_distance_beyond_the_curves_bend_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_workspace(tmp_path / "workspace", **{"explore_curve.near": 0.3}))
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with pytest.raises(OvergenError, match=r"explore_curve.near: 0.3 off the curve .* radius of 0.234; choose less"):
        execute("explore_curve", dataset="curve", model="mlp")
    with pytest.raises(OvergenError, match=r"explore_curve.dimensions.*must rise: \[2, 8, 4\]"):
        params.load(text=(ROOT / "params.yaml").read_text().replace("[2, 4, 8, 16,", "[2, 8, 4, 16,").replace(
            " 16, 32, 64, 128, 256, 784]", "]"))  # fmt: skip
