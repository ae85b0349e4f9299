"""Adam on the pixels themselves (Kingma & Ba 2015), put back into the ball after every step: the study's own attack.

AutoPGD moves every pixel by the same amount; Adam remembers which way each has been drawn, and how steadily. Here it
has no scale of its own: a score whose gradient is e⁻⁶⁰ or e⁶⁰ is followed as well as one of 1. So its moments are
float64, and what keeps it from dividing by 0 is a share of the image's largest moment, in place of a fixed 10⁻⁸.

A projection in L2 undoes a step along the gradient at the ball's best point, but not one whose pixels have each been
scaled by themselves: such a search comes to rest elsewhere. So in an L2 ball an image has one second moment for all of
its pixels, the mean over them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.search import Ball, Found, Objective, Search, checked_start, inside

FIRST, SECOND = 0.9, 0.999  # decay of the moments
SHARE = 1e-8  # of the image's largest second moment, as a root


def adam(
    objective: Objective, start: Tensor, centre: Tensor, ball: Ball, *, updates: int, learning_rate: float
) -> Found:
    """Attack T trials, each for itself, with at most so many updates: a gradient each, and one look at the end.

    objective: to rise; start: (T, D), where to begin, put into the ball first; centre: (T, D) in [0, 1]; learning_rate:
    about how far a pixel moves in an update (in L2 in the mean, as a root of squares). Raises OvergenError if a guide
    or a gradient is not finite.
    """
    if updates < 1 or not (learning_rate > 0 and math.isfinite(learning_rate)):
        raise OvergenError(f"Adam with {updates} updates at rate {learning_rate}: at least 1 update, a rate above 0")
    x = checked_start(start, centre, ball)
    search = Search(objective, x)
    rows = torch.arange(len(x), device=x.device)
    mean = torch.zeros_like(x, dtype=torch.float64)
    square = torch.zeros_like(mean)
    for update in range(updates):
        _, gradient, done = search.slope(rows, x, update)
        if bool(done.any()):
            rows, x, gradient, mean, square = (values[~done] for values in (rows, x, gradient, mean, square))
        if not len(rows):
            return search.found()
        mean = FIRST * mean + (1 - FIRST) * gradient
        power = gradient.double().square()
        square = SECOND * square + (1 - SECOND) * (power.mean(1, keepdim=True) if ball.norm == "l2" else power)
        root = (square / (1 - SECOND ** (update + 1))).sqrt()
        root = root + SHARE * root.amax(1, keepdim=True)
        step = torch.where(root > 0, mean / (1 - FIRST ** (update + 1)) / root, 0.0)
        x = ball.project(x + (learning_rate * step).to(x), centre[rows])
    search.look(rows, inside(x), updates)
    return search.found()
