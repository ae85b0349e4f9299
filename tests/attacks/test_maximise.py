"""Gradient ascent with a centre and a prior: against objectives whose maximum is known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from overgen.attacks.ascent import Regularisers
from overgen.attacks.maximise import maximise
from overgen.attacks.synthesis import Way, synthesise
from overgen.run.streams import generator

GREY, BLACK = torch.full((1, 6, 6), 0.5), torch.zeros(1, 6, 6)
GOAL = torch.rand(3, 1, 6, 6, generator=generator("goal"))
START = torch.rand(3, 1, 6, 6, generator=generator("start"))


def nearness(x: Tensor) -> Tensor:
    """Minus the squared distance of each image from its goal."""
    return -(x - GOAL).square().flatten(1).sum(1)


def streams(count: int = 3) -> Sequence[torch.Generator]:
    return [generator("maximise", i) for i in range(count)]


def test_about_grey_it_is_the_ascent_that_photographs_have() -> None:
    for way in (
        Way("pixels", 0.02, Regularisers(decay=0.1, blur=0.6), total_variation=0.5, jitter=2),
        Way("fourier", 0.05, total_variation=0.5, jitter=1),
    ):
        ours = maximise(nearness, START, way, steps=9, centre=GREY, streams=streams())
        theirs = synthesise(nearness, START, way, steps=9, streams=streams())
        assert torch.equal(ours, theirs)


def test_it_reaches_the_maximum_and_decay_holds_it_off_towards_the_centre() -> None:
    made = maximise(nearness, START, Way("pixels", 0.004), steps=300, centre=BLACK, streams=streams())
    assert (made - GOAL).abs().max() < 0.05
    pulled = maximise(
        nearness, START, Way("pixels", 0.004, Regularisers(decay=0.05)), steps=300, centre=BLACK, streams=streams()
    )
    assert bool((pulled.mean((1, 2, 3)) < made.mean((1, 2, 3)) - 0.05).all())


def test_a_prior_keeps_images_where_it_puts_them() -> None:
    """Projected onto images of one brightness, it ends at the brightness that is nearest to the goal."""

    def flat(x: Tensor) -> Tensor:
        return x.mean((1, 2, 3), keepdim=True).expand_as(x)

    made = maximise(nearness, START, Way("pixels", 0.01), steps=400, centre=BLACK, streams=streams(), prior=flat)
    assert torch.equal(made, flat(made))
    assert (made[:, 0, 0, 0] - GOAL.mean((1, 2, 3))).abs().max() < 0.02


def test_what_a_prior_makes_of_an_image_is_one() -> None:
    made = maximise(
        nearness, START, Way("pixels", 0.01), steps=2, centre=BLACK, streams=streams(), prior=lambda x: 5 * x - 2
    )  # fmt: skip
    assert (float(made.min()), float(made.max())) == (0, 1)


def test_an_image_without_a_gradient_stays_and_the_others_move() -> None:
    mask = torch.tensor([1.0, 0.0, 1.0])
    made = maximise(
        lambda x: mask * nearness(x), START, Way("pixels", 0.01), steps=3, centre=BLACK, streams=streams()
    )  # fmt: skip
    assert torch.equal(made[1], START[1])
    assert not torch.equal(made[0], START[0])


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="a prior acts on pixels"):
        maximise(
            nearness, START, Way("fourier", 0.1), steps=1, centre=BLACK, streams=streams(), prior=lambda x: x
        )  # fmt: skip
    with pytest.raises(FloatingPointError, match="no finite gradient after 0 steps"):
        maximise(
            lambda x: (x * torch.nan).flatten(1).sum(1), START, Way("pixels", 0.1), steps=2, centre=BLACK,
            streams=streams(),
        )  # fmt: skip
