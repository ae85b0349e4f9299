"""The smallest change of an image that makes a network see another class (Szegedy et al. 2013, Section 4.1).

    minimise c·‖r‖₂² + loss(x + r, l)  subject to  x + r ∈ [0, 1]^m,  and of all c the largest that still succeeds

The paper writes c·|r| and calls the search one for the smallest c; a larger c weighs the change more, so the largest c
that still reaches l gives the smallest change. The square has a gradient at r = 0, where the search begins. It is not
the smallest that there is: the loss also asks for more than that l is ahead of the others, and the more so the less
certain a network is. For a linear network `least_of_linear` is, exactly.

`minimise` is L-BFGS with projection onto the box (Bertsekas 1982, Schmidt et al. 2009), for N problems side by side:
each has its own history, step length and end, and the network sees all of them in one batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize as scipy_minimise
from torch import Tensor

from overgen.run import progress

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
    exceeds `tolerance`, when no step lowers its value by what floating point can show, or after `iterations`. Returns
    points (N, D) and values (N,).
    Raises FloatingPointError if a value or gradient at an accepted point is not finite.
    """
    x = start.detach().clone()
    value, gradient = _evaluate(objective, torch.arange(len(x), device=x.device), x)
    # Steps s and gradient changes y, both (N, D), and 1 / (s·y), (N,), 0 for no pair; the newest stands last.
    pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=history)
    scale = x.new_ones(len(x))  # of the first inverse Hessian, (s·y) / (y·y) of the last pair
    running = torch.ones(len(x), dtype=torch.bool, device=x.device)
    curved = ~running  # has a pair
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
        mask = free[rows].to(x.dtype)
        known = [(s[rows] * mask, y[rows] * mask, weight[rows]) for s, y, weight in pairs]
        direction = -_two_loops(g, known, scale[rows]) * mask
        uphill = (direction * g).sum(1) >= 0
        direction[uphill] = -g[uphill]
        first = uphill | ~curved[rows]  # no curvature yet: a step of length 1, at most
        length = torch.where(first, (1 / direction.norm(dim=1)).clamp(max=1), torch.ones_like(scale[rows]))
        moved, value_there, slope, lowered = _search(
            objective, rows, x[rows], value[rows], gradient[rows], direction, length, lower, upper
        )
        running[rows[~lowered]] = False
        rows, moved, value_there, slope = rows[lowered], moved[lowered], value_there[lowered], slope[lowered]
        s, y = moved - x[rows], slope - gradient[rows]
        product, squares = (s * y).sum(1), y.square().sum(1)
        convex = product > 1e-10 * squares.clamp(min=1e-30)
        pair = torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(value)
        pair[0][rows], pair[1][rows] = s, y
        pair[2][rows] = torch.where(convex, 1 / product.where(convex, torch.ones_like(product)), 0.0)
        pairs.append(pair)
        curved[rows] |= convex
        scale[rows] = torch.where(convex, product / squares.clamp(min=1e-30), scale[rows])
        x[rows], value[rows], gradient[rows] = moved, value_there, slope
    return x, value


