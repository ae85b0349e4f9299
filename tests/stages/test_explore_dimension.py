"""The stage explore_dimension."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from overgen import OvergenError
from overgen.measures.dimension import Dimension
from overgen.run.results import parts
from overgen.stages.explore_dimension import run, summary

SETTINGS = SimpleNamespace(neighbours=10, parts=2, sizes=[30, 40], mixed=[30, 100], points=40, shown=2)


def images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, 5, 5), generator=torch.Generator().manual_seed(0)).byte()


def test_parts_of_a_size_share_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def noted(points: np.ndarray, *, neighbours: int) -> Dimension:
        seen.append(points)
        assert neighbours == 10
        return Dimension(1, 2, 3, np.zeros(0), np.arange(len(points)), 0)

    monkeypatch.setattr(run, "dimension", noted)
    lines = run.in_parts("x", images(75), [30, 40], SETTINGS)
    assert [(line["size"], line["part"]) for line in lines] == [(30, 0), (30, 1), (40, 0)]
    both = np.concatenate(seen[:2])
    assert len(np.unique(both, axis=0)) == 60
    assert both.max() <= 1
    assert {row.tobytes() for row in both} <= {row.tobytes() for row in run.points_of(images(75))}


def test_images_shown_are_those_of_the_lowest_and_the_highest_dimension() -> None:
    """Also where an image stands twice, which shifts the others' places."""
    own = images(60)
    doubled = torch.cat([own[:1], own])
    first, second = run.of_class("x", own, SETTINGS), run.of_class("x", doubled, SETTINGS)
    assert (first["image_local"] == second["image_local"]).all()
    assert (first["image"] == second["image"]).all()
    assert (first["image_local"][0, 0], first["image_local"][1, -1]) == (first["local"].min(), first["local"].max())
    at = first["local"].argmin()
    assert (first["image"][0, 0] == own[at, 0].numpy()).all()
    assert second["repeated"][-1] == 1


def test_repeated_rows_are_told_and_change_nothing() -> None:
    x = run.MANIFOLDS["cube_5"][1](np.random.default_rng(0), 100)
    again = run.with_repeats(x)
    assert len(again) == 110
    found = [run.line(100, 0, run.dimension(points)) for points in (x, again)]
    assert [line.pop("repeated") for line in found] == [0, 10]
    assert found[0] == found[1]


def test_draws_are_different_ones() -> None:
    settings = SimpleNamespace(neighbours=5, parts=3, points=30)
    for found in (run.of_manifold("cube_5", settings), run.of_views("all", settings)):
        assert len(set(found["two_nn"][:3].tolist())) == 3


def cell(share: dict[str, float]) -> dict[tuple[str, ...], Any]:
    """The rows of two classes, of which small parts have 10 and 20 dimensions and the whole `share` times as many.

    Parts of the next size have half as many more. Of the largest size one class, and all together, have one part only.
    """

    def clouds(true: float, sizes: list[int], whole: int | None = None, single: int = 0) -> dict[str, np.ndarray]:
        at = [(size, part) for size in sizes for part in range(1 if size == single else 2)]
        at += [(whole, 0)] if whole else []
        size, part = (np.array(column) for column in zip(*at, strict=True))
        found = {"size": size, "part": part, "points": size, "repeated": 0 * size}
        rise = 1 + 0.5 * np.searchsorted(sizes, size)
        return found | {name: true * np.where(size == whole, share[name], rise) for name in summary.ESTIMATORS}

    table = summary.table(
        {"a": clouds(10, [30, 40, 45], 100), "b": clouds(20, [30, 40, 45], 100, single=45)},
        clouds(12, [50, 80, 90], single=90),
        {"cube_7": (7, clouds(5, [60]))},
        {"all": (7, clouds(8.4, [60], 120))},
    )
    rows = summary.rows(table, pixels=100, parts=2)
    return {tuple(parts(row["metric"]).values()): row for row in rows}


def test_numbers_by_hand() -> None:
    rows = cell({"two_nn": 1.0, "mle": 2.0, "correlation": 0.5})

    def value(*of: str) -> float:
        return rows[of]["reproduced"]

    assert value("class_dimension", "b", "mle") == 30  # of parts of 40, the largest of which both classes have two
    assert rows["class_dimension", "b", "mle"]["n"] == 80
    assert value("mean_dimension", "30", "two_nn") == 15
    assert value("mean_dimension", "40", "two_nn") == 22.5
    assert ("mean_dimension", "45", "two_nn") not in rows
    assert value("mean_dimension", "all", "mle") == 30
    assert value("share_of_pixels", "mle") == 30
    assert (value("growth", "mle"), value("growth", "correlation")) == (2, 0.5)
    assert value("mixed_growth", "two_nn") == 1.5  # from 50 to 80
    assert rows["mixed_growth", "two_nn"]["n"] == 2
    assert value("known_dimension", "cube_7", "two_nn") == 5
    assert value("views_dimension", "all", "two_nn") == pytest.approx(8.4)
    assert value("views_dimension_together", "all", "mle") == pytest.approx(16.8)
    assert value("views_off", "two_nn") == pytest.approx(20)


def test_too_few_images_are_refused() -> None:
    few = {"a": images(60), "b": images(59)}
    with pytest.raises(OvergenError, match=r"explore_dimension.mine.sizes: 2 parts of 30 need 60 .* class b has 59"):
        run.check("mine", few, SETTINGS)
    own = SimpleNamespace(**vars(SETTINGS) | {"mixed": [90, 100]})
    with pytest.raises(OvergenError, match=r"mine.mixed: 2 parts of 90 need 180 .* together has 120"):
        run.check("mine", {"a": images(60), "b": images(60)}, own)
