"""The smallest change of an image that makes a network see another class (Szegedy et al. 2013, Section 4.1).

    minimise c·‖r‖₂² + loss(x + r, l)  subject to  x + r ∈ [0, 1]^m,  and of all c the largest that still succeeds

The paper writes c·|r| and calls the search one for the smallest c; a larger c weighs the change more, so the largest c
that still reaches l gives the smallest change. The square has a gradient at r = 0, where the search begins.

`minimise` is L-BFGS with projection onto the box (Bertsekas 1982, Schmidt et al. 2009), for N problems side by side:
each has its own history, step length and end, and the network sees all of them in one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

ARMIJO = 1e-4  # of the decrease that the slope promises, so much must come true
HALVINGS = 25  # of a step, before a problem counts as solved as far as floating point allows

Objective = Callable[[Tensor, Tensor], Tensor]  # rows (R,), their points (R, D) → values (R,)


def minimise(
    objective: Objective,
    start: Tensor,
    *,
    lower: float = 0.0,
    upper: float = 1.0,
    iterations: int = 100,
    history: int = 10,
    tolerance: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Minima of N independent functions in a box, from start (N, D), which lies in it.

    objective: the values at some problems' points, differentiable; each value depends on its own point only.
    history: pairs of steps and gradient changes kept. A problem ends when no component of its projected gradient
    exceeds `tolerance`, when no step lowers its value, or after `iterations`. Returns points (N, D) and values (N,).
    Raises FloatingPointError if a value or gradient at an accepted point is not finite.
    """
    x = start.detach().clone()
    value, gradient = _evaluate(objective, torch.arange(len(x), device=x.device), x)
    steps = x.new_zeros(history, *x.shape)
    changes = torch.zeros_like(steps)
    weights = x.new_zeros(history, len(x))  # 1 / (s·y), 0 for no pair
    scale = x.new_ones(len(x))  # of the first inverse Hessian, (s·y) / (y·y) of the last pair
    running = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for iteration in range(iterations):
        if not bool((value.isfinite() & gradient.isfinite().all(1))[running].all()):
            raise FloatingPointError(f"a value or a gradient is not finite after {iteration} iterations")
        # What the box holds back takes no part: there the gradient points out of it.
        free = ~(((x <= lower) & (gradient > 0)) | ((x >= upper) & (gradient < 0)))
        running &= (gradient * free).abs().amax(1) > tolerance
        rows = running.nonzero()[:, 0]
        if not len(rows):
            break
        g = (gradient * free)[rows]
        direction = -_two_loops(g, steps[:, rows] * free[rows], changes[:, rows] * free[rows], weights[:, rows],
                                scale[rows]) * free[rows]  # fmt: skip
        uphill = (direction * g).sum(1) >= 0
        direction[uphill] = -g[uphill]
        first = (weights[:, rows] == 0).all(0) | uphill  # no curvature yet: a step of length 1, at most
        length = torch.where(first, (1 / direction.norm(dim=1)).clamp(max=1), torch.ones_like(scale[rows]))
        moved, found, slope, lowered = _search(
            objective, rows, x[rows], value[rows], gradient[rows], direction, length, lower, upper
        )
        running[rows[~lowered]] = False
        rows, moved, found, slope = rows[lowered], moved[lowered], found[lowered], slope[lowered]
        s, y = moved - x[rows], slope - gradient[rows]
        product, squares = (s * y).sum(1), y.square().sum(1)
        curved = product > 1e-10 * squares.clamp(min=1e-30)
        steps, changes, weights = (kept.roll(-1, 0) for kept in (steps, changes, weights))  # the newest stands last
        steps[-1, rows], changes[-1, rows] = s, y
        weights[-1] = 0  # no pair for a problem that gives none
        weights[-1, rows] = torch.where(curved, 1 / product.where(curved, torch.ones_like(product)), 0.0)
        scale[rows] = torch.where(curved, product / squares.clamp(min=1e-30), scale[rows])
        x[rows], value[rows], gradient[rows] = moved, found, slope
    return x, value


