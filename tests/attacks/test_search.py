"""Balls against scipy; what all attacks on a score have to do, on objectives whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from overgen import OvergenError
from overgen.attacks import search
from overgen.attacks.adam import adam
from overgen.attacks.autopgd import autopgd
from overgen.attacks.search import Ball, Found, Objective
from overgen.attacks.square import square
from overgen.run.streams import generator

from searching import images, network

SHAPE, PIXELS = (3, 4, 4), 48
BALLS = [Ball("linf", 0.15), Ball("l2", 0.8), Ball("none", math.inf)]
GRADIENTS = ["autopgd", "adam"]
ATTACKS = [*GRADIENTS, "square"]


def attack(
    name: str,
    objective: Objective,
    start: Tensor,
    centre: Tensor,
    ball: Ball,
    *,
    budget: int = 40,
    trials: object = None,
) -> Found:
    """Any of the attacks; trials: whose random streams they are, all of them by default."""
    if name == "autopgd":
        return autopgd(objective, start, centre, ball, updates=budget)
    if name == "adam":
        return adam(objective, start, centre, ball, updates=budget, learning_rate=0.03)
    streams = [generator("search", i) for i in (range(len(start)) if trials is None else trials)]  # type: ignore[attr-defined]
    return square(objective, start, centre, ball, queries=4 * budget, generators=streams, shape=SHAPE)


def above(threshold: float, of: Callable[[Tensor], Tensor] = network) -> Objective:
    """An objective that has succeeded above a threshold."""

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide = of(x)
        return guide, guide > threshold

    return objective


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), radius=st.floats(0.02, 3), far=st.floats(0.1, 5))
def test_the_nearest_image_of_ball_and_cube_is_that_of_scipy(seed: int, radius: float, far: float) -> None:
    draw = np.random.default_rng(seed)
    centre = draw.uniform(-0.5, 1.5, 6).clip(0, 1)  # some pixels exactly at the ends
    point = centre + far * draw.normal(size=6)
    theirs = minimize(
        lambda y: ((y - point) ** 2).sum(), centre, jac=lambda y: 2 * (y - point), method="SLSQP",
        bounds=[(0, 1)] * 6, options={"ftol": 1e-14, "maxiter": 500},
        constraints={"type": "ineq", "fun": lambda y: radius**2 - ((y - centre) ** 2).sum(),
                     "jac": lambda y: -2 * (y - centre)},
    ).x  # fmt: skip
    ours = Ball("l2", radius).project(torch.tensor(point)[None], torch.tensor(centre)[None])[0].numpy()
    assert ((ours >= 0) & (ours <= 1)).all()
    assert np.linalg.norm(ours - centre) <= radius * (1 + 1e-12)
    # never farther than theirs, which may stop early or leave the ball by its tolerance
    assert np.linalg.norm(ours - point) <= np.linalg.norm(theirs - point) + 1e-6
    assert ours == pytest.approx(theirs, abs=2e-3)


def test_projections_by_hand() -> None:
    centre = torch.tensor([[0.0, 0.5, 1.0]], dtype=torch.float64)
    point = torch.tensor([[-4.0, 1.1, 0.2]], dtype=torch.float64)
    close = {"rtol": 0, "atol": 1e-12}
    for ball, expected in (
        (Ball("linf", 0.3), [0, 0.8, 0.7]),
        (Ball("none", math.inf), [0, 1, 0.2]),
        (Ball("l2", 0.5), [0, 0.8, 0.6]),  # the first pixel is at its wall: what remains is (.6, −.8), of norm 1
        (Ball("l2", 9), [0, 1, 0.2]),
    ):
        projected = ball.project(point, centre)
        torch.testing.assert_close(projected, torch.tensor([expected], dtype=torch.float64), **close)
    torch.testing.assert_close(Ball("l2", 0.1).project(centre, centre), centre, **close)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball.norm)
def test_images_stay_in_ball_and_cube_and_are_what_was_judged(name: str, ball: Ball) -> None:
    """Of both kinds of trials; the guide is that of the image that is handed back."""
    centre = images(8, PIXELS, inner=False).float()
    middle = 1.0 if ball.norm != "none" else 9.0
    found = attack(name, above(middle), ball.starts(centre, [generator("s", i) for i in range(8)]), centre, ball)
    assert bool(((found.image >= 0) & (found.image <= 1)).all())
    moved = (found.image - centre).abs()
    if ball.norm == "linf":
        assert float(moved.max()) <= ball.radius + 1e-6
    if ball.norm == "l2":
        assert float(moved.square().sum(1).sqrt().max()) <= ball.radius * (1 + 1e-5)
    assert found.guide.dtype == torch.float64
    torch.testing.assert_close(network(found.image).double(), found.guide, rtol=0, atol=1e-4)
    assert ((found.guide > middle) == (found.step >= 0)).all()
    assert not bool(found.flat.any())


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball.norm)
def test_a_trial_does_not_depend_on_the_others_or_their_order(name: str, ball: Ball) -> None:
    """Alone, in another order, and beside trials that end at once or late."""
    centre = images(7, PIXELS, inner=False)
    thresholds = network(centre) + torch.tensor([-1.0, 0.3, 1.0, 2.0, 4.0, 6.5, 99.0], dtype=torch.float64)

    def objective(trials: Tensor) -> Objective:
        def judged(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            guide = network(x) - thresholds[trials[rows]]
            return guide, guide > 0

        return judged

    together = attack(name, objective(torch.arange(7)), centre, centre, ball)
    assert (int(together.step[0]), int(together.step[6])) == (0, -1)
    assert len(set(together.step.tolist())) > 3
    for order in ([4, 6, 2, 5, 1, 3, 0], [3], [5], [6]):
        trials = torch.tensor(order)
        other = attack(name, objective(trials), centre[trials], centre[trials], ball, trials=order)
        assert other.step.tolist() == together.step[trials].tolist()
        torch.testing.assert_close(other.image, together.image[trials], rtol=0, atol=1e-9)
        torch.testing.assert_close(other.guide, together.guide[trials], rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(ATTACKS),
    ball=st.one_of(
        st.builds(Ball, st.sampled_from(["linf", "l2"]), st.floats(0.01, 2)), st.just(Ball("none", math.inf))
    ),
    seed=st.integers(0, 10**6),
    ends=st.floats(0, 0.5),
    trials=st.integers(1, 4),
    budget=st.integers(1, 12),
)
def test_whatever_the_ball_and_the_images(
    name: str, ball: Ball, seed: int, ends: float, trials: int, budget: int
) -> None:
    """In ball and cube, never worse than the start, and the last trial ends as it does alone."""
    drawn = torch.rand(trials, PIXELS, generator=generator(seed), dtype=torch.float64)
    centre = ((drawn - ends) / (1 - 2 * ends + 1e-9)).clamp(0, 1)  # up to black and white
    found = attack(name, above(99), centre, centre, ball, budget=budget)
    moved = found.image - centre
    slack = 1e-9 if name == "square" else search.INSIDE
    assert 0 <= float(found.image.min()) <= float(found.image.max()) <= 1
    assert ball.norm != "linf" or float(moved.abs().max()) <= ball.radius + slack
    assert ball.norm != "l2" or float(moved.norm(dim=1).max()) <= ball.radius + slack * PIXELS
    assert bool((found.guide >= network(centre) - 1e-3).all())
    last = [trials - 1]
    alone = attack(name, above(99), centre[last], centre[last], ball, budget=budget, trials=last)
    torch.testing.assert_close(alone.image, found.image[last], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball.norm)
def test_a_quadratic_ends_at_its_constrained_maximum(name: str, ball: Ball) -> None:
    """−‖x − goal‖² is largest at the point of ball and cube that is nearest to the goal, which often lies outside."""
    centre = images(5, PIXELS, inner=False)
    goal = centre.flip(0) * 1.6 - 0.3
    best = ball.project(goal, centre)

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return -(x - goal[rows]).square().sum(1), torch.zeros(len(rows), dtype=torch.bool)

    found = attack(name, objective, centre, centre, ball, budget=200)
    assert found.step.tolist() == [-1] * 5
    highest = -(best - goal).square().sum(1)
    assert bool((found.guide <= highest + 1e-9).all())
    assert bool((highest - found.guide < 2e-3 * (highest + (centre - goal).square().sum(1))).all())
    if ball.norm != "l2":
        assert float((found.image - best).abs().max()) < 0.03


class Guarded:
    """The network behind a clamp, which has no gradient at exactly 0 and 1."""

    def __init__(self, guard: bool) -> None:
        self.guard = guard

    def __call__(self, x: Tensor) -> Tensor:
        return network(x.clamp(0, 1) if self.guard else x)


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball.norm)
def test_a_guard_in_front_of_the_network_does_not_weaken_an_attack(
    name: str, ball: Ball, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels that are exactly 0 and 1 move as without it. Looked at exactly there, they do not move at all."""
    centre = (images(6, PIXELS, inner=False) > 0.5).double()  # black and white
    free, guarded = (attack(name, above(99, Guarded(guard)), centre, centre, ball) for guard in (False, True))
    torch.testing.assert_close(guarded.image, free.image, rtol=0, atol=1e-9)
    assert bool((guarded.guide > network(centre) + 1).all())
    monkeypatch.setattr(search, "INSIDE", 0.0)
    stuck = attack(name, above(99, Guarded(True)), centre, centre, ball)
    assert torch.equal(stuck.image, centre)
    assert stuck.flat.tolist() == [True] * 6


