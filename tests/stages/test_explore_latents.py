"""The stage explore_latents on the tiny study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import ttest_ind

from overgen import data
from overgen.measures.intervals import difference_interval, wilson
from overgen.run import results
from overgen.run.results import Cell
from overgen.run.stage import opened
from overgen.run.streams import generator
from overgen.stages.explore_latents import run, summary
from overgen.stages.explore_latents.run import Work
from overgen.stages.explore_latents.ways import WAYS, drawn, root

from processes import Run
from workspace import TINY, Study, set_params


@pytest.fixture
def cell(study: Study) -> Cell:
    folder = study.cell("explore_latents", "networks")
    return Cell("digits", "explore_latents", "networks", folder)


@pytest.fixture
def work(study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.chdir(study.root)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with opened("explore_latents", dataset="digits", model="networks") as stage:
        yield Work(stage)


def rows(cell: Cell) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in cell.summary["metrics"]}


def correlated() -> np.ndarray:
    draw = np.random.default_rng(0)
    return (draw.normal(size=(500, 3)) @ draw.normal(size=(3, 3)) + [5, -3, 0]).astype(np.float32)


def test_what_is_fitted_has_the_mean_and_covariance_of_the_latents() -> None:
    latents = correlated()
    for way, components in (("gaussian", 1), ("mixture", 1), ("mixture", 3)):
        found = drawn(way, latents, 20_000, generator("test"), components=components)
        spread = np.cov(latents, rowvar=False)
        assert found.mean(0) == pytest.approx(latents.mean(0), abs=0.1)
        assert np.cov(found, rowvar=False) == pytest.approx(spread, abs=0.05 * spread.max())


def test_a_mixture_leaves_the_middle_empty_that_one_normal_fills() -> None:
    latents = np.concatenate([correlated() * 0.1 + end for end in (-9, 9)])
    middle = {
        way: np.mean(np.abs(drawn(way, latents, 1000, generator("test"), components=2).sum(1)) < 10)
        for way in ("gaussian", "mixture")
    }
    assert middle["mixture"] < 0.01
    assert middle["gaussian"] > 0.1


def test_blind_latents_know_of_the_range_at_most() -> None:
    latents = correlated()
    found = drawn("uniform", latents, 5000, generator("test"), components=1)
    assert (found >= latents.min(0)).all()
    assert (found <= latents.max(0)).all()
    assert found.min(0) == pytest.approx(latents.min(0), abs=0.1)
    assert found.max(0) == pytest.approx(latents.max(0), abs=0.1)
    ordinary = drawn("standard", latents, 20_000, generator("test"), components=1)
    assert np.cov(ordinary, rowvar=False) == pytest.approx(np.eye(3), abs=0.05)
    assert ordinary.mean(0) == pytest.approx(np.zeros(3), abs=0.05)
    for way in WAYS:
        assert drawn(way, latents, 4, generator("test"), components=2).dtype == np.float32
    with pytest.raises(ValueError, match="'wild' is no way"):
        drawn("wild", latents, 4, generator("test"), components=2)


@given(st.integers(1, 6), st.integers(0, 1000))
def test_a_root_squared_is_the_covariance_even_without_full_rank(rank: int, seed: int) -> None:
    half = np.random.default_rng(seed).normal(size=(6, rank))
    covariance = half @ half.T
    assert root(covariance) @ root(covariance) == pytest.approx(covariance, abs=1e-9 * covariance.max())


def test_purity_counts_neighbours_by_another_search(work: Work, cell: Cell) -> None:
    images, labels = work.test_images[:100], work.test_labels[:100].numpy()
    gaps = cdist(*[data.floats(images).flatten(1).numpy()] * 2)
    np.fill_diagonal(gaps, np.inf)
    near = np.argsort(gaps, 1, kind="stable")[:, :5]
    same = labels[near] == labels[:, None]
    expected = np.mean([100 * same[labels == c].mean() for c in np.unique(labels)])
    assert rows(cell)["purity@space=pixels"]["reproduced"] == pytest.approx(expected, abs=1)  # but for ties
    shares = cell.table("variance")["share"]
    assert shares.sum() == pytest.approx(100)
    assert rows(cell)["variance@components=2"]["reproduced"] == pytest.approx(shares[:2].sum())


def test_answers_are_compared_with_those_without_noise(work: Work, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a classifier that tells brightness in steps of 1/500."""
    levels = torch.linspace(0, 1, 500)
    monkeypatch.setattr(work, "answers", lambda x: -(x.mean((1, 2, 3))[:, None] - levels).abs().numpy())
    kept = work.noise()["kept"]
    assert kept[0].all()
    assert kept[2].mean() < kept[1].mean() < 1
    table = cell.table("noise").groupby("noise")["kept"].mean()
    assert table[0] == 100
    assert rows(cell)["kept@noise=2"]["reproduced"] == pytest.approx(table[2])