def _evaluate(objective: Objective, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Values (R,) and gradients (R, D) at the points x (R, D) of some problems."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = objective(rows, x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


def _two_loops(g: Tensor, steps: Tensor, changes: Tensor, weights: Tensor, scale: Tensor) -> Tensor:
    """The inverse Hessian's estimate times g (R, D), from pairs (H, R, D), oldest first, of weights (H, R)."""
    q, factors = g.clone(), []
    for s, y, weight in zip(reversed(steps), reversed(changes), reversed(weights), strict=True):
        factors.append(weight * (s * q).sum(1))
        q -= factors[-1][:, None] * y
    q *= scale[:, None]
    for s, y, weight, factor in zip(steps, changes, weights, reversed(factors), strict=True):
        q += (factor - weight * (y * q).sum(1))[:, None] * s
    return q


def _search(
    objective: Objective, rows: Tensor, x: Tensor, value: Tensor, gradient: Tensor, direction: Tensor, length: Tensor,
    lower: float, upper: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Backtracking along the projected path. Returns points, values, gradients, and which problems it lowered."""
    moved, found, slope = x.clone(), value.clone(), gradient.clone()
    waiting = torch.arange(len(rows), device=x.device)
    length = length.clone()
    for _ in range(HALVINGS):
        tried = (x[waiting] + length[waiting, None] * direction[waiting]).clamp(lower, upper)
        values, gradients = _evaluate(objective, rows[waiting], tried)
        promised = (gradient[waiting] * (tried - x[waiting])).sum(1)
        good = (values <= value[waiting] + ARMIJO * promised) & (promised < 0)
        taken = waiting[good]
        moved[taken], found[taken], slope[taken] = tried[good], values[good], gradients[good]
        waiting = waiting[~good]
        if not len(waiting):
            break
        length[waiting] /= 2
    lowered = torch.ones(len(rows), dtype=torch.bool, device=x.device)
    lowered[waiting] = False
    return moved, found, slope, lowered


class Change(NamedTuple):
    """The smallest changes found. image: (N, ...) as the images were; c: (N,), 0 where none succeeded; found: (N,)."""

    image: Tensor
    c: Tensor
    found: Tensor


def smallest_change(
    log_score: Callable[[Tensor, Tensor], Tensor],
    succeeds: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    *,
    c: float = 1e-2,
    brackets: int = 10,
    bisections: int = 8,
    iterations: int = 100,
) -> Change:
    """The smallest change of each image that succeeds, by a search on c: brackets, each a factor of 10, then bisection.

    log_score: rows (R,) and their images (R, ...) → the log of the wanted score (R,), differentiable. succeeds: the
    same → bool (R,). images: (N, ...) in [0, 1]. Every minimisation starts at the image itself. Of all that succeeded
    the one of smallest ‖r‖₂ counts. Returns the unchanged image where nothing did.
    """
    flat, shape = images.flatten(1), images.shape[1:]
    succeeded, failed = torch.zeros_like(flat[:, 0]), torch.full_like(flat[:, 0], torch.inf)
    weight = torch.full_like(succeeded, c)
    best, norm = flat.clone(), torch.full_like(succeeded, torch.inf)
    for _ in range(brackets + bisections):
        rows = torch.arange(len(flat), device=flat.device)

        def objective(rows: Tensor, x: Tensor, weight: Tensor = weight) -> Tensor:
            change = (x - flat[rows]).square().sum(1)
            return weight[rows] * change - log_score(rows, x.view(-1, *shape))

        found, _ = minimise(objective, flat, iterations=iterations)
        with torch.no_grad():
            success = succeeds(rows, found.view(-1, *shape))
        apart = (found - flat).norm(dim=1)
        closer = success & (apart < norm)
        best[closer], norm[closer] = found[closer], apart[closer]
        succeeded = torch.where(success, torch.maximum(succeeded, weight), succeeded)
        failed = torch.where(success, failed, torch.minimum(failed, weight))
        unbounded, hopeless = failed.isinf(), succeeded == 0
        weight = torch.where(unbounded, 10 * weight, torch.where(hopeless, weight / 10, (succeeded * failed).sqrt()))
    return Change(best.view(images.shape), succeeded, norm.isfinite())
