"""The stage explore_transfer on the tiny study."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from sklearn.neighbors import NearestNeighbors
from torch import nn

from overgen import data
from overgen.run.results import Cell
from overgen.run.stage import opened
from overgen.run.streams import generator
from overgen.stages.explore_transfer import heads, summary
from overgen.stages.explore_transfer.run import Work

from processes import Run
from workspace import Study, set_params


@pytest.fixture
def cell(study: Study) -> Cell:
    folder = study.cell("explore_transfer", "networks")
    return Cell("digits", "explore_transfer", "networks", folder)


@pytest.fixture
def work(study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.chdir(study.root)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with opened("explore_transfer", dataset="digits", model="networks") as stage:
        yield Work(stage)


def test_labelled_images_are_balanced_and_more_of_them_hold_the_fewer(work: Work) -> None:
    labels = work.source.train_labels[work.pool.flatten()].numpy()
    few, many, other = (set(work.places(*of).tolist()) for of in ((0, 20), (0, 100), (1, 20)))
    assert few < many
    assert few != other
    for rows in (few, many, other):
        assert (np.bincount(labels[sorted(rows)], minlength=10) == len(rows) / 10).all()
    assert len(set(work.pool.flatten().tolist())) == 200


def test_the_search_is_that_of_an_exact_one_in_pixels(work: Work, cell: Cell) -> None:
    base, labels = work.source.train_images[work.pool.flatten()], work.source.train_labels[work.pool.flatten()]
    queries, wanted = work.source.test_images[work.queries], work.source.test_labels[work.queries].numpy()
    search = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(data.floats(base).flatten(1).numpy())
    answers = search.kneighbors(data.floats(queries).flatten(1).numpy(), return_distance=False)
    right = labels.numpy()[answers] == wanted[:, None]
    table = cell.table("search").set_index(["features", "class", "at"])["precision"]
    for k in (1, 5, 10):
        per_class = [100 * right[wanted == c, :k].mean() for c in np.unique(wanted)]
        assert table["pixels", :, k].tolist() == pytest.approx(per_class)
        row = next(r for r in cell.summary["metrics"] if r["metric"] == f"precision@features=pixels@at={k}")
        assert row["reproduced"] == pytest.approx(np.mean(per_class))
    shown = cell.examples()
    first = int(np.flatnonzero(wanted == wanted.min())[0])
    assert (shown["answer"][0, 0, 0] == base[answers[first, 0], 0].numpy()).all()
    assert shown["right"][0, 0].tolist() == right[first, :3].tolist()


def test_gains_are_paired_by_draw(cell: Cell) -> None:
    table = cell.table("accuracy").pivot(index="draw", columns=["features", "labels"], values="accuracy")
    rows = {row["metric"]: row for row in cell.summary["metrics"]}
    for over in ("pixels", "pca", "scratch", "cnn"):
        gains = table["code", 100] - table[over, 100]
        row = rows[f"accuracy_gain@over={over}@labels=100"]
        assert row["reproduced"] == pytest.approx(gains.mean())
        half = 12.706 * gains.std(ddof=1) / math.sqrt(2)  # Student's t of one degree of freedom
        assert row["high"] - row["reproduced"] == pytest.approx(min(half, 100 - gains.mean()), abs=0.01)
    layers = cell.table("layers").groupby(["network", "layer"], sort=False)["accuracy"].mean()
    assert rows["layer_gain@network=dae_sym"]["reproduced"] == pytest.approx(
        layers["dae_sym", "fc1"] - layers["dae_sym", "conv1"]
    )


def test_a_class_without_queries_is_left_out() -> None:
    searched = {"label": np.array([0, 2, 2]), "precision.pixels": np.array([[0.5], [1.0], [0.0]])}
    table = summary.of_search(searched, [4], 3)
    assert table[["class", "queries", "precision"]].to_numpy().tolist() == [[0, 1, 50], [2, 2, 50]]


def test_features_in_another_basis_and_unit_are_judged_alike() -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(60) % 3
    x = draw.normal(size=(60, 5)) + 2 * np.eye(5)[labels]
    tests = draw.normal(size=(40, 5)) + 2 * np.eye(5)[np.arange(40) % 3]
    turn = ortho_group.rvs(5, random_state=0)
    plain, turned = (heads.scaled(*both) for both in ((x, tests), (700 * x @ turn + 3, 700 * tests @ turn + 3)))
    assert np.mean((plain[0] ** 2).sum(1)) == pytest.approx(1)
    assert np.abs(plain[0].mean(0)).max() < 1e-6
    answers = [heads.linear(train, labels, test, inverse_decay=30) for train, test in (plain, turned)]
    assert (answers[0] == answers[1]).mean() > 0.95  # but for the rounding of a boundary
    assert (answers[0] == np.arange(40) % 3).mean() > 0.7


def test_a_network_from_scratch_learns_from_its_labels_alone() -> None:
    draws = generator("blobs")
    labels = torch.arange(300) % 3
    x = torch.randn(300, 1, 2, 2, generator=draws) * 0.2
    x[torch.arange(300), 0, labels // 2, labels % 2] += 1
    for shift in (0, 1):  # what is taught is what is answered
        network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        nn.init.zeros_(network[1].weight)
        nn.init.zeros_(network[1].bias)
        taught = (labels[:200] + shift) % 3
        answers = heads.from_scratch(x[:200], taught, x[200:], network=network, updates=200, draws=generator("b"))
        assert (answers == ((labels[200:] + shift) % 3).numpy()).mean() > 0.9


def test_numbers_that_the_classes_cannot_share_are_refused(workspace: Path, run_stage: Run, study: Study) -> None:
    study.cell("explore_transfer", "networks")
    (workspace / "models").symlink_to(study.root / "models")
    for key, value in (("labels", [10, 25]), ("labels", [10, 400]), ("pool", 500)):
        set_params(workspace / "params.yaml", {f"explore_transfer.digits.{key}": value})
        said = run_stage(workspace, "explore_transfer", model="networks", check=False)
        wrong = value if key == "pool" else value[-1]
        assert said.returncode == 1
        assert (
            f"explore_transfer.digits.{key}: {wrong} must be a multiple of the 10 classes, and at most" in said.stderr
        )
        set_params(workspace / "params.yaml", {"explore_transfer.digits.labels": [10]})
    for changes, says in (
        ({"pool": 200, "tests": 201}, "tests: 201, but digits has 200 test images"),
        ({"tests": 80, "queries": 81}, "queries: 81, more than the 80 tests"),
        ({"queries": 60, "labelled": ["cool"]}, "labelled: 'cool' is none of its networks"),
    ):
        set_params(workspace / "params.yaml", {f"explore_transfer.digits.{key}": of for key, of in changes.items()})
        said = run_stage(workspace, "explore_transfer", model="networks", check=False)
        assert said.returncode == 1
        assert "explore_transfer.digits" in said.stderr
        assert says in said.stderr
