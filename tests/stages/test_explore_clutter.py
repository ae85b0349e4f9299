"""The stage explore_clutter: scenes, canvases, the mask that is found, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from overgen.data import clutter
from overgen.measures.attention import attention
from overgen.measures.groups import share_row
from overgen.measures.intervals import mean_interval, wilson
from overgen.models import Output
from overgen.run.streams import generator
from overgen.stages.explore_clutter import summary


def objects(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator("objects")).byte()


def test_a_white_pixel_hides_the_ground_and_a_black_one_shows_it() -> None:
    x = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    ground = torch.full((1, 1, 1, 3), 0.5)
    assert clutter.over(x, ground, 0.8).flatten().tolist() == [102, 255, round(51 + 0.8 * 102)]
    assert torch.equal(clutter.over(x, ground, 0), x)
    assert clutter.masks(x).flatten().tolist() == [False, True, True]
    dim = torch.tensor([[[[1, 25, 26, 255]]]], dtype=torch.uint8)  # a tenth of white is 25.5
    assert clutter.masks(dim).flatten().tolist() == [False, False, True, True]


def test_grounds_are_cut_from_the_photographs() -> None:
    found = clutter.grounds(["temple", "flower"], 6, 28, generator("grounds"))
    again = clutter.grounds(["temple", "flower"], 6, 28, generator("grounds"))
    assert torch.equal(found, again)
    assert found.shape == (6, 1, 28, 28)
    assert 0 <= float(found.min()) < float(found.max()) <= 1
    colours = Image.fromarray(np.moveaxis(clutter.photograph("flower", clutter.SIDE), 0, 2))
    whole = clutter.grounds(["flower"], 1, clutter.SIDE, generator("whole"))
    np.testing.assert_allclose(255 * whole[0, 0].numpy(), colours.convert("L"), atol=1)  # Pillow's gray is ITU-R 601


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(0, 1000))
def test_every_object_of_a_canvas_stands_in_a_place_of_its_own(count: int, seed: int) -> None:
    x = objects(3 * count)
    canvas, places = clutter.canvases(x, count, torch.Generator().manual_seed(seed))
    parts = clutter.windows(canvas)
    for i in range(3):
        assert len(set(places[i].tolist())) == count
        for j, place in enumerate(places[i].tolist()):
            assert torch.equal(parts[i, place], x[i * count + j])
        assert int((parts[i].flatten(1).amax(1) > 0).sum()) == count
    assert float((clutter.halved(canvas).double().mean() - canvas.double().mean()).abs()) < 0.5


def test_an_object_stands_in_any_place_whatever_its_number() -> None:
    _, places = clutter.canvases(objects(400), 2, generator("places"))
    assert len({tuple(pair) for pair in places.tolist()}) == 12  # 4 · 3


class Blind(nn.Module):
    """Reconstructs the left half as it is, and the right half as black."""

    def forward(self, x: Tensor) -> Output:
        seen = torch.ones_like(x)
        seen[..., x.shape[-1] // 2 :] = 0
        return Output(None, (x * seen).flatten(1))


class Turned(Blind):
    """Reconstructs the upper half as it is, and the lower half as black."""

    def forward(self, x: Tensor) -> Output:
        return Output(None, super().forward(x.mT).reconstruction.view_as(x).mT.flatten(1))  # type: ignore[union-attr]


def test_a_mask_closes_where_the_picture_is_not_copied() -> None:
    x = torch.full((2, 1, 4, 8), 0.8)
    x[1] = 0.4
    chosen = {"smoothness": 0.0, "steps": 400, "rate": 0.1}
    a = attention(Blind(), x, weight=0.1, **chosen)
    # right: r = 0 and (a·0.8)² + 0.1·(1 − a) is least at a = 0.1 / (2·0.8²)
    assert a[0, 0, 0, 6].item() == pytest.approx(0.1 / (2 * 0.64), abs=0.01)
    assert a[1, 0, 0, 6].item() == pytest.approx(0.1 / (2 * 0.16), abs=0.01)
    assert (a[..., :3] > a[..., 5:]).all()
    alone = attention(Blind(), x[:1], weight=0.1, **chosen)
    torch.testing.assert_close(alone, a[:1])
    assert attention(Blind(), x, weight=10, **chosen).min() > 0.9


def test_a_smooth_mask_has_smaller_steps_between_neighbours_in_either_direction() -> None:
    x = torch.full((1, 1, 8, 8), 0.8)

    def steps(smoothness: float, images: Tensor, network: nn.Module) -> float:
        a = attention(network, images, weight=0.1, smoothness=smoothness, steps=200, rate=0.1)
        return float(a.diff(dim=2).abs().sum() + a.diff(dim=3).abs().sum())

    for network in (Blind(), Turned()):
        assert steps(3.0, x, network) < 0.5 * steps(0.0, x, network)


def test_as_many_classes_are_answered_as_there_are_different_objects() -> None:
    scores = np.array([[0.9, 0.1, 0.8, 0.0], [0.9, 0.1, 0.8, 0.0], [0.1, 0.9, 0.8, 0.7]])
    labels = np.array([[0, 2], [0, 0], [1, 3]])
    assert summary.objects_found(scores, labels).tolist() == [[True, True], [True, True], [True, False]]


def test_numbers_by_hand() -> None:
    """Two images of class 0 and one of 1: what is right, what is sure, and classes that are summed over places."""
    labels = np.array([0, 0, 1])
    sure, unsure = (
        np.eye(3)[labels] * 0.997 + 0.001,
        np.array([[0.95, 0.03, 0.02], [0.02, 0.95, 0.03], [0.5, 0.4, 0.1]]),
    )
    places = np.array([[0.98, 0.005, 0.015], *[[0.01, 0.39, 0.60]] * 3])
    arrays = {f"scene.{way}.{strength}.log_y": np.log(y, dtype=np.float32)
              for way in summary.SCENES for strength, y in ((0, sure), (1, unsure))}  # fmt: skip
    arrays |= {f"canvas.{way}.2.log_y": np.log(places if way != "whole" else places[:1], dtype=np.float32)
               for way in summary.CANVASES}  # fmt: skip
    made = {f"scene.{way}.1": np.zeros((3, 1, 4, 4), np.uint8) for way in summary.SCENES}
    made |= {"labels": labels, "labels.2": np.array([[1, 2]]), "mask.1": np.zeros((3, 4, 4))}
    pairs = [(0.9, 20.0), (0.99, 3.0), (0.99, 2.0)]
    assert summary.firsts(pairs) == pairs[:2]
    rows, tables, examples = summary.cell({"cnn": arrays}, made, [0, 1], [2], 10.0, lambda reconstructs: pairs)
    found = {(row["metric"], row["tau"]): row["reproduced"] for row in rows}

    def value(name: str, strength: int, tau: float | None = None) -> float:
        return found[f"{name}@view=true@strength={strength}", tau]

    assert value("right", 0) == value("accepted_right", 0, 0.99) == 100
    assert (value("right", 1), value("accepted_right", 1, 0.9), value("accepted", 1, 0.9)) == (25, 25, 50)
    assert value("accepted", 1, 0.99) == 0
    assert found["objects_found@view=places@objects=2", None] == 100  # by the largest alone it were 0 and 2
    assert found["objects_found@view=whole@objects=2", None] == 50
    assert len(tables["scenes"]) == 3 * 2 * 2 * (1 + 2 * 2)
    assert examples["cnn.true.answer"].tolist() == [0, 0]  # of the first image of each class
    assert examples["cnn.true.score"] == pytest.approx([0.95, 0.5])


def test_a_share_over_groups_has_both_intervals() -> None:
    hits = np.array([True, True, True, False, False, True])
    row = share_row("e", "m", hits, np.array([0, 0, 1, 1, 2, 2]), over="classes", tau=0.9)
    rates = [100, 50, 50]
    ends = [*mean_interval(rates, bounds=(0, 100)), *(100 * end for end in wilson(4, 6))]  # type: ignore[misc]
    assert (row["reproduced"], row["n"], row["tau"]) == (pytest.approx(200 / 3), 6, 0.9)
    assert (row["low"], row["high"]) == (min(ends), max(ends))
    uneven = share_row("e", "m", np.array([True, False, False, False, True]), np.array([0, 0, 0, 0, 1]), over="classes")
    assert (uneven["reproduced"], uneven["n"]) == ((25 + 100) / 2, 5)  # each class counts alike
    same = share_row("e", "m", np.zeros(20, bool), np.arange(20) % 2, over="classes")
    assert (same["low"], same["high"]) == (0, pytest.approx(100 * wilson(0, 20)[1]))
