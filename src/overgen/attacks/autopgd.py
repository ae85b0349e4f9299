"""AutoPGD: projected gradient ascent that sets its own step (Croce & Hein 2020, Section 3, Algorithm 1).

x is moved by a step η along the sign of the gradient (L∞, and the cube) or its direction (L2), with momentum .75, and
put back into the ball. η begins at twice the radius. At checkpoints it is halved, for each trial by itself, where fewer
than three in four updates since the last checkpoint have raised the guide, or where the step was kept there and the
best guide has not risen since; such a trial goes on from its best image. A ball's radius is the only free number.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.search import Ball, Found, Objective, Search, checked_start, inside

MOMENTUM = 0.75  # α of the paper
RISING = 0.75  # ρ: the share of updates that have to raise the guide


def checkpoints(updates: int) -> list[int]:
    """After how many updates the step is judged: ⌈p·updates⌉ (Croce & Hein 2020, Section 3.3).

    p = .22, and then further by .03 less each time, at least .06. Rising, without repeats.
    """
    last, current = 0.0, 0.22
    marks = []
    while current <= 1:
        marks.append(math.ceil(round(current * updates, 9)))  # .57 · 100 is 57, not 57.0000001
        last, current = current, current + max(current - last - 0.03, 0.06)
    return sorted(set(marks))


def autopgd(
    objective: Objective,
    start: Tensor,
    centre: Tensor,
    ball: Ball,
    *,
    updates: int,
    momentum: float = MOMENTUM,
    rising: float = RISING,
) -> Found:
    """Attack T trials, each for itself, with at most so many updates: a gradient each, and one look at the end.

    objective: to rise; start: (T, D), where to begin (`Ball.starts` for the paper's random one), put into the ball
    first; centre: (T, D) in [0, 1]. Raises OvergenError if a guide or a gradient is not finite.
    """
    if updates < 1:
        raise OvergenError(f"AutoPGD with {updates} updates: at least 1")
    x = checked_start(start, centre, ball)
    search = Search(objective, x)
    rows = torch.arange(len(x), device=x.device)
    marks = set(checkpoints(updates))
    guide, gradient, done = search.slope(rows, x, 0)
    step = torch.full_like(guide, 2 * ball.reach)
    state = {
        "x": x, "before": x, "gradient": gradient, "guide": guide, "step": step, "rises": torch.zeros_like(guide),
        # the best point so far; its guide at the last checkpoint, and whether the step was halved there
        "best": x, "best_gradient": gradient, "best_guide": guide, "checked": guide, "halved": torch.ones_like(done),
    }  # fmt: skip
    last = 0
    for update in range(1, updates + 1):
        if bool(done.any()):
            rows = rows[~done]
            state = {name: values[~done] for name, values in state.items()}
        if not len(rows):
            break
        x, before, around = state["x"], state["before"], centre[rows]
        moved = ball.project(x + state["step"][:, None].to(x) * direction(state["gradient"], ball), around)
        if update > 1:
            moved = ball.project(x + momentum * (moved - x) + (1 - momentum) * (x - before), around)
        if update == updates:
            search.look(rows, inside(moved), update)
            break
        guide, gradient, done = search.slope(rows, moved, update)
        state["rises"] = state["rises"] + (guide > state["guide"])
        state |= {"before": x, "x": moved, "gradient": gradient, "guide": guide}
        better = guide > state["best_guide"]
        state["best"] = torch.where(better[:, None], moved, state["best"])
        state["best_gradient"] = torch.where(better[:, None], gradient, state["best_gradient"])
        state["best_guide"] = torch.where(better, guide, state["best_guide"])
        if update in marks:
            few = state["rises"] < rising * (update - last)
            halve = few | (~state["halved"] & (state["best_guide"] <= state["checked"]))
            state["step"] = torch.where(halve, state["step"] / 2, state["step"])
            state["x"] = torch.where(halve[:, None], state["best"], state["x"])
            state["gradient"] = torch.where(halve[:, None], state["best_gradient"], state["gradient"])
            state |= {"halved": halve, "checked": state["best_guide"], "rises": torch.zeros_like(guide)}
            last = update
    return search.found()


def direction(gradient: Tensor, ball: Ball) -> Tensor:
    """Where a step goes, (R, D): the gradient's sign, or for L2 its unit vector; 0 where it is 0."""
    if ball.norm != "l2":
        return gradient.sign()
    scaled = gradient / gradient.abs().amax(1, keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
    return scaled / scaled.norm(dim=1, keepdim=True).clamp(min=1)  # the largest entry is 1, or all are 0
