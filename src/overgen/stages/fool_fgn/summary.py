"""From the trials of the Fooling Generator Network to a cell: rates and means, and images to show.

`fool_variants` takes them too: its cells are of this form, so that the report sets both beside the paper's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.confidence import log_gate, log_reconstruction
from overgen.measures.steps import steps_row
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results
from overgen.stages.fool_fgn.trials import Attack, Outcome, Pair, column


def fooling_rows(table: pd.DataFrame, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Of each attack at each pair that it is judged at: fooling rate, that of the pictures in 8 bits, mean updates.

    table: a row a trial, trials.csv. In how many classes a network is fooled (a mean over seeds) tells whether a rate
    is the network's or a class's: the interval of the rate takes trials for independent, which those of a class are
    not; that over classes does not. Mean updates have the latter only.
    """
    rows = []
    groups: Any = table.groupby(["objective", "objective_alpha"], dropna=False, sort=False)
    for (objective, alpha), trials in groups:
        attack = Attack(objective, None if pd.isna(alpha) else alpha, {})
        for pair in attack.judged(pairs):
            rows += rows_at(trials, pair, experiment=attack.experiment, suffix=alpha_suffix(pairs, pair))
    return rows


def rows_at(trials: pd.DataFrame, pair: Pair, *, experiment: str, suffix: str) -> list[dict[str, Any]]:
    """What the trials of one attack came to at one (τ, α). suffix: of the metrics' names."""
    tau, seeds, steps = pair[0], trials["seed"], trials[column(pair)]
    hits = [int(count) for count in steps.groupby(seeds).count()]
    n = len(trials) // len(hits)
    above_in_8_bits = (trials[column(pair, "score_in_8_bits")] > tau).groupby(seeds).sum()
    hits_in_8_bits = [int(count) for count in above_in_8_bits]
    fooled = steps.notna()
    classes_fooled = trials[fooled].groupby("seed")["target"].nunique()
    return [
        results.rate_row(experiment, f"fooling_rate{suffix}", hits, n, of="trials", tau=tau),
        results.rate_row(experiment, f"fooling_rate_in_8_bits{suffix}", hits_in_8_bits, n, of="trials", tau=tau),
        results.row(
            experiment,
            f"classes_fooled{suffix}",
            float(classes_fooled.sum() / len(hits)),
            unit="classes",
            n=trials["target"].nunique(),
            tau=tau,
        ),
        results.over_classes_row(experiment, f"fooling_rate_over_classes{suffix}", fooled, trials["target"], tau=tau),
        steps_row(experiment, f"mean_steps_to_fool{suffix}", steps[fooled], trials.loc[fooled, "target"], tau=tau),
    ]


def curvature_rows(outputs: dict[str, np.ndarray], table: pd.DataFrame) -> list[dict[str, Any]]:
    """On how many test images, and final images of the attacks, γ > 0: where Γ acts at all.

    outputs: `image_outputs` of the test images, stacked over seeds, with labels.
    """
    positive = [int((gamma > 0).sum()) for gamma in outputs["gamma"]]
    positive_final = [int((gamma > 0).sum()) for _, gamma in table.groupby("seed")["final_gamma"]]
    n = len(table) // len(positive_final)
    return [
        results.rate_row("curvature", "gamma_positive_rate@test", positive, len(outputs["labels"]), of="test images"),
        results.rate_row("curvature", "gamma_positive_rate@fooling", positive_final, n, of="trials' final images"),
    ]


def examples(
    outcome: Outcome, pairs: Sequence[Pair], targets: Sequence[int], shape: Sequence[int], beta: float
) -> dict[str, np.ndarray]:
    """One trial of the first seed for each attack and target class: the first that was fooled, else trial 0.

    targets: C classes; shape: (C, H, W) of the images. Variants are left out. A trial is judged at the attack's first
    pair; its score is ỹ_t of its image at that pair's α. Returns objective, tau and alpha (A,) of A attacks, and image
    (A, C, H, W) or (A, C, H, W, 3), score, fooled and step (A, C), −1 for a trial that was not fooled; and where the
    targets are not 0 to C − 1, target (C,).
    """
    table, pixels = outcome.table, math.prod(shape)
    first = table[table["seed"].isin(table["seed"].iloc[:1]) & table["objective"].isin(["y", "scaled"])]
    attacks = list(first.groupby(["objective", "objective_alpha"], dropna=False, sort=False))
    size = (len(attacks), len(targets))
    shown: dict[str, np.ndarray] = {
        "objective": np.array([str(key[0]) for key, _ in attacks]),
        "tau": np.zeros(len(attacks)),
        "alpha": np.zeros(len(attacks)),
        "image": pictures.pictured(np.zeros((*size, pixels), np.float32), shape),
        "score": np.zeros(size),
        "fooled": np.zeros(size, bool),
        "step": np.full(size, -1),
    }
    for a, ((objective, alpha), trials) in enumerate(attacks):
        pair = next(p for p in pairs if objective == "y" or p[1] == alpha)
        shown["tau"][a], shown["alpha"][a] = pair
        for c, target in enumerate(targets):
            of_class = trials[trials["target"] == target]
            fooled = of_class[of_class[column(pair)].notna()]
            index = (fooled if len(fooled) else of_class).index[0]
            shown["image"][a, c] = pictures.pictured(outcome.images[index, pairs.index(pair)], shape)
            shown["score"][a, c] = np.exp(final_log_score(table.loc[index], pair[1], beta, pixels))
            shown["fooled"][a, c] = bool(len(fooled))
            shown["step"][a, c] = int(table.loc[index, column(pair)]) if len(fooled) else -1
    return shown | pictures.columns(targets)


def final_log_score(trial: pd.Series, alpha: float, beta: float, pixels: int) -> Any:
    """log ỹ_t of a trial's final image of D pixels, from its row of the table."""
    log_score = trial["final_log_y"]
    if np.isfinite(trial["final_distance"]):
        log_score += log_reconstruction(trial["final_distance"], alpha=alpha, pixels=pixels)
        log_score += log_gate(np.float64(trial["final_gamma"]), beta=beta)
    return log_score
