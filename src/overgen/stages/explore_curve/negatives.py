""" "Other" as a class of its own: what a budget of points drawn blindly buys, in spaces of more and more dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen.run.streams import generator
from overgen.stages.explore_curve import geometry
from overgen.stages.explore_curve.networks import Stack, cross_entropy

OTHER = 2  # the class
RATE = 0.3  # of the ascent: how far a direction turns in one step, as a share of its length

Arrays = dict[str, np.ndarray]


def explore(settings: Any, dimension: int) -> Arrays:
    """Networks of one dimension with each number of negatives, trained and shown fresh points of no class.

    settings: the section `explore_curve`. Returns of each of M numbers and S seeds, as shares (M, S): accuracy, of
    fresh points on the curve that get their own class; accepted as one of the two classes: uniform, of fresh points of
    the cube more than `near` off the curve; near, of points `near` off the curve in random directions at right angles
    to it; worst, of these with each direction turned to where it is accepted most. And off (M, S, F) at the distances
    `distances` from the plane of the curve, and worst_off (M, S) at the first of these, both absent in the plane.
    """
    of, key = settings.negatives, ("explore_curve", "negatives", dimension)
    curve = geometry.Curve(settings.curve).checked(settings.near)
    planes = geometry.embeddings(of.seeds, dimension, generator(*key, "planes"))
    cube = 2 * torch.rand(of.seeds, of.counts[-1], dimension, generator=generator(*key, "negatives")) - 1
    many = len(of.counts)
    stack = trained(settings, curve, planes, cube, key)

    def shares(hits: Tensor) -> np.ndarray:
        """(M·S, N) bool to (M, S)."""
        return hits.double().mean(1).view(many, of.seeds).numpy()

    def accepted(x: Tensor) -> Tensor:
        return stack(x.repeat(many, 1, 1)).argmax(2) != OTHER

    fresh = generator(*key, "tested")
    u = torch.rand(of.seeds, of.tested, generator=fresh).double().numpy()
    x = torch.from_numpy(curve.points(u)).float() @ planes.transpose(1, 2)
    labels = torch.from_numpy(curve.labels(u))
    right = stack(x.repeat(many, 1, 1)).argmax(2) == labels.repeat(many, 1)
    uniform = far_points(settings, curve, planes, fresh)
    tangents = torch.from_numpy(curve.tangents(u)).float()
    aside = geometry.directions_off(tangents, planes, 1, fresh)[:, :, 0]
    along = torch.einsum("std,sed->ste", tangents, planes)

    def off_curve(v: Tensor) -> Tensor:
        v = v - (v * along).sum(2, keepdim=True) * along
        return v / v.norm(dim=2, keepdim=True)

    found = {
        "accuracy": shares(right),
        "uniform": shares(accepted(uniform)),
        "near": shares(accepted(x + settings.near * aside)),
        "worst": shares(ascended(stack, x, aside, settings.near, off_curve, many, of.ascent)),
    }
    if dimension > 2:
        away = geometry.directions_off_plane(planes, of.tested, fresh)
        found["off"] = np.stack([shares(accepted(x + distance * away)) for distance in settings.distances], 2)
        worst = ascended(
            stack, x, away, settings.distances[0], lambda v: geometry.off_plane(v, planes), many, of.ascent
        )  # fmt: skip
        found["worst_off"] = shares(worst)
    return found


def trained(settings: Any, curve: geometry.Curve, planes: Tensor, cube: Tensor, key: tuple[object, ...]) -> Stack:
    """Networks of three classes, those with fewer negatives first: (M·S) of M numbers and S seeds.

    cube: (S, m, D), the largest number of negatives; fewer are the first of them. Each step sees fresh points of the
    curve and as many negatives, drawn from those that there are; both weigh the same.
    """
    of = settings.negatives
    many = len(of.counts)
    stack = Stack(of.seeds, planes.shape[1], settings.hidden, 3, generator(*key, "weights"))
    # the same initial weights whatever the number
    stack.weights = [w.detach().repeat(many, 1, 1).requires_grad_() for w in stack.weights]
    stack.biases = [b.detach().repeat(many, 1, 1).requires_grad_() for b in stack.biases]
    draws = generator(*key, "batches")
    sizes = torch.tensor(of.counts)[:, None, None]
    rows = torch.arange(of.seeds)[None, :, None]
    other = torch.full((many * of.seeds, of.batch_size), OTHER)
    all_planes = planes.repeat(many, 1, 1)

    def loss(_: int) -> Tensor:
        u = torch.rand(of.seeds, of.batch_size, generator=draws).double().numpy()
        points = torch.from_numpy(curve.points(u)).float().repeat(many, 1, 1)
        labels = torch.from_numpy(curve.labels(u)).repeat(many, 1)
        share = torch.rand(of.seeds, of.batch_size, generator=draws)[None]
        negatives = cube[rows, (share * sizes).long()].flatten(0, 1)
        first = torch.cat([stack.first_of_plane(points, all_planes), stack.first(negatives)], 1)
        return cross_entropy(stack.rest(first), torch.cat([labels, other], 1))

    stack.train(loss, steps=of.steps, learning_rate=settings.learning_rate)
    return stack


def far_points(settings: Any, curve: geometry.Curve, planes: Tensor, draws: torch.Generator) -> Tensor:
    """Fresh points uniform in the cube and more than `near` off the curve: (S, tested, D)."""
    kept = []
    for plane in planes:
        found = torch.empty(0, planes.shape[1])
        while len(found) < settings.negatives.tested:
            drawn = 2 * torch.rand(settings.negatives.tested, planes.shape[1], generator=draws) - 1
            inside = drawn @ plane
            above = (drawn.square().sum(1) - inside.square().sum(1)).clamp(min=0).double().numpy()
            gap = np.sqrt(curve.distance(inside.double().numpy()) ** 2 + above)
            found = torch.cat([found, drawn[torch.from_numpy(gap > settings.near)]])
        kept.append(found[: settings.negatives.tested])
    return torch.stack(kept)


def ascended(
    stack: Stack, x: Tensor, directions: Tensor, distance: float, allowed: Any, many: int, steps: int
) -> Tensor:
    """Which points are accepted at some distance, after each direction was turned to where that is likeliest.

    x, directions: (S, N, D); allowed: brings (S, N, D) back among the allowed directions, of length 1. Returns
    (M·S, N) bool: whether the point was accepted at any step.
    """
    base, turned = x.repeat(many, 1, 1), directions.repeat(many, 1, 1)
    hit = torch.zeros(base.shape[:2], dtype=torch.bool)
    seeds = len(x)
    for step in range(steps + 1):
        point = (base + distance * turned).requires_grad_()
        logits = stack(point)
        hit |= logits.detach().argmax(2) != OTHER
        if step == steps:
            break
        (gradient,) = torch.autograd.grad((logits[..., :OTHER].amax(2) - logits[..., OTHER]).sum(), point)
        size = gradient.norm(dim=2, keepdim=True).clamp(min=1e-12)
        moved = turned + RATE * gradient / size
        turned = torch.cat([allowed(part) for part in moved.split(seeds)])
    return hit
