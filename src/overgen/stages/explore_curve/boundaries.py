"""How far a point of the curve is from another class: along the curve, by any change, and in random directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen.run.streams import generator
from overgen.stages.explore_curve import geometry
from overgen.stages.explore_curve.networks import Stack, cross_entropy

ON_CURVE = 2001  # places at which the classes along the curve are looked at
IN_PLANE = 2000  # points of the square, before those on the curve are left out
RAY = 60  # distances along a random direction, from limit/10⁴ on
HALVINGS = 20

Arrays = dict[str, np.ndarray]


def explore(settings: Any, dimension: int) -> Arrays:
    """Networks of one dimension, trained and measured.

    settings: the section `explore_curve`. Returns, of each of S seeds and T points, along, smallest and off_plane
    (S, T), random (S, T, K); of each seed accuracy (S,) and votes, whether it says class 1, of places on the curve
    on_curve (S, N) and of points of the plane in_plane (S, M); map (S, G, G) int8, the margin of class 1 over the
    square [−1, 1]², rows of rising y; start and end (S, T, 2), the smallest change in the plane's coordinates.
    """
    of, key = settings.boundaries, ("explore_curve", "boundaries", dimension)
    curve = geometry.Curve(settings.curve).checked(settings.near)
    planes = geometry.embeddings(of.seeds, dimension, generator(*key, "planes"))
    stack = trained(settings, curve, planes, key)

    def margin(plane: np.ndarray) -> Tensor:
        """f of points (N, 2) of the plane: (S, N), positive for class 1."""
        return difference(stack.rest(stack.first_of_plane(torch.from_numpy(plane).float(), planes)))

    u = torch.rand(of.seeds, of.tested, generator=generator(*key, "tested")).double().numpy()
    places = np.linspace(0, 1, ON_CURVE)
    votes = (margin(curve.points(places)) > 0).numpy()
    along = np.stack([to_change(own, places, found) * curve.length for own, found in zip(u, votes, strict=True)])
    start = torch.from_numpy(curve.points(u)).float()
    x = start @ planes.transpose(1, 2)
    by_curve = torch.from_numpy(curve.points(nearest_change(u, places, votes))).float()
    change = smallest_change(stack, x, by_curve @ planes.transpose(1, 2) - x, of.iterations)
    inside = change @ planes  # (S, T, 2)
    size = change.norm(dim=2)
    tangents = torch.from_numpy(curve.tangents(u)).float()
    directions = geometry.directions_off(tangents, planes, of.directions, generator(*key, "directions"))
    edge = 1 - 1 / of.resolution
    axis = np.linspace(-edge, edge, of.resolution)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    square = 2 * torch.rand(IN_PLANE, 2, generator=generator("explore_curve", "plane")).double().numpy() - 1
    square = square[curve.distance(square) > settings.near]
    return {
        "along": along,
        "smallest": size.numpy(),
        "off_plane": (1 - inside.square().sum(2) / size.square()).clamp(0, 1).numpy(),
        "random": first_crossings(stack, x, directions, of.limit).numpy(),
        "accuracy": (votes == curve.labels(places)).mean(1),
        "on_curve": votes,
        "in_plane": (margin(square) > 0).numpy(),
        "map": (127 * margin(grid).tanh()).round().to(torch.int8).view(-1, of.resolution, of.resolution).numpy(),
        "start": start.numpy(),
        "end": (start + inside).numpy(),
    }


def trained(settings: Any, curve: geometry.Curve, planes: Tensor, key: tuple[object, ...]) -> Stack:
    """Networks that have learned the two classes on the curve, each from points of its own."""
    of = settings.boundaries
    u = torch.rand(of.seeds, of.points, generator=generator(*key, "points")).double().numpy()
    points = torch.from_numpy(curve.points(u)).float()
    labels = torch.from_numpy(curve.labels(u))
    stack = Stack(of.seeds, planes.shape[1], settings.hidden, 2, generator(*key, "weights"))
    stack.train(
        lambda _: cross_entropy(stack.rest(stack.first_of_plane(points, planes)), labels),
        steps=of.steps, learning_rate=settings.learning_rate,
    )  # fmt: skip
    return stack


def difference(logits: Tensor) -> Tensor:
    """By how much the second class's logit is above the first's: (S, N, 2) to (S, N)."""
    return logits[..., 1] - logits[..., 0]


def changes(places: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Places between two of which the class differs. places, votes: (N,)."""
    at = np.flatnonzero(votes[1:] != votes[:-1])
    return (places[at] + places[at + 1]) / 2


