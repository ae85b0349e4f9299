"""The simulated cluster (benchmarks/cluster.py): its scheduler on random graphs, and its study."""

from __future__ import annotations

import importlib.util
import sys
from fractions import Fraction
from itertools import pairwise
from types import ModuleType
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace import ROOT


def load() -> ModuleType:
    """benchmarks/cluster.py as a module."""
    specification = importlib.util.spec_from_file_location("cluster", ROOT / "benchmarks/cluster.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["cluster"] = module
    specification.loader.exec_module(module)
    return module


cluster = load()
Jobs = dict[str, Any]
SHARES = [Fraction(1, n) for n in (1, 2, 3, 16, 24)] + [Fraction(2, 3)]


@st.composite
def graphs(draw: st.DrawFn, shares: list[Fraction] = SHARES) -> tuple[nx.DiGraph, Jobs]:
    """Up to 14 jobs of whole seconds, 0 too, of which later ones wait for earlier ones."""
    names = [f"job{i}" for i in range(draw(st.integers(1, 14)))]
    seconds, share = st.integers(0, 9), st.sampled_from(shares)
    jobs = {name: cluster.Job(float(draw(seconds)), draw(share)) for name in names}
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for i, name in enumerate(names[1:], start=1):
        graph.add_edges_from((names[j], name) for j in draw(st.sets(st.integers(0, i - 1), max_size=3)))
    return graph, jobs


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(1, 5))
def test_no_schedule_breaks_what_must_hold(study: tuple[nx.DiGraph, Jobs], gpus: int) -> None:
    graph, jobs = study
    placed = cluster.schedule(graph, jobs, gpus)
    assert placed.keys() == jobs.keys()
    ends = {name: where.start + jobs[name].seconds for name, where in placed.items()}
    for before, after in graph.edges:
        assert placed[after].start >= ends[before]
    for moment in {where.start for where in placed.values()}:  # load grows at no other time
        for gpu in range(gpus):
            held = [
                jobs[name].share
                for name, where in placed.items()
                if where.gpu == gpu and where.start <= moment < ends[name]
            ]
            assert sum(held) <= 1
    assert {where.gpu for where in placed.values()} <= set(range(gpus))
    assert cluster.makespan(jobs, placed) == max(ends.values())
    assert cluster.makespan(jobs, placed) >= cluster.bound(graph, jobs, gpus) * (1 - 1e-12)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([1, 2, 3]).flatmap(lambda n: st.tuples(st.just(n), graphs([Fraction(1, n)]))), st.integers(1, 4))
def test_grahams_bound(drawn: tuple[int, tuple[nx.DiGraph, Jobs]], gpus: int) -> None:
    """Graham 1969: list scheduling takes at most 2 − 1/m times the least. Shares of 1/n are m = n·GPUs machines."""
    places, (graph, jobs) = drawn
    took = cluster.makespan(jobs, cluster.schedule(graph, jobs, gpus))
    assert took <= (2 - 1 / (places * gpus)) * cluster.bound(graph, jobs, gpus) * (1 + 1e-12)


@settings(max_examples=150, deadline=None)
@given(graphs([share for share in SHARES if share <= Fraction(1, 2)]), st.integers(1, 4))
def test_bound_of_mixed_shares(study: tuple[nx.DiGraph, Jobs], gpus: int) -> None:
    """While a job waits for room, every GPU is filled but for less than its share: else it would begin."""
    graph, jobs = study
    took = cluster.makespan(jobs, cluster.schedule(graph, jobs, gpus))
    largest = float(max(job.share for job in jobs.values()))
    path = max(cluster.paths(graph, jobs).values())
    assert took <= (path + cluster.work(jobs) / gpus / (1 - largest)) * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_the_critical_path_is_a_longest_one(study: tuple[nx.DiGraph, Jobs]) -> None:
    graph, jobs = study
    way = cluster.critical(graph, jobs)
    assert all(graph.has_edge(one, other) for one, other in pairwise(way))
    weighted = nx.DiGraph((one, other, {"weight": jobs[other].seconds}) for one, other in graph.edges)
    weighted.add_edges_from(("source", name, {"weight": jobs[name].seconds}) for name in jobs)
    assert sum(jobs[name].seconds for name in way) == nx.dag_longest_path_length(weighted)