@pytest.mark.parametrize("name", ATTACKS)
def test_a_trial_without_a_way_to_go_is_counted_and_does_not_stop_the_others(name: str) -> None:
    centre = images(3, PIXELS, inner=True)
    slope = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide = slope[rows] * network(x)
        return guide, (guide > 6) & (rows == 2)

    found = attack(name, objective, centre, centre, Ball("linf", 0.15))
    assert found.flat.tolist() == [False, True, False]
    assert found.step[:2].tolist() == [-1, -1]
    assert int(found.step[2]) > 0


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_guide_that_is_not_finite_ends_the_run(name: str, wrong: float) -> None:
    calls = 0

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal calls
        calls += 1
        guide = network(x)
        return torch.where((rows == 2) & (calls == 6), wrong, guide), rows == 0  # the first has left by then

    centre = images(4, PIXELS, inner=True)
    unit = "queries" if name == "square" else "updates"
    with pytest.raises(OvergenError, match=f"guide of trial 2 is not finite after 5 {unit}"):
        attack(name, objective, centre, centre, Ball("l2", 0.5))


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_gradient_that_is_not_finite_ends_the_run_unless_its_trial_has_ended(name: str) -> None:
    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide, one = network(x), rows == 1
        at_zero = (x[one] - x[one].detach()).sum(1).sqrt()  # 0, with a slope of ∞
        return guide.index_put((one,), guide[one] + at_zero), rows == ended

    centre = images(3, PIXELS, inner=True)
    ended = 1
    assert attack(name, objective, centre, centre, Ball("linf", 0.1)).step.tolist() == [-1, 0, -1]
    ended = 0
    with pytest.raises(OvergenError, match="gradient of the guide of trial 1 is not finite after 0 updates"):
        attack(name, objective, centre, centre, Ball("linf", 0.1))


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_of_a_score_does_not_matter(name: str, scale: float) -> None:
    """In float32, where squares of such gradients would be 0 or infinite."""
    centre = images(4, PIXELS, inner=False).float()
    for ball in BALLS:
        plain = attack(name, above(999), centre, centre, ball, budget=5)
        scaled = attack(name, above(math.inf, lambda x: scale * network(x)), centre, centre, ball, budget=5)
        torch.testing.assert_close(scaled.image, plain.image, rtol=0, atol=1e-4)