def to_change(u: np.ndarray, places: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """How far each place is from the nearest one at which the class changes: 1, all of the curve, where none is.

    u: (T,); places, votes: (N,). Returns (T,) as shares of the curve's length.
    """
    found = changes(places, votes)
    return np.abs(u[:, None] - found).min(1) if len(found) else np.ones_like(u)


def nearest_change(u: np.ndarray, places: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """The place nearest to each u (S, T) at which the class along the curve is another: (S, T); an end if none is."""
    found = np.empty_like(u)
    for own, vote, to in zip(u, votes, found, strict=True):
        at = changes(places, vote)
        step = places[1] - places[0]
        if not len(at):
            to[:] = np.round(1 - own)
            continue
        nearest = at[np.abs(own[:, None] - at).argmin(1)]
        to[:] = nearest + np.sign(nearest - own) * step / 2  # just beyond it
    return found


def smallest_change(stack: Stack, x: Tensor, first: Tensor, iterations: int) -> Tensor:
    """The smallest changes found that move points over the boundary, (S, T, D).

    x: (S, T, D); first: (S, T, D), changes to begin with; iterations: of the search. Each goes to the point of the
    linearised boundary that is nearest to x (Hasofer & Lind 1974, Rackwitz & Fiessler 1978; DeepFool of
    Moosavi-Dezfooli et al. 2016 is this without the way back to x), and is then shortened or lengthened by bisection to
    where the class changes. It is a bound from above: what the search misses would be smaller. Points whose class no
    change on the way alters keep `first`.
    """
    sign = difference(stack(x)).sign()

    def crossed(change: Tensor) -> Tensor:
        return difference(stack(x + change)) * sign < 0

    def cut(change: Tensor) -> tuple[Tensor, Tensor]:
        """A change brought to the boundary, and its length; infinite where it does not cross."""
        over = crossed(change)
        low, high = torch.zeros_like(sign), torch.ones_like(sign)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            beyond = crossed(middle[..., None] * change)
            low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
        change = high[..., None] * change
        return change, torch.where(over, change.norm(dim=2), torch.inf)

    best, length = cut(first)
    length = torch.where(length.isinf(), first.norm(dim=2), length)
    starts = (best, torch.zeros_like(best))
    for change in starts:
        for _ in range(iterations):
            point = (x + change).requires_grad_()
            value = difference(stack(point))
            (gradient,) = torch.autograd.grad(value.sum(), point)
            along = ((gradient * change).sum(2) - value.detach()) / gradient.square().sum(2).clamp(min=1e-12)
            aimed = 1.05 * along[..., None] * gradient  # a little beyond, so that the bisection has two sides
            change, found = cut(aimed)
            better = found < length
            best = torch.where(better[..., None], change, best)
            length = torch.where(better, found, length)
            change = torch.where(found.isinf()[..., None], aimed, change)
    return best


def first_crossings(stack: Stack, x: Tensor, directions: Tensor, limit: float) -> Tensor:
    """How far points go in some directions before their class changes, (S, T, K); infinite beyond `limit`.

    x: (S, T, D); directions: (S, T, K, D), of length 1. The boundary is looked for at RAY distances from limit/10⁴ on,
    each 1.17 times the last, then between two of them by bisection: a class that changes and comes back in between is
    missed.
    """
    seeds, tested, count, dimension = directions.shape
    base = stack.first(x)[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)
    slope = stack.first(directions.view(seeds, tested * count, dimension))
    sign = difference(stack.rest(base)).sign()

    def crossed(t: Tensor) -> Tensor:
        return difference(stack.rest(base + t[..., None] * slope)) * sign < 0

    low, high = torch.zeros_like(sign), torch.full_like(sign, torch.inf)
    for t in np.geomspace(limit / 1e4, limit, RAY).tolist():
        open_ = high.isinf()
        over = crossed(torch.full_like(sign, t)) & open_
        high = torch.where(over, t, high)
        low = torch.where(open_ & ~over, t, low)
    reached = high.isfinite()
    for _ in range(10):
        middle = torch.where(reached, (low + high) / 2, low)
        over = crossed(middle)
        low, high = torch.where(over, low, middle), torch.where(over & reached, middle, high)
    return torch.where(reached, high, torch.inf).view(seeds, tested, count)
