"""From the trials of the Fooling Generator Network to a cell: the table of trials, rates and means, images to show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overgen.confidence import log_gate, log_reconstruction
from overgen.measures.intervals import mean_interval
from overgen.measures.thresholds import alpha_suffix
from overgen.models import PIXELS
from overgen.run import results


class Attack(NamedTuple):
    """One attack of a cell. objective: "y", "scaled" (on ỹ with the strength alpha) or the name of a variant on y.

    options: what a variant changes.
    """

    objective: str
    alpha: float | None
    options: Mapping[str, Any]

    @property
    def experiment(self) -> str:
        """What its rows are of."""
        return {"y": "fgn", "scaled": "fgn_on_scaled_output"}.get(self.objective, f"fgn_{self.objective}")

    def judged(self, pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """The (τ, α) pairs that it is judged at: of an attack on ỹ those with its own α."""
        return [p for p in pairs if self.alpha is None or p[1] == self.alpha]


def attacks(alphas: Sequence[float]) -> list[Attack]:
    """The attack on y, and those on ỹ at some α."""
    return [Attack("y", None, {}), *(Attack("scaled", alpha, {}) for alpha in alphas)]


def column(pair: tuple[float, float], of: str = "step") -> str:
    """The column of trials.csv for a (τ, α) pair: the updates at its first passage, or that image's score_in_8_bits."""
    return f"{of}@tau={pair[0]:g},alpha={pair[1]:g}"


def gather(
    work: Sequence[tuple[int, Attack, list[tuple[int, int]]]],
    found: list[dict[str, np.ndarray]],
    pairs: list[tuple[float, float]],
) -> tuple[pd.DataFrame, np.ndarray]:
    """All trials as one table, a row each, and their images (rows, pairs, 784), NaN at pairs that do not judge them."""
    tables, images = [], []
    for (seed, attack, block), passage in zip(work, found, strict=True):
        judged = attack.judged(pairs)
        columns = [column(p) for p in judged]
        whole = np.full((len(block), len(pairs), PIXELS), np.nan, np.float32)
        whole[:, [pairs.index(p) for p in judged]] = passage["image"]
        images.append(whole)
        steps = {name: pd.Series(passage["step"][:, i], dtype="Int64") for i, name in enumerate(columns)}
        table = pd.DataFrame(
            {
                "seed": seed,
                "objective": attack.objective,
                "objective_alpha": attack.alpha,
                "target": [target for target, _ in block],
                "trial": [trial for _, trial in block],
                **{name: step.mask(step < 0) for name, step in steps.items()},
                "final_log_y": passage["log_y"],
                "final_distance": passage["distance"],
                "final_gamma": passage["gamma"],
            }
        )
        tables.append(table)
    columns = ["seed", "objective", "objective_alpha", "target", "trial", *map(column, pairs)]
    columns += ["final_log_y", "final_distance", "final_gamma"]
    return pd.concat(tables, ignore_index=True).reindex(columns=columns), np.concatenate(images)


def successes(table: pd.DataFrame, pairs: list[tuple[float, float]]) -> pd.DataFrame:
    """Passages, by pair and trial: trial (the row of the table), seed, target, pair (its index), tau, alpha."""
    found = []
    for i, (tau, alpha) in enumerate(pairs):
        fooled = table.loc[table[column((tau, alpha))].notna(), ["seed", "target"]]
        found.append(fooled.rename_axis("trial").reset_index().assign(pair=i, tau=tau, alpha=alpha))
    return pd.concat(found, ignore_index=True)


