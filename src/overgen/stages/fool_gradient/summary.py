"""From the trials of gradient attacks to a cell: the table of trials, rates and distances, images to show.

A trial is a start image and a target class, attacked in turn with every objective and learning rate until one passes
the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.attacks.attacked import Arrays, Block
from overgen.measures.intervals import mean_interval
from overgen.measures.steps import steps_row
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results
from overgen.stages.fool_gradient.params import GradientDescent

Pair = tuple[float, float]  # (τ, α)
MEANS = (  # over the trials that fooled: the metric, its column of the table, its unit
    ("mean_distance_to_target_class", "target_distance", "L2, pixels in [0,1]"),
    ("mean_change", "change", "L2, pixels in [0,1]"),
)


def gather(blocks: Sequence[Block], outcomes: Sequence[Arrays], attacks: Sequence[GradientDescent]) -> pd.DataFrame:
    """All trials as one table: a row for each seed, pair, start, target and trial.

    outcomes: what the stage's `attack` gave for each block. objective, learning_rate: of the attack that fooled, else
    of the one with the highest score; step: updates of all attacks until then; score: ỹ_t of the image; source: the
    training image of the start. nearest_label is empty where the nearest training image has none, target_distance where
    no training image is of the target class.
    """
    parts = []
    for block, outcome in zip(blocks, outcomes, strict=True):
        step, source, label = (pd.Series(outcome[n], dtype="Int64") for n in ("step", "source", "nearest_label"))
        columns = {
            "seed": block.seed,
            "tau": block.attack[0],
            "alpha": block.attack[1],
            "start": [start for start, _, _ in block.trials],
            "target": [target for _, target, _ in block.trials],
            "trial": [trial for _, _, trial in block.trials],
            "source": source.mask(source < 0),
            "objective": [attacks[i].objective for i in outcome["attack"]],
            "learning_rate": [attacks[i].learning_rate for i in outcome["attack"]],
            "step": step.mask(step < 0),
            "score": np.exp(outcome["score"]),
            "final_distance": outcome["distance"],
            "final_gamma": outcome["gamma"],
        }
        near: dict[str, Any] = {name: outcome[name] for name in ("change", "target_distance")}
        near |= {"nearest_label": label.mask(label < 0), "nearest_distance": outcome["nearest_distance"]}
        parts.append(pd.DataFrame(columns | near))
    return pd.concat(parts, ignore_index=True)


def groups(table: pd.DataFrame, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, str, pd.DataFrame]]:
    """The trials of each pair (τ, α) and start, in order."""
    for pair in pairs:
        judged = table[(table["tau"] == pair[0]) & (table["alpha"] == pair[1])]
        for start in dict.fromkeys(judged["start"]):
            yield pair, start, judged[judged["start"] == start]


def rows(table: pd.DataFrame, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Fooling rates, also those in 8 bits, mean updates, and what the images lie near to, by pair and start."""
    rows = []
    for pair, start, trials in groups(table, pairs):
        rows += rows_at(trials, pair[0], suffix=f"@start={start}{alpha_suffix(pairs, pair)}")
    return rows


def rows_at(trials: pd.DataFrame, tau: float, *, suffix: str) -> list[dict[str, Any]]:
    """What the trials of one start came to at one (τ, α). suffix: of the metrics' names."""
    hits, seeds = trials["step"].notna(), trials["seed"]
    by_seed = [int(count) for count in hits.groupby(seeds).sum()]
    by_seed_in_8_bits = [int(count) for count in (trials["score_in_8_bits"] > tau).groupby(seeds).sum()]
    n = len(trials) // len(by_seed)
    over_classes = results.over_classes_row(
        "gradient", f"fooling_rate_over_classes{suffix}", hits, trials["target"], tau=tau
    )
    rows = [
        results.rate_row("gradient", f"fooling_rate{suffix}", by_seed, n, of="trials", tau=tau),
        over_classes,
        results.rate_row("gradient", f"fooling_rate_in_8_bits{suffix}", by_seed_in_8_bits, n, of="trials", tau=tau),
    ]
    fooled = trials[hits]
    note = "" if len(fooled) else "no trial was fooled"
    rows.append(steps_row("gradient", f"mean_steps_to_fool{suffix}", fooled["step"], fooled["target"], tau=tau))
    for metric, column, unit in MEANS:
        values = fooled[column].dropna().to_numpy(dtype=np.float64)
        rows.append(
            results.row(
                "gradient",
                metric + suffix,
                float(values.mean()) if len(values) else None,
                unit=unit,
                n=len(values),
                tau=tau,
                interval=mean_interval(values, bounds=(0, math.inf)) if len(values) > 1 else None,
                kind="95 % t interval of the mean over fooled trials",
                note=note if len(values) else note or "no image to compare with is labelled with a target class",
            )
        )
    metric = f"nearest_is_target_rate{suffix}"
    labelled = fooled[fooled["nearest_label"].notna()]
    if len(labelled):
        near_target = int((labelled["nearest_label"] == labelled["target"]).sum())
        return [*rows, results.rate_row("gradient", metric, [near_target], len(labelled), of="fooled trials", tau=tau)]
    note = note or "no image near them has a label"
    return [*rows, results.row("gradient", metric, None, unit="percent", n=0, tau=tau, note=note)]


def examples(
    table: pd.DataFrame, images: np.ndarray, pairs: Sequence[Pair], targets: Sequence[int], shape: Sequence[int]
) -> dict[str, np.ndarray]:
    """For each pair and start, one trial of each class, of the first seed: the first that fooled, else trial 0.

    images: (rows of the table, D), flat; targets: C classes; shape: (C, H, W) of the images. Returns tau, alpha and
    start (G,) of G pairs and starts, and image, (G, C, H, W) or (G, C, H, W, 3), score and fooled (G, C); and where the
    targets are not 0 to C − 1, target (C,).
    """
    grouped = list(groups(table[table["seed"] == table["seed"].iloc[0]], pairs))
    size = (len(grouped), len(targets))
    shown: dict[str, np.ndarray] = {
        "tau": np.array([pair[0] for pair, _, _ in grouped]),
        "alpha": np.array([pair[1] for pair, _, _ in grouped]),
        "start": np.array([start for _, start, _ in grouped]),
        "image": pictures.pictured(np.zeros((*size, images.shape[1]), np.float32), shape),
        "score": np.zeros(size),
        "fooled": np.zeros(size, bool),
    }
    for g, (_, _, trials) in enumerate(grouped):
        for c, target in enumerate(targets):
            of_class = trials[trials["target"] == target]
            if of_class.empty:
                continue
            fooled = of_class[of_class["step"].notna()]
            index = (fooled if len(fooled) else of_class).index[0]
            shown["image"][g, c] = pictures.pictured(images[index], shape)
            shown["score"][g, c] = table.loc[index, "score"]
            shown["fooled"][g, c] = bool(len(fooled))
    return shown | pictures.columns(targets)