def _evaluate(objective: Objective, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Values (R,) and gradients (R, D) at the points x (R, D) of some problems."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = objective(rows, x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


def _two_loops(g: Tensor, pairs: Sequence[tuple[Tensor, Tensor, Tensor]], scale: Tensor) -> Tensor:
    """The inverse Hessian's estimate times g (R, D), from pairs s, y (R, D), oldest first, with their weights (R,)."""
    q, factors = g.clone(), []
    for s, y, weight in reversed(pairs):
        factors.append(weight * (s * q).sum(1))
        q.addcmul_(factors[-1][:, None], y, value=-1)
    q *= scale[:, None]
    for (s, y, weight), factor in zip(pairs, reversed(factors), strict=True):
        q.addcmul_((factor - weight * (y * q).sum(1))[:, None], s)
    return q


def _search(
    objective: Objective, rows: Tensor, x: Tensor, value: Tensor, gradient: Tensor, direction: Tensor, length: Tensor,
    lower: float, upper: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Backtracking along the projected path. Returns points, values, gradients, and which problems it lowered."""
    moved, value_there, slope = x.clone(), value.clone(), gradient.clone()
    waiting = torch.arange(len(rows), device=x.device)
    lowered = torch.zeros(len(rows), dtype=torch.bool, device=x.device)
    length = length.clone()
    for _ in range(HALVINGS):
        tried = (x[waiting] + length[waiting, None] * direction[waiting]).clamp(lower, upper)
        values, gradients = _evaluate(objective, rows[waiting], tried)
        promised = (gradient[waiting] * (tried - x[waiting])).sum(1)
        good = (values <= value[waiting] + ARMIJO * promised) & (promised < 0)
        taken = waiting[good]
        moved[taken], value_there[taken], slope[taken] = tried[good], values[good], gradients[good]
        lowered[taken] = True
        shown = torch.finfo(x.dtype).eps * value[waiting].abs().clamp(min=1)
        waiting = waiting[~good & ~((promised <= 0) & (-promised <= shown))]
        if not len(waiting):
            break
        length[waiting] /= 2
    return moved, value_there, slope, lowered


class Change(NamedTuple):
    """The smallest changes. image: (N, ...), changed; c: (N,), 0 where no change succeeded; succeeded: bool (N,)."""

    image: Tensor
    c: Tensor
    succeeded: Tensor


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
    """The smallest change of each image that succeeds, by a search on c.

    log_score: rows (R,) and their images (R, ...) → the log of the wanted score (R,), differentiable. succeeds: the
    same → bool (R,). images: (N, ...) in [0, 1]. brackets: from c on, so many factors of 10 are tried at least, until
    one c succeeded and one failed; bisections between them for each image. Every minimisation starts at the image
    itself. Of all that succeeded the one of smallest ‖r‖₂ counts. Returns the unchanged image where nothing did.
    """
    flat, shape = images.flatten(1), images.shape[1:]
    largest_success, smallest_failure = torch.zeros_like(flat[:, 0]), torch.full_like(flat[:, 0], torch.inf)
    weight = torch.full_like(largest_success, c)
    best, norm = flat.clone(), torch.full_like(largest_success, torch.inf)
    left = torch.full_like(largest_success, bisections, dtype=torch.int64)
    for _ in progress.steps(range(brackets + bisections), "minimisation"):
        rows = left.nonzero()[:, 0]
        if not len(rows):
            break

        def objective(some: Tensor, x: Tensor, rows: Tensor = rows, weight: Tensor = weight) -> Tensor:
            some = rows[some]
            change = (x - flat[some]).square().sum(1)
            return weight[some] * change - log_score(some, x.view(-1, *shape))

        changed, _ = minimise(objective, flat[rows], iterations=iterations)
        with torch.no_grad():
            success = succeeds(rows, changed.view(-1, *shape))
        distance = (changed - flat[rows]).norm(dim=1)
        closer = success & (distance < norm[rows])
        best[rows[closer]], norm[rows[closer]] = changed[closer], distance[closer]
        bracketed = smallest_failure[rows].isfinite() & (largest_success[rows] > 0)
        left[rows] -= bracketed.long()  # it was a bisection
        good, bad = rows[success], rows[~success]
        largest_success[good] = torch.maximum(largest_success[good], weight[good])
        smallest_failure[bad] = torch.minimum(smallest_failure[bad], weight[bad])
        middle = (largest_success * smallest_failure).sqrt()
        weight = torch.where(
            smallest_failure.isinf(), 10 * weight, torch.where(largest_success == 0, weight / 10, middle)
        )
    return Change(best.view(images.shape), largest_success, norm.isfinite())


def least_of_linear(image: np.ndarray, weight: np.ndarray, bias: np.ndarray, target: int) -> float:
    """The least ‖r‖₂ with which image + r, in [0, 1], has no score of weight·x + bias above that of the target.

    image: (D,); weight: (C, D); bias: (C,). By the dual of this quadratic program, which is concave in a multiplier for
    each other class. Returns inf if there is no such image.
    """
    rivals = [j for j in range(len(bias)) if j != target]
    rows = (weight[target] - weight[rivals]).astype(np.float64)
    bounds = (bias[rivals] - bias[target]).astype(np.float64)
    if (np.maximum(rows, 0).sum(1) < bounds).any():
        return float("inf")
    start = image.astype(np.float64)

    def dual(multipliers: np.ndarray) -> tuple[float, np.ndarray]:  # negative, to be minimised, and its gradient
        nearest = np.clip(start + multipliers @ rows, 0, 1)
        lacking = bounds - rows @ nearest
        return -(np.square(nearest - start).sum() / 2 + multipliers @ lacking), -lacking

    options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-9}
    limits = [(0, None)] * len(rivals)
    solution = scipy_minimise(dual, np.zeros(len(rivals)), jac=True, method="L-BFGS-B", bounds=limits, options=options)
    return float(np.sqrt(max(-2 * solution.fun, 0.0)))