def fooling_rows(table: pd.DataFrame, pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Of each attack at each pair that it was judged on: fooling rate, that of the images in 8 bits, mean updates.

    In how many classes (a mean over seeds) tells whether a rate is the network's or a class's: the interval of the rate
    takes trials for independent, which those of a class are not; that over classes does not.
    """
    rows = []
    groups: Any = table.groupby(["objective", "objective_alpha"], dropna=False, sort=False)
    for (objective, alpha), trials in groups:
        attack = Attack(objective, None if pd.isna(alpha) else alpha, {})
        experiment = attack.experiment
        for pair in attack.judged(pairs):
            steps = trials[column(pair)]
            by_seed = steps.groupby(trials["seed"])
            hits = [int(k) for k in by_seed.count()]
            n = len(trials) // len(hits)
            name = alpha_suffix(pairs, pair)
            rows.append(results.rate_row(experiment, "fooling_rate" + name, hits, n, of="trials", tau=pair[0]))
            as_pictures = (trials[column(pair, "score_in_8_bits")] > pair[0]).groupby(trials["seed"]).sum()
            metric = f"fooling_rate_in_8_bits{name}"
            rows.append(
                results.rate_row(experiment, metric, [int(k) for k in as_pictures], n, of="trials", tau=pair[0])
            )
            fooled = steps.dropna().to_numpy(dtype=np.float64)
            among = trials[steps.notna()].groupby("seed")["target"].nunique()
            rows.append(
                results.row(
                    experiment,
                    "classes_fooled" + name,
                    float(among.sum() / len(hits)),
                    unit="classes",
                    n=trials["target"].nunique(),
                    tau=pair[0],
                )
            )
            over = "fooling_rate_over_classes" + name
            rows.append(results.over_classes_row(experiment, over, steps.notna(), trials["target"], tau=pair[0]))
            rows.append(
                results.row(
                    experiment,
                    "mean_steps_to_fool" + name,
                    float(fooled.mean()) if len(fooled) else None,
                    unit="updates",
                    n=len(fooled),
                    tau=pair[0],
                    interval=mean_interval(fooled, bounds=(0, math.inf)) if len(fooled) > 1 else None,
                    kind="95 % t interval of the mean over fooled trials",
                    note="" if len(fooled) else "no trial was fooled",
                )
            )
    return rows


def curvature_rows(outputs: dict[str, np.ndarray], table: pd.DataFrame) -> list[dict[str, Any]]:
    """On how many test images, and final images of the attacks, γ > 0: where Γ acts at all."""
    test = [int((gamma > 0).sum()) for gamma in outputs["gamma"]]
    attacked = [int((gamma > 0).sum()) for _, gamma in table.groupby("seed")["final_gamma"]]
    n = len(table) // len(attacked)
    return [
        results.rate_row("curvature", "gamma_positive_rate@test", test, len(outputs["labels"]), of="test images"),
        results.rate_row("curvature", "gamma_positive_rate@fooling", attacked, n, of="trials' final images"),
    ]


def examples(
    table: pd.DataFrame, images: np.ndarray, pairs: list[tuple[float, float]], classes: int, beta: float
) -> dict[str, np.ndarray]:
    """One trial of the first seed for each attack and target class: the first that was fooled, else trial 0.

    images: (rows of the table, pairs, 784). Variants are left out. Judged at the attack's first pair; score is ỹ of its
    image at that pair's α.
    """
    first = table[(table["seed"] == table["seed"].iloc[0]) & table["objective"].isin(["y", "scaled"])]
    attacks = list(first.groupby(["objective", "objective_alpha"], dropna=False, sort=False))
    shape = (len(attacks), classes)
    shown: dict[str, np.ndarray] = {
        "objective": np.array([str(key[0]) for key, _ in attacks]),
        "tau": np.zeros(len(attacks)),
        "alpha": np.zeros(len(attacks)),
        "image": np.zeros((*shape, 28, 28), np.float32),
        "score": np.zeros(shape),
        "fooled": np.zeros(shape, bool),
        "step": np.full(shape, -1),
    }
    for o, ((objective, alpha), trials) in enumerate(attacks):
        pair = next(p for p in pairs if objective == "y" or p[1] == alpha)
        shown["tau"][o], shown["alpha"][o] = pair
        for target in range(classes):
            mine = trials[trials["target"] == target]
            fooled = mine[mine[column(pair)].notna()]
            chosen = (fooled if len(fooled) else mine).iloc[0]
            index = (fooled if len(fooled) else mine).index[0]
            log_score = chosen["final_log_y"]
            if np.isfinite(chosen["final_distance"]):
                log_score += log_reconstruction(chosen["final_distance"], alpha=pair[1], pixels=PIXELS)
                log_score += log_gate(np.float64(chosen["final_gamma"]), beta=beta)
            shown["image"][o, target] = images[index, pairs.index(pair)].reshape(28, 28)
            shown["score"][o, target] = np.exp(log_score)
            shown["fooled"][o, target] = bool(len(fooled))
            shown["step"][o, target] = int(chosen[column(pair)]) if len(fooled) else -1
    return shown