def test_the_longest_path_comes_first() -> None:
    """One GPU at a time: what much waits for begins before what is long itself."""
    graph = nx.DiGraph([("short", "long")])
    graph.add_node("alone")
    one = Fraction(1)
    jobs = {"alone": cluster.Job(4.0, one), "short": cluster.Job(1.0, one), "long": cluster.Job(5.0, one)}
    placed = cluster.schedule(graph, jobs, 2)
    assert {name: where.start for name, where in placed.items()} == {"short": 0, "alone": 0, "long": 1}
    assert cluster.schedule(graph, jobs, 1)["short"].start == 0
    half = {name: job._replace(share=Fraction(1, 2)) for name, job in jobs.items()}
    assert cluster.makespan(half, cluster.schedule(graph, half, 1)) == 6  # two share the GPU
    with pytest.raises(ValueError, match="alone: its share of a GPU is 2"):
        cluster.schedule(graph, jobs | {"alone": cluster.Job(1.0, Fraction(2))}, 1)


def test_what_finds_no_room_is_passed_over() -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(["first", "second", "small"])
    two, one = Fraction(2, 3), Fraction(1, 3)
    jobs = {"first": cluster.Job(9.0, two), "second": cluster.Job(8.0, two), "small": cluster.Job(2.0, one)}
    placed = cluster.schedule(graph, jobs, 1)
    assert {name: where.start for name, where in placed.items()} == {"first": 0, "small": 0, "second": 9}


@settings(max_examples=60, deadline=None)
@given(graphs(), st.data())
def test_a_split_keeps_work_and_order(study: tuple[nx.DiGraph, Jobs], data: st.DataObject) -> None:
    graph, jobs = study
    chosen = data.draw(st.sampled_from(sorted(jobs)))
    costs = data.draw(st.lists(st.floats(0.1, 9), min_size=1, max_size=5))
    graph2, jobs2 = cluster.split(graph, jobs, {chosen: costs})
    parts = [name for name in jobs2 if name not in jobs]
    assert len(parts) == len(costs)
    assert cluster.work(jobs2) == pytest.approx(cluster.work(jobs))
    assert max(cluster.paths(graph2, jobs2).values()) <= max(cluster.paths(graph, jobs).values()) + 1e-9
    for part in parts:
        assert set(graph2.predecessors(part)) == set(graph.predecessors(chosen))
        assert set(graph2.successors(part)) == set(graph.successors(chosen))
    assert chosen in graph  # the one that was given stays as it was


def test_the_study_has_the_papers_budgets() -> None:
    grid = cluster.study(ROOT)
    assert nx.is_directed_acyclic_graph(grid.graph)
    assert not any("digits" in name for name in grid.jobs)
    minutes = {name: job.seconds / 60 for name, job in grid.jobs.items()}
    assert minutes["fool_gradient@mnist-cnn"] == pytest.approx(0.3)  # as measured
    assert minutes["fool_evolution@mnist-dae_sym"] == pytest.approx(12 * 5)  # 50 runs, measured with 10
    known = sum(range(1, 10))  # classes that networks of 1 to 9 classes know, a subset each; one network knows all ten
    papers = (10 * known + 10) * 100
    assert minutes["train_openset@fashion_mnist-cnn"] == pytest.approx(9 * papers / ((5 * known + 10) * 10))
    assert minutes["train_openset@mnist-cnn"] == pytest.approx(9 * papers / ((5 * known + 10) * 10 + 5 * 5 * 100))
    assert len(grid.members["train_openset@mnist-cnn"]) == 91
    assert len(grid.stacks["train_openset@mnist-cnn"]) == 2
    assert sum(grid.stacks["train_openset@mnist-cnn"]) == sum(grid.members["train_openset@mnist-cnn"]) == papers
    alike = [
        f"train_autoencoder@{data}-{kind}" for data in ("mnist", "fashion_mnist") for kind in ("dae_sym", "dae_asym")
    ]
    assert "train_autoencoder@mnist-autoencoder" in grid.unmeasured
    assert minutes["train_autoencoder@mnist-autoencoder"] == pytest.approx(sum(minutes[name] for name in alike) / 4)
    assert minutes["evaluate_openset@mnist-cnn"] == 0
    assert grid.unknown["evaluate_openset"] == 6
    assert nx.has_path(grid.graph, "train_openset@mnist-cnn", "report@mnist")
    assert not nx.has_path(grid.graph, "train_openset@mnist-cnn", "report@fashion_mnist")
    for gpus in cluster.GPUS:
        placed = cluster.schedule(grid.graph, grid.jobs, gpus)
        assert cluster.makespan(grid.jobs, placed) <= cluster.GOAL * cluster.bound(grid.graph, grid.jobs, gpus)
