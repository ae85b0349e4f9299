"""What all attacks on a score share: the objective, the ball, what was found, and who is still to be fooled.

An attack moves T images at once, each for itself: a trial's result does not depend on the ones beside it, and a trial
that has succeeded leaves the batch. Every step is taken without a gradient and then projected; nothing is clamped where
autograd sees it, since torch's clamp and hardtanh have no gradient at exactly their bounds since torch 2.14. A network
may still begin with a clamp of its own. So wherever a gradient is wanted, the image is looked at `INSIDE` the cube, and
that image is the one that is judged and kept: pixels of exactly 0 or 1, most of MNIST, stay as free as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from overgen import OvergenError

INSIDE = 1e-6  # of the range of pixels; 1 − INSIDE is not 1 in float32


class Objective(Protocol):
    """What an attack follows, and when it has succeeded."""

    def __call__(self, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Guide and verdict of some images, each by itself.

        rows: (R,) trials, as indices; x: (R, D) in [0, 1], flat. Returns the guide (R,), which is to rise and has a
        gradient in x, and (R,) bool: whether the image has succeeded. The two agree but where a score is flat: there
        the guide says which way.
        """


@dataclass(frozen=True)
class Ball:
    """The images that an attack may choose from: a ball around a centre, within the cube [0, 1]^D.

    norm: "linf", "l2", or "none" for the cube alone; radius: in pixels of [0, 1], ∞ for "none".
    Raises OvergenError for another norm or a radius that does not go with it.
    """

    norm: Literal["linf", "l2", "none"]
    radius: float

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2", "none"):
            raise OvergenError(f"a ball of norm {self.norm!r}: choose linf, l2, or none for the cube alone")
        if self.norm == "none" and self.radius != float("inf"):
            raise OvergenError(f"norm none is the whole cube: its radius is inf, not {self.radius}")
        if self.norm != "none" and not 0 < self.radius < float("inf"):
            raise OvergenError(f"a ball of norm {self.norm} needs a finite radius above 0, not {self.radius}")

    @property
    def reach(self) -> float:
        """The radius; 1 for the cube, which is an L∞ ball of radius 1 around each of its points."""
        return 1.0 if self.norm == "none" else self.radius

    def project(self, x: Tensor, centre: Tensor) -> Tensor:
        """The nearest image of ball and cube. x: (R, D); centre: (R, D), in the cube. Returns (R, D).

        For L2 the nearest one is clip(c + t(x − c), 0, 1) with the largest t ≤ 1 that the radius allows (t = 1/(1 + λ),
        λ the multiplier of the ball). Whichever pixels are clipped at some t, the others say how far t can grow; from
        below, t rises to the answer, and every rise but the last clips another pixel.
        """
        if self.norm == "none":
            return x.clamp(0, 1)
        if self.norm == "linf":
            lowest, highest = (centre - self.radius).clamp(min=0), (centre + self.radius).clamp(max=1)
            return torch.minimum(torch.maximum(x, lowest), highest)
        projected = x.clamp(0, 1)
        far = ((projected - centre).norm(dim=1) > self.radius).nonzero()[:, 0]
        if len(far):
            projected[far] = self.shortened(x[far] - centre[far], centre[far])
        return projected

    def shortened(self, step: Tensor, centre: Tensor) -> Tensor:
        """clip(c + t·step, 0, 1) with the t ≤ 1 for which it lies on the L2 ball's surface. (R, D) each."""
        length = step.abs()
        room = torch.where(step > 0, 1 - centre, centre)
        t = (self.radius / length.norm(dim=1)).clamp(max=1)
        free = t[:, None] * length < room
        while True:
            taken = torch.where(free, 0.0, room).square().sum(1)
            along = torch.where(free, length, 0.0).square().sum(1)
            # nothing is free, or nothing that would move: t has no bound but 1
            further = ((self.radius**2 - taken).clamp(min=0) / along).sqrt().nan_to_num(nan=1.0, posinf=1.0)
            t = further.clamp(max=1).maximum(t)
            still = t[:, None] * length < room
            if torch.equal(still, free):
                break
            free = still
        return (centre + torch.copysign(torch.minimum(t[:, None] * length, room), step)).clamp(0, 1)

    def starts(self, centre: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """A random image for each trial, as AutoPGD begins (Croce & Hein 2020): on the ball's surface, then projected.

        L∞: uniform, scaled so that one pixel moves by the radius; L2: in a uniform direction; the cube: uniform in it.
        centre: (T, D); generators: one a trial. Returns (T, D).
        """
        draws = [torch.empty(centre.shape[1], dtype=torch.float64, device=g.device) for g in generators]
        for draw, generator in zip(draws, generators, strict=True):
            if self.norm == "l2":
                draw.normal_(generator=generator)
            else:
                draw.uniform_(generator=generator)
        drawn = torch.stack(draws).to(centre.device)
        if self.norm == "none":
            return drawn.to(centre)
        step = drawn if self.norm == "l2" else 2 * drawn - 1
        size = step.norm(dim=1, keepdim=True) if self.norm == "l2" else step.abs().amax(1, keepdim=True)
        return self.project(centre + (self.radius * step / size).to(centre), centre)


@dataclass(frozen=True)
class Found:
    """What an attack of T trials came to.

    image: (T, D), the first that succeeded, else the one with the highest guide, of all that were looked at;
    step: (T,) updates (queries of a black box) until it succeeded, 0 where the start did, −1 where it never did;
    guide: (T,) float64, of `image`; flat: (T,) bool, trials that failed and never saw a way to go: each gradient was
    exactly 0 (for a black box: each image had the guide of the first).
    """

    image: Tensor
    step: Tensor
    guide: Tensor
    flat: Tensor


class Search:
    """T trials under one objective: it is asked here, what it says is checked, and the best is kept.

    start: (T, D), where the search begins; unit: what `step` counts, for errors.
    """

    def __init__(self, objective: Objective, start: Tensor, *, unit: str = "updates") -> None:
        self.objective, self.unit = objective, unit
        self.image = start.clone()
        self.guide = torch.full((len(start),), -torch.inf, dtype=torch.float64, device=start.device)
        self.step = torch.full((len(start),), -1, device=start.device)
        self.flat = torch.ones(len(start), dtype=torch.bool, device=start.device)

    @torch.no_grad()
    def look(self, rows: Tensor, x: Tensor, spent: int) -> tuple[Tensor, Tensor]:
        """Guide (R,) float64 and verdict (R,) bool of images, without a gradient, after so many updates or queries.

        rows: (R,); x: (R, D). Raises OvergenError if a guide is not finite.
        """
        guide, done = self.checked(rows, *self.objective(rows, x), spent)
        first = self.guide[rows] == -torch.inf
        self.flat[rows] &= first | (guide == self.guide[rows])
        self.keep(rows, x, guide, done, spent)
        return guide, done

    def slope(self, rows: Tensor, x: Tensor, spent: int) -> tuple[Tensor, Tensor, Tensor]:
        """Guide (R,) float64, its gradient (R, D) and verdict (R,) bool of images, looked at `INSIDE` the cube.

        The gradient of those that have succeeded is not looked at. rows: (R,); x: (R, D). Raises OvergenError if a
        guide or a gradient is not finite, or if there is none.
        """
        point = inside(x.detach()).requires_grad_()
        with torch.enable_grad():
            raw, verdict = self.objective(rows, point)
        guide, done = self.checked(rows, raw, verdict, spent)
        self.keep(rows, point.detach(), guide, done, spent)
        if bool(done.all()):
            return guide, torch.zeros_like(x), done
        gradient = torch.autograd.grad(raw.sum(), point, allow_unused=True)[0] if raw.requires_grad else None
        if gradient is None:
            raise OvergenError(
                f"the guide of trial {int(rows[0])} does not depend on its image by anything that torch can "
                "differentiate: attack this score as a black box (square)"
            )
        self.refuse(rows, ~gradient.isfinite().all(1) & ~done, "gradient of the guide", spent)
        self.flat[rows] &= (gradient == 0).all(1)
        return guide, gradient, done

    def checked(self, rows: Tensor, guide: Tensor, done: Tensor, spent: int) -> tuple[Tensor, Tensor]:
        """The guide in float64 and the verdict, detached; OvergenError where they are not what they have to be."""
        if guide.shape != rows.shape or done.shape != rows.shape or done.dtype != torch.bool:
            raise OvergenError(
                f"an objective of {len(rows)} images gave a guide {tuple(guide.shape)} and a verdict "
                f"{tuple(done.shape)} of {done.dtype}: both have to be ({len(rows)},), the verdict torch.bool"
            )
        self.refuse(rows, ~guide.isfinite(), "guide", spent)
        return guide.detach().double(), done.detach()

    def refuse(self, rows: Tensor, wrong: Tensor, name: str, spent: int) -> None:
        """OvergenError that names the first trial of those that are wrong."""
        if bool(wrong.any()):
            trial = int(rows[wrong][0])
            raise OvergenError(
                f"the {name} of trial {trial} is not finite after {spent} {self.unit}: that is neither fooled nor "
                "not fooled; mend the score that is attacked there, or leave it out"
            )

    def keep(self, rows: Tensor, x: Tensor, guide: Tensor, done: Tensor, spent: int) -> None:
        """Keep images that have succeeded, or have a higher guide than any before."""
        better = done | (guide > self.guide[rows])
        chosen = rows[better]
        self.image[chosen], self.guide[chosen] = x[better], guide[better]
        self.step[rows[done]] = spent

    def found(self) -> Found:
        """What the trials came to."""
        return Found(self.image, self.step, self.guide, self.flat & (self.step < 0))


def inside(x: Tensor) -> Tensor:
    """Images as they are looked at where a gradient is wanted: no pixel within `INSIDE` of 0 or 1."""
    return x.clamp(INSIDE, 1 - INSIDE)


def checked_start(start: Tensor, centre: Tensor, ball: Ball) -> Tensor:
    """The start, in the ball: (T, D). Raises OvergenError if it or the centre (T, D) is not an image in [0, 1]."""
    if start.ndim != 2 or start.shape != centre.shape or not start.is_floating_point() or start.dtype != centre.dtype:
        raise OvergenError(
            f"an attack starts at (T, D) images and has (T, D) centres of the same float type, not at "
            f"{tuple(start.shape)} of {start.dtype} around {tuple(centre.shape)} of {centre.dtype}"
        )
    for name, images in (("start", start), ("centre", centre)):
        outside = ~((images >= 0) & (images <= 1)).all(1)  # a NaN, too
        if bool(outside.any()):
            trial = int(outside.nonzero()[0])
            raise OvergenError(f"the {name} of trial {trial} leaves [0, 1]: attacks move images of the cube [0, 1]^D")
    return ball.project(start.detach(), centre)