def test_what_cannot_be_attacked_is_refused() -> None:
    centre = images(2, PIXELS, inner=True)
    ball, flat = Ball("linf", 0.1), above(99, lambda x: x.detach().sum(1))
    with pytest.raises(OvergenError, match=r"trial 0 does not depend on its image.*black box"):
        autopgd(flat, centre, centre, ball, updates=3)
    with pytest.raises(OvergenError, match="centre of trial 1 leaves"):
        autopgd(above(9), centre, centre + torch.tensor([[0.0], [0.5]]), ball, updates=3)
    with pytest.raises(OvergenError, match="start of trial 0 leaves"):
        adam(above(9), centre * math.nan, centre, ball, updates=3, learning_rate=0.1)
    with pytest.raises(OvergenError, match="same float type"):
        adam(above(9), centre.float(), centre, ball, updates=3, learning_rate=0.1)
    with pytest.raises(OvergenError, match=r"verdict torch\.bool"):
        autopgd(lambda rows, x: (x.sum(1), x.sum(1)), centre, centre, ball, updates=3)
    with pytest.raises(OvergenError, match="0 updates: at least 1"):
        autopgd(above(9), centre, centre, ball, updates=0)
    with pytest.raises(OvergenError, match="rate 0"):
        adam(above(9), centre, centre, ball, updates=1, learning_rate=0)
    with pytest.raises(OvergenError, match="1 random streams do not go"):
        square(above(9), centre, centre, ball, queries=3, generators=[generator(0)], shape=SHAPE)
    with pytest.raises(OvergenError, match="windows of 0"):
        square(above(9), centre, centre, ball, queries=3, generators=[generator(0)] * 2, shape=SHAPE, share=0)
    for norm, radius in (("linf", 0.0), ("l2", math.inf), ("l2", math.nan), ("none", 1.0), ("l1", 1.0)):
        with pytest.raises(OvergenError, match=f"{norm}.*{radius if norm != 'l1' else 'choose'}"):
            Ball(norm, radius)  # type: ignore[arg-type]


def test_random_starts_lie_on_the_surface_and_come_from_a_trial_s_own_stream() -> None:
    centre = torch.full((5, PIXELS), 0.5, dtype=torch.float64)
    for ball in BALLS:
        made = ball.starts(centre, [generator("s", i) for i in range(5)])
        alone = ball.starts(centre[:1], [generator("s", 3)])
        assert torch.equal(made[3], alone[0])
        moved = made - centre
        if ball.norm == "linf":
            assert moved.abs().amax(1).tolist() == pytest.approx([0.15] * 5)
        elif ball.norm == "l2":
            assert moved.norm(dim=1).tolist() == pytest.approx([0.8] * 5)
        else:
            assert 0 <= float(made.min()) < 0.05 < 0.95 < float(made.max()) <= 1
