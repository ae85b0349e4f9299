"""Square: a random search that needs no gradient (Andriushchenko et al. 2020, Algorithms 1 to 3).

Each query changes a square window of the image at random, in every channel, and is kept if the guide rises. L∞, and
the cube: all of the window moves to one end of the ball. L2: the window gets a bump with a negative half beside it, and
pays with what the ball has left and what a second window gives up. Windows shrink as the paper's do, with its 10,000
queries scaled to those there are. A trial draws from its own stream, so the others do not change it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.search import Ball, Found, Objective, Search, checked_start

SHARE = 0.8  # of the image that the first window covers, in AutoAttack (Croce & Hein 2020)
HALVED = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries: where the share is halved
TILES = 5  # along a side, of the first image in L2
AHEAD = 32  # queries for which a trial draws at once


def square(
    objective: Objective,
    start: Tensor,
    centre: Tensor,
    ball: Ball,
    *,
    queries: int,
    generators: Sequence[torch.Generator],
    shape: Sequence[int],
    share: float = SHARE,
) -> Found:
    """Attack T trials, each for itself, with at most so many queries; the first of them is the paper's first image.

    objective: to rise, asked without a gradient; start: (T, D), put into the ball first and looked at before the first
    query: the search goes on from it or from the paper's first image, whichever has the higher guide; centre: (T, D) in
    [0, 1]; generators: one a trial; shape: (C, H, W), D = C·H·W; share: of the image, the first window.
    Raises OvergenError if a guide is not finite.
    """
    x = checked_start(start, centre, ball)
    channels, height, width = shape
    if queries < 1 or not 0 < share <= 1:
        raise OvergenError(f"Square with {queries} queries and windows of {share} of the image: at least 1, in (0, 1]")
    if channels * height * width != x.shape[1] or len(generators) != len(x):
        raise OvergenError(
            f"Square on {len(x)} images of {x.shape[1]} numbers: shape {tuple(shape)} and {len(generators)} random "
            "streams do not go with them; one stream an image, D = C·H·W"
        )
    search = Search(objective, x, unit="queries")
    rows = torch.arange(len(x), device=x.device)
    guide, done = search.look(rows, x, 0)
    first = tiles if ball.norm == "l2" else stripes
    for query in range(1, queries + 1):
        if bool(done.any()):
            rows, x, guide = rows[~done], x[~done], guide[~done]
        if not len(rows):
            break
        around = centre[rows]
        delta = (x - around).view(-1, channels, height, width)
        if query == 1:
            noise = uniform(generators, rows, first_draws(ball, channels, width)).to(x.device)
            step = ball.reach * first(noise, channels, height, width).to(x)
            candidate = around + step.flatten(1)
        else:
            ahead = (query - 2) % AHEAD
            if ahead == 0:
                drawn = uniform(generators, rows, AHEAD * (5 + channels)).view(-1, AHEAD, 5 + channels).to(x.device)
                owner = rows
            noise = drawn[torch.searchsorted(owner, rows), ahead]
            side = window_side(query - 2, queries, share, height, width, odd=ball.norm == "l2")
            if ball.norm == "l2":
                candidate = around + redistributed(delta, noise, side, ball.radius).to(x).flatten(1)
            else:
                candidate = x + 2 * ball.reach * window(noise, side, channels, height, width).to(x).flatten(1)
        candidate = ball.project(candidate, around)
        value, done = search.look(rows, candidate, query)
        better = value > guide
        x = torch.where(better[:, None], candidate, x)
        guide = torch.where(better, value, guide)
    return search.found()


def uniform(generators: Sequence[torch.Generator], rows: Tensor, count: int) -> Tensor:
    """So many numbers of [0, 1) from the stream of each of R trials: (R, count) float64."""
    return torch.stack(
        [
            torch.rand(count, generator=generators[i], dtype=torch.float64, device=generators[i].device)
            for i in rows.tolist()
        ]
    )


def sign(noise: Tensor) -> Tensor:
    """−1 or 1 from numbers of [0, 1), each with probability ½."""
    return torch.where(noise < 0.5, -1.0, 1.0).to(noise)


def window_side(query: int, queries: int, share: float, height: int, width: int, *, odd: bool) -> int:
    """Side of the window in pixels at a query after the first, counted from 0. odd: L2, an odd number from 3 on.

    Never more than the image, whose share it is. Source: Section 4, "Schedule for p"; Algorithm 1.
    """
    at = query * 10_000 / queries
    part = share / 2 ** sum(at > mark for mark in HALVED)
    side, most = max(1, round(math.sqrt(part * height * width))), min(height, width)
    if odd:
        side = max(3, side + (side % 2 == 0))
        most -= most % 2 == 0 and most > 1
    return min(side, most)


def corner(noise: Tensor, side: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Row and column (R,) of a window's upper left corner, uniform over all that fit. noise: (R, 2) in [0, 1)."""
    room = torch.tensor([height - side + 1, width - side + 1], device=noise.device)
    place = (noise * room).long()
    return place[:, 0], place[:, 1]


def first_draws(ball: Ball, channels: int, width: int) -> int:
    """How many random numbers a trial needs for its first image."""
    return TILES * TILES * (1 + channels) if ball.norm == "l2" else channels * width


