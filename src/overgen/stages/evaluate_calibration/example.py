"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.attacks.attacked import Block
from overgen.models import PIXELS, SHAPE
from overgen.run import results
from overgen.run.example import BETA, blobs, outputs, pairs_of, reconstructs, spent
from overgen.stages.evaluate_calibration import summary
from overgen.stages.fool_gradient.example import ATTACKS
from overgen.stages.fool_gradient.summary import gather

IMAGES = 400  # of the test, and of each kind of unknown


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    temperature: float = 2.0,
    training: float = 1.0,
    refused: str = "",
    fooled: Sequence[float] = (1.0, 1.0),
    sure: float = 6.0,
    kinds: Sequence[str] = ("uniform", "silhouettes"),
    unknown: float = 0.0,
    restarts: int = 3,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """A network whose logits are so many times too large, `temperature`, or `training` on training images.

    refused: why it has no temperature. fooled: shares of the trials, the first so many, that fool before and after;
    sure: by how much the logit of the label is higher, on average; unknown: by how much one logit of unknown images is.
    """
    own = spent(path, resamples=20, training_images=IMAGES, images=IMAGES)
    own |= spent(path, **{"attack.restarts": restarts, "attack.attacks": 2, "attack.updates": 200})
    whole = dict(budget or {}) | own
    if refused:
        rows, diagrams = summary.refused(refused)
        results.write(path, budget=whole, metrics=rows, tables={"reliability": diagrams})
        return
    labels, none = np.arange(IMAGES) % classes, np.full(IMAGES, -1)
    test = answers(draw, path.name, labels, sure=sure, factor=temperature) | {"labels": labels}
    of_training = answers(draw, path.name, labels, sure=sure, factor=training) | {"labels": labels}
    of_kinds = {kind: answers(draw, path.name, none, sure=0, factor=temperature) for kind in kinds}
    for images in of_kinds.values():
        images["logits"][:, 0] += unknown
    key, pairs = path.parts[-3::2], sorted(dict(reversed(pairs_of(path.name))).items())
    found = summary.temperatures(test, of_training, classes, key=key)
    rows, diagrams = summary.cell(test, of_kinds, found, pairs, BETA, classes=classes, bins=10, resamples=20, key=key)
    kept = kept_images(path.name, classes)
    trials, pictured = new_trials(draw, path, pairs, [("noise", target, i) for target in range(classes)
                                                    for i in range(restarts)], fooled)  # fmt: skip
    hits = np.flatnonzero(trials["step"].notna())
    results.write(
        path,
        budget=whole,
        metrics=rows + summary.kept_rows(kept) + summary.trial_rows(trials),
        tables={"reliability": diagrams, "kept": kept, "trials": trials},
        successes={"trial": hits, "image": pictures.rounded(pictured[hits], SHAPE)},
    )


def answers(
    draw: np.random.Generator, model: str, labels: np.ndarray, *, sure: float, factor: float
) -> dict[str, np.ndarray]:
    """What a network says of images: its logits times a factor, and what c̃ needs of them."""
    arrays = outputs(draw, model, labels, sure=sure)
    own = {name: arrays[name][0] for name in summary.OF_C if name in arrays}
    return own | {"logits": factor * arrays["log_y"][0]}


def kept_images(model: str, classes: int) -> pd.DataFrame:
    """One image a class and attack that fooled barely, of which every second one is left at a temperature."""
    targets, half = np.arange(classes), np.arange(classes) % 2 == 0
    followed = [("fool_fgn", "scaled" if reconstructs(model) else "y"), ("fool_gradient", "noise"),
                ("fool_evolution", "cppn")]  # fmt: skip
    tables = []
    for tau, alpha in sorted(dict(reversed(pairs_of(model))).items()):
        for attack, variant in followed:
            table = pd.DataFrame({"attack": attack, "variant": variant, "tau": tau, "alpha": alpha, "target": targets})
            tables.append(table.assign(plain=(1 + tau) / 2, calibrated=np.where(half, (1 + tau) / 2, tau / 2)))
    return pd.concat(tables, ignore_index=True)


def new_trials(
    draw: np.random.Generator,
    path: Path,
    pairs: Sequence[summary.Pair],
    trials: Sequence[tuple[str, int, int]],
    fooled: Sequence[float],
) -> tuple[pd.DataFrame, np.ndarray]:
    """The table of new trials, of which the given shares fool before and after, and their images, flat."""
    n = len(trials)
    before, after = (np.arange(n) < share * n for share in fooled)
    targets = np.array([target for _, target, _ in trials])
    distance = np.full(n, 1.0 if reconstructs(path.name) else np.nan)
    outcomes = [
        {
            "step": np.where(after, 9, -1), "source": np.full(n, -1), "attack": np.where(after, 0, 1),
            "score": np.log(np.where(after, (1 + tau) / 2, tau / 2)), "distance": distance, "gamma": distance - 1.5,
            "change": np.full(n, 2.0), "target_distance": np.full(n, 8.0), "nearest_label": targets,
            "nearest_distance": np.full(n, 6.0),
        }
        for tau, _ in pairs
    ]  # fmt: skip
    table = gather([Block("block", 0, pair, trials) for pair in pairs], outcomes, ATTACKS)
    earlier = table.assign(step=pd.Series(np.where(np.tile(before, len(pairs)), 7, -1), dtype="Int64"))
    earlier["step"] = earlier["step"].mask(earlier["step"] < 0)
    table["score_in_8_bits"] = table["score"].where(table["step"].notna())
    images = blobs(draw, len(table)).reshape(-1, PIXELS)
    return summary.with_steps_before(table, earlier, path), images
