"""Trials of the Fooling Generator Network against a model's networks, for `fool_fgn` and `fool_variants` alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from overgen.attacks import fgn
from overgen.attacks.attacked import Arrays, Attacked, Block, in_blocks
from overgen.run.streams import generator

Pair = tuple[float, float]  # (τ, α)
OPTIONS = ("learning_rate", "optimizer", "input", "initial")  # of `fgn.attack` that the section fool_fgn gives


class Attack(NamedTuple):
    """One attack of a cell.

    objective: "y", "scaled" (on ỹ with the strength alpha) or the name of a variant on y. options: of `fgn.attack`.
    """

    objective: str
    alpha: float | None
    options: Mapping[str, Any]

    @property
    def experiment(self) -> str:
        """What its rows are of."""
        return {"y": "fgn", "scaled": "fgn_on_scaled_output"}.get(self.objective, f"fgn_{self.objective}")

    def judged(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The (τ, α) pairs that it is judged at: of an attack on ỹ those with its own α."""
        return [pair for pair in pairs if self.alpha is None or pair[1] == self.alpha]


def attacks(alphas: Sequence[float], options: Mapping[str, Any]) -> list[Attack]:
    """The attack on y, and those on ỹ at some α, all with the same options."""
    return [Attack("y", None, options), *(Attack("scaled", alpha, options) for alpha in alphas)]


class Outcome(NamedTuple):
    """What the attacks on a model came to.

    table: a row a trial, trials.csv. images: (rows, pairs, D), the first image that passed the pair, else the last,
    NaN at pairs that do not judge the trial. successes: successes.npz.
    """

    table: pd.DataFrame
    images: np.ndarray
    successes: Arrays


def run(
    attacked: Attacked, tried: Sequence[Attack], targets: Sequence[int], *, trials: int, updates: int, block: int
) -> Outcome | None:
    """Run all trials of some attacks on every seed; None on ranks but 0.

    trials: for each target class. updates: of each trial, at most. block: trials side by side, at most. Raises
    OvergenError for a network without a gradient.
    """
    attacked.refuse_black_box()
    each = in_blocks(list(product(targets, range(trials))), attacked.side_by_side(block))
    work = product(attacked.seeds, tried, each)
    blocks = [Block(f"seed{seed}-{of.objective}-{i}", seed, of, some) for i, (seed, of, some) in enumerate(work)]

    def attack(network: nn.Module, block: Block) -> Arrays:
        passage = fgn.attack(
            network,
            [target for target, _ in block.trials],
            [generator(attacked.dataset, block.seed, "fgn", *trial) for trial in block.trials],
            attacked.stage.trainer(epochs=1),
            shape=attacked.shape,
            updates=updates,
            thresholds=block.attack.judged(attacked.pairs),
            beta=attacked.beta,
            probes=attacked.probes,
            alpha=block.attack.alpha,
            **block.attack.options,
        )
        return {name: values.numpy() for name, values in vars(passage).items()}

    passages = attacked.run(blocks, attack)
    if attacked.stage.rank != 0:
        return None
    table, images = gather(blocks, passages, attacked.pairs, math.prod(attacked.shape))
    hits = hits_of(table, attacked.pairs)
    successes, hits = attacked.successes(images[hits["trial"], hits["pair"]], hits)
    for scores, (i, pair) in product(("score_in_8_bits", "score_in_16_bits"), enumerate(attacked.pairs)):
        table[column(pair, scores)] = hits[hits["pair"] == i].set_index("trial")[scores].reindex(table.index)
    return Outcome(table, images, successes)


def column(pair: Pair, of: str = "step") -> str:
    """The column of trials.csv for a (τ, α): the updates at its first passage, or that image's score as a picture."""
    return f"{of}@tau={pair[0]:g},alpha={pair[1]:g}"


def gather(
    blocks: Sequence[Block], passages: Sequence[Arrays], pairs: Sequence[Pair], pixels: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """All trials as one table, a row each, and their images (rows, pairs, D), NaN at pairs that do not judge them.

    passages: the arrays of each block's `Passage`. pixels: D.
    """
    tables, images = [], []
    for block, passage in zip(blocks, passages, strict=True):
        judged = block.attack.judged(pairs)
        whole = np.full((len(block.trials), len(pairs), pixels), np.nan, np.float32)
        whole[:, [pairs.index(pair) for pair in judged]] = passage["image"]
        images.append(whole)
        steps = {column(pair): pd.Series(passage["step"][:, i], dtype="Int64") for i, pair in enumerate(judged)}
        table = {
            "seed": block.seed,
            "objective": block.attack.objective,
            "objective_alpha": block.attack.alpha,
            "target": [target for target, _ in block.trials],
            "trial": [trial for _, trial in block.trials],
            **{name: step.mask(step < 0) for name, step in steps.items()},
            "final_log_y": passage["log_y"],
            "final_distance": passage["distance"],
            "final_gamma": passage["gamma"],
        }
        tables.append(pd.DataFrame(table))
    columns = ["seed", "objective", "objective_alpha", "target", "trial", *map(column, pairs)]
    columns += ["final_log_y", "final_distance", "final_gamma"]
    if not blocks:
        return pd.DataFrame(columns=columns), np.zeros((0, len(pairs), pixels), np.float32)
    return pd.concat(tables, ignore_index=True).reindex(columns=columns), np.concatenate(images)


def hits_of(table: pd.DataFrame, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Passages, by pair and trial: trial (the row of the table), seed, target, pair (its index), tau, alpha."""
    hits = []
    for i, (tau, alpha) in enumerate(pairs):
        fooled = table.loc[table[column((tau, alpha))].notna(), ["seed", "target"]]
        hits.append(fooled.rename_axis("trial").reset_index().assign(pair=i, tau=tau, alpha=alpha))
    return pd.concat(hits, ignore_index=True)