def stripes(noise: Tensor, channels: int, height: int, width: int) -> Tensor:
    """±1 in vertical stripes of one pixel, for each channel (Section 4.1). noise: (R, C·W). Returns (R, C, H, W)."""
    return sign(noise).view(-1, channels, 1, width).expand(-1, -1, height, -1)


def window(noise: Tensor, side: int, channels: int, height: int, width: int) -> Tensor:
    """±1 in a window, one sign a channel, 0 elsewhere (Algorithm 2). noise: (R, ≥ 2 + C). Returns (R, C, H, W)."""
    row, column = corner(noise[:, :2], side, height, width)
    down = torch.arange(height, device=noise.device) - row[:, None]
    across = torch.arange(width, device=noise.device) - column[:, None]
    inside = ((down >= 0) & (down < side))[:, None, :, None] & ((across >= 0) & (across < side))[:, None, None, :]
    return sign(noise[:, -channels:])[:, :, None, None] * inside


def bump(side: int) -> Tensor:
    """The change of a window in L2, (side, side) float64 of norm 1: a peak, and its negative below (Eq. 3).

    In each half, of k × side pixels, a pixel at distance d from the peak (in the maximum norm) has
    Σ 1/m² over m = d + 1 … n + 1, with n half the longer side.
    """

    def half(rows: int) -> Tensor:
        n = side // 2
        tail = torch.cat([torch.arange(1, n + 2, dtype=torch.float64).square().reciprocal(), torch.zeros(1).double()])
        tail = tail.flip(0).cumsum(0).flip(0)  # of m = d + 1 and more
        down, across = (torch.arange(rows) - rows // 2).abs(), (torch.arange(side) - n).abs()
        return tail[torch.maximum(down[:, None], across[None, :]).clamp(max=n + 1)]

    whole = torch.cat([half(side // 2), -half(side - side // 2)])
    return whole / whole.norm()


def turned(pattern: Tensor, noise: Tensor) -> Tensor:
    """A pattern (S, S), transposed or not. noise: (R,) in [0, 1). Returns (R, 1, S, S)."""
    return torch.where((noise < 0.5)[:, None, None], pattern, pattern.T)[:, None]


def tiles(noise: Tensor, channels: int, height: int, width: int) -> Tensor:
    """The first change in L2: bumps side by side, each turned at random and with a sign for each channel (Section 4.2).

    noise: (R, 25·(1 + C)). Returns (R, C, H, W) of norm 1.
    """
    side = max(1, min(height, width) // TILES)
    pattern = bump(side).to(noise.device)
    change = noise.new_zeros(len(noise), channels, height, width)
    drawn = noise.view(len(noise), TILES, TILES, 1 + channels)
    down, across = min(TILES, height // side), min(TILES, width // side)
    top, left = (height - down * side) // 2, (width - across * side) // 2
    for i in range(down):
        for j in range(across):
            rows, columns = slice(top + i * side, top + (i + 1) * side), slice(left + j * side, left + (j + 1) * side)
            signs = sign(drawn[:, i, j, 1:])[:, :, None, None]
            change[:, :, rows, columns] = signs * turned(pattern, drawn[:, i, j, 0])
    return change / change.flatten(1).norm(dim=1)[:, None, None, None]


def redistributed(delta: Tensor, noise: Tensor, side: int, radius: float) -> Tensor:
    """A change in L2 whose first window has a new bump, and whose second gave what it had to the first (Algorithm 3).

    delta: (R, C, H, W), of norm ≤ radius; noise: (R, 5 + C): two corners, whether the bump is turned, signs.
    Returns (R, C, H, W), of norm radius, but for rounding.
    """
    channels, height, width = delta.shape[1:]
    change, grid = delta.double().flatten(2), torch.arange(side, device=delta.device)

    def pixels(place: Tensor) -> Tensor:
        """Where the window lies in the flat image, for every channel: (R, C, side²)."""
        row, column = corner(place, side, height, width)
        index = (row[:, None, None] + grid[:, None]) * width + column[:, None, None] + grid
        return index.flatten(1)[:, None].expand(-1, channels, -1)

    first, second = pixels(noise[:, :2]), pixels(noise[:, 2:4])
    unused = (radius**2 - change.square().sum((1, 2))).clamp(min=0)[:, None]
    old = change.gather(2, first)
    cleared = change.scatter(2, first, 0.0).scatter(2, second, 0.0)
    freed = change.square().sum(2) - cleared.square().sum(2)
    pattern = turned(bump(side).to(delta.device), noise[:, 4]).flatten(2)
    size = old.norm(dim=2, keepdim=True)
    new = sign(noise[:, 5:])[:, :, None] * pattern + torch.where(size > 0, old / size, 0.0)
    length = new.norm(dim=2, keepdim=True)
    # the old change may be just the bump with the other sign; then the bump alone
    new = torch.where(length > 1e-9, new / length, sign(noise[:, 5:])[:, :, None] * pattern)
    new = new * (freed.clamp(min=0) + unused / channels).sqrt()[:, :, None]
    return cleared.scatter(2, first, new).view(delta.shape)
