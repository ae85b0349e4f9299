"""AutoPGD against torchattacks', point by point: tests/attacks/peers_of_search.py wrote down what that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from overgen.attacks import search
from overgen.attacks.autopgd import RISING, autopgd, checkpoints
from overgen.attacks.search import Ball
from overgen.run.streams import generator

from searching import images, network

PEER: dict[str, Any] = json.loads(Path(__file__).with_name("peers_of_search.json").read_text())


def test_checkpoints_are_the_papers() -> None:
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(1000)[:3] == [220, 410, 570]
    assert checkpoints(1) == [1]
    assert checkpoints(10) == [3, 5, 6, 7, 8, 9, 10]  # ⌈·⌉ of 2.2, 4.1, 5.7, 7, 8, 8.7, 9.3, 9.9


@pytest.mark.parametrize("name", PEER["trajectories"])
def test_each_point_is_the_peers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 updates from the same start, in float64: the same guides, though steps are halved at different times.

    The peer has no guard against a clamp, so here the images are looked at where they are. Like its authors' code it
    halves the step of a trial that rose in exactly three of four updates, too; the paper does not.
    """
    monkeypatch.setattr(search, "INSIDE", 0.0)
    theirs = PEER["trajectories"][name]
    guides, start = (torch.tensor(theirs[key], dtype=torch.float64) for key in ("guides", "start"))
    seen = []

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide = network(x)
        seen.append(guide.detach())
        return guide, torch.zeros(len(rows), dtype=torch.bool)

    centre = images(len(start), start.shape[1], inner=theirs["inner"])
    ball = Ball(name.split()[0], theirs["radius"])  # type: ignore[arg-type]
    found = autopgd(objective, start, centre, ball, updates=len(guides) - 1, rising=RISING + 1e-9)
    torch.testing.assert_close(torch.stack(seen), guides, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.guide, guides.amax(0), rtol=0, atol=1e-9)
    assert len({tuple(steps) for steps in torch.tensor(theirs["steps"]).T.tolist()}) > 2  # trials do differ


@pytest.mark.parametrize("norm", PEER["rates"])
def test_it_succeeds_as_often_as_the_peer(norm: str) -> None:
    """200 images, 40 updates, from random starts of one's own: the counts differ by no more than seeds do."""
    ball = Ball(norm, {"linf": 0.1, "l2": 1.2}[norm])  # type: ignore[arg-type]
    centre = images(200, 225, inner=False)

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide = network(x)
        return guide, guide > 6

    start = ball.starts(centre, [generator("rates", i) for i in range(200)])
    found = autopgd(objective, start, centre, ball, updates=40)
    theirs = PEER["rates"][norm]["apgd"]
    assert 100 < min(theirs) <= max(theirs) < 190
    assert abs(int((found.step >= 0).sum()) - sum(theirs) / len(theirs)) <= 6
