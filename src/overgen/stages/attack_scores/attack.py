"""What is done to one score: attacks in turn, in both directions, in the cube and in balls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen.attacks.on_scores import ANY, OnScore
from overgen.attacks.search import Ball, Found
from overgen.run.streams import generator
from overgen.stages.attack_scores.score import AttackedScore, Study

Arrays = dict[str, np.ndarray]
CUBE = Ball("none", float("inf"))
NORMS = ("linf", "l2")
NEVER = -1


def attacked(study: Study, name: str) -> Arrays:
    """All that was tried on a method.

    kept: (N,) bool, the known test images that it accepts. Of the T trials in the cube: image (T, D) float32, start
    (T,) bool whether the start is accepted as the target already, attempt (T,) the number of the attack that did it or
    `NEVER`, step (T,) updates of that attack, flat (T,) bool, fooled (T,) bool as the score itself says. Of each
    direction and norm `<direction>.<norm>`: (I,) the number of the smallest radius that did it, −1 for none, counted
    from 1; 0 where the start did; and which image, `<direction>.image`. refused: why the method was not tried, and
    nothing else.
    """
    try:
        score = study.score(name)
    except ValueError as error:
        return {"refused": np.array(str(error))}
    arrays = {"kept": score.accepts, "threshold": np.array(score.threshold), "black_box": np.array(score.black_box)}
    if not np.isfinite(score.attackable.rise(score.threshold)):
        why = f"its threshold is {score.threshold:g}, the end of its range: nothing is rejected, or nothing accepted"
        return {"refused": np.array(why)}
    return arrays | in_cube(study, score) | in_balls(study, score)


def trials(study: Study) -> list[tuple[str, int, int]]:
    """Start, target and number of each trial in the cube; without other data there is no such start."""
    kinds = [kind for kind in study.settings.starts if kind == "noise" or study.unknown is not None]
    return list(product(kinds, range(len(study.dataset.classes)), range(study.settings.restarts)))


def starts(study: Study) -> Tensor:
    """The first images of the trials, (T, D): the same for every method and network."""
    images = []
    for i, (kind, target, number) in enumerate(trials(study)):
        if kind == "noise":
            draws = generator(study.dataset.name, "attacked scores", kind, target, number)
            images.append(torch.rand(int(np.prod(study.dataset.shape)), generator=draws))
        else:
            assert study.unknown is not None
            images.append(study.flat(study.unknown[i % len(study.unknown)][None])[0].cpu())
    return torch.stack(images).to(study.device)


def in_cube(study: Study, score: AttackedScore) -> Arrays:
    """The trials in the cube, of the direction "accept"."""
    start, targets = starts(study), torch.tensor([target for _, target, _ in trials(study)], device=study.device)
    objective = on_score(study, score, "accept", targets)
    attempts = usable(score, study.settings.attempts)
    found, attempt = in_turn(study, objective, start, start, CUBE, attempts, ("cube", score.name))
    return {
        "image": found.image.cpu().numpy(),
        "start": accepted_as(score, *score.of(start), targets),
        "attempt": attempt.cpu().numpy(),
        "step": found.step.cpu().numpy(),
        "flat": found.flat.cpu().numpy(),
        "fooled": accepted_as(score, *score.of(found.image), targets),
    }


def accepted_as(score: AttackedScore, values: np.ndarray, labels: np.ndarray, targets: Tensor) -> np.ndarray:
    """Whether the score itself accepts images, of its values (N,), and labels them (N,) as the targets (N,): bool."""
    return (values >= score.threshold) & (labels == targets.cpu().numpy())


def in_balls(study: Study, score: AttackedScore) -> Arrays:
    """Images moved within balls around them: unknown ones until any label is accepted, known ones until rejected."""
    arrays: Arrays = {}
    for direction, images, chosen in (("accept", *unknown_images(study)), ("reject", *known_images(study, score))):
        centre = study.flat(images)
        targets = torch.full((len(centre),), ANY, device=study.device)
        objective = on_score(study, score, direction, targets)
        arrays[f"{direction}.image"] = chosen
        for norm in NORMS:
            arrays[f"{direction}.{norm}"] = smallest_radius(study, score, objective, centre, norm)
    return arrays


def unknown_images(study: Study) -> tuple[Tensor, np.ndarray]:
    """Images of no class that are moved, (I, C, H, W) uint8, and their numbers: of other data, else uniform noise."""
    count = study.settings.images
    if study.unknown is not None:
        images = study.unknown[-count:]  # others than the starts in the cube, as long as there are enough
    else:
        draws = generator(study.dataset.name, "attacked scores", "moved noise")
        images = torch.randint(0, 256, (count, *study.dataset.shape), generator=draws, dtype=torch.uint8)
    return images, np.arange(len(images))


def known_images(study: Study, score: AttackedScore) -> tuple[Tensor, np.ndarray]:
    """Known test images that the score accepts and that are labelled right, in turn of each class, and their numbers
    among the known ones."""
    fit = np.flatnonzero(score.accepts & score.right)
    rank = np.zeros(len(fit), int)
    for label in np.unique(study.labels[fit]):
        mine = study.labels[fit] == label
        rank[mine] = np.arange(mine.sum())
    chosen = fit[np.argsort(rank, kind="stable")][: study.settings.images]
    return study.known[chosen], chosen


def smallest_radius(study: Study, score: AttackedScore, objective: Any, centre: Tensor, norm: Any) -> np.ndarray:
    """The number of the smallest radius within which each image succeeded, as the score itself says: (I,)."""
    radii = getattr(study.settings, norm)
    found_at = np.full(len(centre), NEVER)
    found_at[succeeds(score, objective, centre)] = 0
    best = centre.clone()
    for i, radius in enumerate(radii, 1):
        left = torch.from_numpy(np.flatnonzero(found_at == NEVER)).to(study.device)
        if not len(left):
            break
        ball, key = Ball(norm, radius), (objective.direction, norm, radius, score.name)
        some = of_rows(objective, left)
        attempts = usable(score, study.settings.ball_attempts)
        found, _ = in_turn(study, some, best[left], centre[left], ball, attempts, key)
        best[left] = found.image  # the next ball holds it, too
        done = succeeds(score, objective, found.image) & (found.step >= 0).cpu().numpy()
        found_at[left.cpu().numpy()[done]] = i
    return found_at


def succeeds(score: AttackedScore, objective: Any, x: Tensor) -> np.ndarray:
    """Whether images have succeeded in the direction of an objective without targets, as the score itself says."""
    values, _ = score.of(x)
    accepted: np.ndarray = values >= score.threshold
    return accepted if objective.direction == "accept" else ~accepted


def on_score(study: Study, score: AttackedScore, direction: Any, targets: Tensor) -> OnScore:
    known = study.flat(study.known[np.flatnonzero(score.accepts)])
    return OnScore(score.attackable, score.threshold, known, direction, targets, chunk=study.chunk)


def of_rows(objective: Any, rows: Tensor) -> Any:
    """An objective of some of its trials alone, counted from 0."""

    def some(chosen: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide, done = objective(rows[chosen], x)
        return guide, done

    return some


def in_turn(
    study: Study,
    objective: Any,
    start: Tensor,
    centre: Tensor,
    ball: Ball,
    attempts: Sequence[tuple[int, Any]],
    key: Sequence[object],
) -> tuple[Found, Tensor]:
    """Attacks in turn, each with its number, from the start on the trials that none before has done.

    Returns the best of each trial, whose step counts the updates of the attack that did it; and which, (T,).
    """
    best = Found(
        image=start.clone(), step=torch.full((len(start),), NEVER, device=start.device),
        guide=torch.full((len(start),), -torch.inf, dtype=torch.float64, device=start.device),
        flat=torch.ones(len(start), dtype=torch.bool, device=start.device),
    )  # fmt: skip
    which = torch.full((len(start),), NEVER, device=start.device)
    for i, attempt in attempts:
        left = (best.step == NEVER).nonzero()[:, 0]
        if not len(left):
            break
        draws = [generator(study.dataset.name, *key, i, trial) for trial in left.tolist()]
        attack = attack_of(attempt, draws, study.dataset.shape)
        found = attack(of_rows(objective, left), start[left], centre[left], ball)
        better = (found.step >= 0) | (found.guide > best.guide[left])
        rows = left[better]
        best.image[rows], best.guide[rows], best.step[rows] = (
            found.image[better],
            found.guide[better],
            found.step[better],
        )
        best.flat[left] &= found.flat
        which[left[found.step >= 0]] = i
    return best, which


def usable(score: AttackedScore, attempts: Sequence[Any]) -> list[tuple[int, Any]]:
    """The attempts that a score allows, with their numbers: without a gradient those of a black box alone."""
    return [(i, attempt) for i, attempt in enumerate(attempts) if not score.black_box or attempt.attack == "square"]


def attack_of(attempt: Any, draws: Sequence[torch.Generator], shape: tuple[int, int, int]) -> Any:
    """An attack of params.yaml as a function of objective, start, centre and ball."""
    from overgen.attacks.adam import adam
    from overgen.attacks.autopgd import autopgd
    from overgen.attacks.square import square

    if attempt.attack == "autopgd":
        return partial(autopgd, updates=attempt.updates)
    if attempt.attack == "adam":
        return partial(adam, updates=attempt.updates, learning_rate=attempt.learning_rate)
    return partial(square, queries=attempt.updates, generators=draws, shape=shape)


def transferred(study: Study, name: str, made: dict[str, np.ndarray]) -> Arrays:
    """Whether a method accepts as the target what was made against every other: `<method>` (T,) bool.

    made: (T, D) images by the method that they were made against; the same at every call.
    """
    score = study.score(name)
    if "made" not in study.flat_parts:
        study.flat_parts["made"] = torch.from_numpy(np.concatenate(list(made.values()))).to(study.device)
    targets = torch.tensor([target for _, target, _ in trials(study)] * len(made))
    accepted = accepted_as(score, *score.of_part("made"), targets).reshape(len(made), -1)
    return {other: hits for other, hits in zip(made, accepted, strict=True) if other != name}