def test_the_judge_is_the_scaled_output_with_its_curvature(work: Work) -> None:
    """Asked only of those whose upper bound passes, it says the same of all."""
    pictures = data.floats(work.source.train_images[:40])
    with torch.no_grad():
        scaled, bounds = (function(pictures).amax(1).numpy() for function in (work.judge, work.judge.upper_bound))
    for log_tau in np.quantile(scaled, [0.1, 0.5, 0.9]):
        assert (work.accepted(pictures, float(log_tau)) == (scaled > log_tau)).all()
    assert (bounds >= scaled - 1e-6).all()


def test_the_distance_to_the_nearest_image_is_that_of_scipy(work: Work, cell: Cell) -> None:
    tests, base = (data.floats(x).flatten(1).numpy() for x in (work.test_images[:20], work.fitted))
    table = cell.table("drawn").set_index(["source", "way"])
    assert table["nearest"]["images", "real"] == pytest.approx(np.median(cdist(tests, base).min(1)), rel=1e-5)
    assert rows(cell)["nearest@of=images@way=real"]["reproduced"] == pytest.approx(1)
    own = table.loc[("autoencoder", "uniform")]
    row = rows(cell)["recognised@judge=classifier@of=network@way=uniform"]
    assert (row["reproduced"], row["low"]) == (
        pytest.approx(own["y"]), pytest.approx(100 * wilson(round(own["y"] / 5), 20)[0])
    )  # fmt: skip


def test_each_network_and_way_draws_from_a_stream_of_its_own(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[tuple[object, ...]] = []

    def noted(*key: object) -> torch.Generator:
        keys.append(key)
        return generator(*key)

    monkeypatch.setattr(run, "generator", noted)
    monkeypatch.setattr(work, "judgement", lambda pictures: {})
    for name in work.coders:
        work.judged(name, "codes")
    assert len(keys) == len(set(keys)) == len(work.coders) * len(WAYS) > len(WAYS)


def test_seeds_are_one_group_and_a_gain_has_the_interval_of_both() -> None:
    def of(hits: int, *ways: str) -> dict[str, np.ndarray]:
        passed, sure = np.arange(100) < hits, np.arange(100) < hits + 5
        one = {"y": sure, "scaled": passed, "nearest": np.ones(100), "frechet": np.array(float(hits))}
        return {f"{way}.{key}": values for way in ways for key, values in one.items()}

    judged = {("images", ""): of(90, "real"), ("a", "network"): of(3, *WAYS, "restored") | of(1, "uniform"),
              ("b0", "codes"): of(10, "restored", *WAYS) | of(2, "uniform"), ("b1", "codes"): of(20, "restored", *WAYS),
              ("c", "variational"): of(60, "restored", "standard")}  # fmt: skip
    settings = type("Settings", (), {"tau": 0.99})
    found = {row["metric"]: row for row in summary.drawn_rows(judged, settings)}
    both = found["recognised@judge=judge@of=codes@way=standard"]
    assert (both["reproduced"], both["n"]) == (15, 200)
    assert found["recognised@judge=classifier@of=codes@way=standard"]["reproduced"] == 20
    assert found["recognised_blind@judge=judge@of=network"]["reproduced"] == 3  # the larger of two
    gain = found["recognised_gain@judge=judge"]
    assert gain["reproduced"] == 45
    assert 30 < gain["low"] < 45 < gain["high"] < 60
    assert found["frechet@of=codes@way=standard"]["reproduced"] == 15
    assert found["frechet@of=codes@way=standard"]["low"] is None  # two seeds


def test_a_gain_over_seeds_has_welchs_interval_where_seeds_differ() -> None:
    def gain(prior: list[int], blind: list[int]) -> tuple[float, float]:
        of = [results.rate_row("latents", "recognised", hits, 1000, of="trials") for hits in (prior, blind)]
        found = summary.gain_row(*of, "judge", [np.array(hits) / 10 for hits in (prior, blind)])
        return found["low"], found["high"]

    prior, blind = [289, 303], [206, 220, 264]
    welch = ttest_ind(np.array(prior) / 10, np.array(blind) / 10, equal_var=False).confidence_interval()
    assert gain(prior, blind) == pytest.approx((welch.low, welch.high))
    alike = difference_interval(0.3, wilson(600, 2000), 0.2, wilson(400, 2000))
    assert gain([300, 300], [200, 200]) == pytest.approx([100 * end for end in alike])  # they say no more than trials


def test_what_cannot_be_is_refused(workspace: Path, run_stage: Run, study: Study) -> None:
    study.cell("explore_latents", "networks")
    (workspace / "models").symlink_to(study.root / "models")
    for key, wrong, says in (
        ("tau", 0.5, "0.5 is none of the thresholds of confidence.digits"),
        ("drawn", 201, "201, but there are 200"),
        ("fitted", 401, "401, but there are 400"),
        ("noises", [1, 2], "must begin with 0 and rise"),
    ):
        section = "explore_latents.digits"
        set_params(workspace / "params.yaml", {section: TINY[section] | {key: wrong}})  # type: ignore[operator]
        said = run_stage(workspace, "explore_latents", model="networks", check=False)
        assert said.returncode == 1
        assert f"{section}.{key}" in said.stderr
        assert says in said.stderr
