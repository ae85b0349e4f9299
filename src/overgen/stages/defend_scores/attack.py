"""What is done to one score: attacks in turn, in the cube and in balls, and what its certificate says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen.attacks.on_scores import ANY
from overgen.attacks.search import Ball
from overgen.measures.smoothing import certified_radius
from overgen.stages.attack_scores.attack import (
    CUBE,
    accepted_as,
    in_turn,
    of_rows,
    starts,
    succeeds,
    trials,
    usable,
)  # fmt: skip
from overgen.stages.defend_scores.score import Defended, Smoothed
from overgen.stages.defend_scores.summary import BALLS, CONFIRMED, MOVED, NEVER, STAYED, UNTRIED

Arrays = dict[str, np.ndarray]
WITHIN = 1 - 1e-4  # of a certified radius: a certificate is of what is nearer than its radius


def attacked(score: Defended) -> Arrays:
    """All that was tried on a score.

    kept, right: (N,) bool, the known test images that it accepts, and labels right; unknown: (M,) bool, images of no
    class that it accepts before any attack; passes, threshold: numbers. Of each direction and norm of `BALLS`
    `<direction>.<norm>`: (I,) the number of the smallest radius that moved the image past the threshold, from 1,
    0 where it was there already, `NEVER` for none. Of the T trials in the cube: image (T, D) float32; start (T,) bool,
    whether the start is accepted as the target already; attempt (T,) the number of the attack that did it or `NEVER`;
    step (T,), its updates; flat (T,) bool; fooled (T,) bool, as the score says as it is used.
    A smoothed score has `<direction>.certified`, (I,) L2 radii within which it is sure that the image is not moved, no
    promise where not above 0; and `<direction>.within`, (I,), what came of an attack within it.
    """
    study = score.study
    unknown, _ = study.unknown_parts
    arrays: Arrays = {
        "kept": score.accepts,
        "right": score.right,
        "unknown": score.of(study.flat(unknown))[0] >= score.threshold,
        "passes": np.array(score.passes),
        "threshold": np.array(score.threshold),
    }
    for direction, norm in BALLS:
        arrays[f"{direction}.{norm}"] = smallest_radius(score, direction, centres(score, direction), norm)
    if isinstance(score, Smoothed):
        for direction in dict(BALLS):
            arrays |= {f"{direction}.{name}": of for name, of in certified(score, direction).items()}
    return arrays | in_cube(score)


def centres(score: Defended, direction: str) -> Tensor:
    """The images that are moved, (I, D): the same for every score of a cell."""
    study = score.study
    return study.flat(study.unknown_parts[1] if direction == "accept" else study.known[study.moved_known()])


def in_cube(score: Defended) -> Arrays:
    """The trials in the cube: images are to be accepted as their target."""
    study: Any = score.study
    start, targets = starts(study), torch.tensor([target for _, target, _ in trials(study)], device=study.device)
    objective = score.objective("accept", targets, ("cube", score.name))
    found, attempt = in_turn(
        study, objective, start, start, CUBE, attempts(score, "attempts"), ("defended", "cube", score.name)
    )
    as_used: Any = score
    return {
        "image": found.image.cpu().numpy(),
        "start": accepted_as(as_used, *score.of(start), targets),
        "attempt": attempt.cpu().numpy(),
        "step": found.step.cpu().numpy(),
        "flat": found.flat.cpu().numpy(),
        "fooled": accepted_as(as_used, *score.of(found.image), targets),
    }


def attempts(score: Defended, name: str) -> list[tuple[int, Any]]:
    as_attacked: Any = score
    return usable(as_attacked, getattr(score.study.settings, name))


def smallest_radius(score: Defended, direction: str, centre: Tensor, norm: Any) -> np.ndarray:
    """The number of the smallest radius within which each image was moved past the threshold: (I,)."""
    study, as_used = score.study, _as_attacked(score)
    objective = any_label(score, direction, centre, (direction, norm, score.name))
    found_at = np.full(len(centre), NEVER)
    found_at[succeeds(as_used, objective, centre)] = 0
    best = centre.clone()
    for i, radius in enumerate(getattr(study.settings, norm), 1):
        left = torch.from_numpy(np.flatnonzero(found_at == NEVER)).to(study.device)
        if not len(left):
            break
        image, done = within(score, objective, best, centre, left, Ball(norm, radius), (direction, norm, radius))
        best[left] = image  # the next ball holds it, too
        found_at[left.cpu().numpy()[done]] = i
    return found_at


def any_label(score: Defended, direction: str, centre: Tensor, key: tuple[object, ...]) -> Any:
    """The objective of moving each image past the threshold, under any label."""
    return score.objective(direction, torch.full((len(centre),), ANY, device=centre.device), key)


def within(
    score: Defended, objective: Any, start: Tensor, centre: Tensor, rows: Tensor, ball: Ball, key: tuple[object, ...]
) -> tuple[Tensor, np.ndarray]:
    """Attacks in turn on some images within a ball: their images (R, D), and whether the score as it is used says that
    they are past the threshold, (R,) bool. rows: (R,), of all images."""
    study: Any = score.study
    found, _ = in_turn(
        study, of_rows(objective, rows), start[rows], centre[rows], ball, attempts(score, "ball_attempts"),
        ("defended", *key, score.name),
    )  # fmt: skip
    return found.image, succeeds(_as_attacked(score), objective, found.image)


def certified(score: Smoothed, direction: str) -> Arrays:
    """Of each image the certified radius, and what came of an attack within it, see `attacked`."""
    settings, centre = score.settings, centres(score, direction)
    draws = score.drawn("certify", settings.certificate_draws)
    radii = certified_radius(score.hits(centre, direction, draws), len(draws), settings.sigma, settings.error)
    came = np.full(len(centre), UNTRIED)
    objective = any_label(score, direction, centre, (direction, "within", score.name))
    fresh = score.drawn("confirm", settings.certificate_draws)
    for i in np.flatnonzero(radii > 0):
        row = torch.tensor([i], device=centre.device)
        ball = Ball("l2", WITHIN * float(radii[i]))
        image, done = within(score, objective, centre, centre, row, ball, (direction, "within", int(i)))
        came[i] = MOVED if done[0] else STAYED
        if done[0]:
            others = len(fresh) - score.hits(image, direction, fresh)
            sure = certified_radius(others, len(fresh), settings.sigma, settings.error)[0] > 0
            came[i] = CONFIRMED if sure else MOVED
    return {"certified": radii, "within": came}


def _as_attacked(score: Defended) -> Any:
    """A score as functions of attack_scores take it: they ask for `of`, `threshold`, `black_box` and `name`."""
    return score
