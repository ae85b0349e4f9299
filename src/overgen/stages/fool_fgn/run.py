"""Fool a network with the Fooling Generator Network: Tables 1 and 2, Figure 3.

Attacks y, as the paper does, and for networks that reconstruct also the scaled output ỹ. (For a softmax the two are
one; for COOL the gradients of its training loss and of −log ỹ_t are proportional, so the attack below is both.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from overgen import OvergenError, data
from overgen.attacks import pictures
from overgen.attacks.fgn import FoolingGenerator, start
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_fgn import summary as fool_fgn_summary


def main(stage: Stage) -> None:
    """Write the cell: rates and steps at each threshold, a row for each trial, images.

    successes.npz holds the first image of every trial that passed each (τ, α) pair (`pictures.successes`). What is left
    of its score in 8 bits is in trials.csv, as `score_in_8_bits@...`.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings = stage.params(f"fool_fgn.{dataset}")
    outputs = member_outputs(stage)
    if "distance" not in outputs and settings.scaled.get(model):
        raise OvergenError(f"params.yaml, fool_fgn.{dataset}.scaled: {model} does not reconstruct, so ỹ = y for it")
    attacks = fool_fgn_summary.attacks(settings.scaled.get(model, []))
    attacks += [fool_fgn_summary.Attack(v.name, None, v.options) for v in settings.variants if model in v.models]
    found = attack(
        stage, outputs, attacks, trials=settings.trials, updates=stage.for_model(f"fool_fgn.{dataset}.updates")
    )
    if stage.rank == 0:
        rows = fool_fgn_summary.fooling_rows(found.trials, found.pairs)
        if "distance" in outputs:
            rows += fool_fgn_summary.curvature_rows(outputs, found.trials)
        results.write(stage.cell, budget=found.budget, metrics=rows, tables={"trials": found.trials},
                    examples=found.examples, successes=found.successes)  # fmt: skip


def member_outputs(stage: Stage) -> dict[str, np.ndarray]:
    """The outputs of the attacked network on the test images, stacked over seeds: labels, seeds, `image_outputs`."""
    weights = weights_path(stage.item["dataset"], stage.item["model"], 0)
    return read_npz(weights.parent / "members" / "outputs.npz")


class Attacked(NamedTuple):
    """What a network's attacks came to: the table of trials, what was spent, images to show, every image that fooled
    as a picture, and the (τ, α) judged at."""

    trials: pd.DataFrame
    budget: dict[str, int]
    examples: dict[str, np.ndarray]
    successes: dict[str, np.ndarray]
    pairs: list[tuple[float, float]]


def attack(
    stage: Stage,
    outputs: dict[str, np.ndarray],
    attacks: Sequence[fool_fgn_summary.Attack],
    *,
    trials: int,
    updates: int,
) -> Attacked:
    """Run all trials of some attacks on every seed of the stage's model, with the options of `fool_fgn`.

    trials: for each target class; updates: at most so many. On ranks but 0 the result is empty.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings, engine = stage.params(f"fool_fgn.{dataset}"), stage.params(f"engine.{dataset}")
    confidence = stage.params(f"confidence.{dataset}")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
    classes = len(data.load(dataset).classes)
    every = [(target, trial) for target in range(classes) for trial in range(trials)]
    blocks = [every[i : i + settings.block] for i in range(0, len(every), settings.block)]
    work = [(seed, attack, block) for seed in outputs["seeds"].tolist() for attack in attacks for block in blocks]

    def run_block(i: int, run: Any) -> dict[str, np.ndarray]:
        seed, attack, block = work[i]
        network, _ = registry.load(weights_path(dataset, model, seed))
        network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        options = {name: getattr(settings, name) for name in ("learning_rate", "optimizer", "input", "initial")}
        options |= attack.options
        z, a = start(
            [generator(dataset, seed, "fgn", target, trial) for target, trial in block],
            options["input"],
            initial=options["initial"],
        )
        module = FoolingGenerator(
            network,
            z.to(stage.device),
            a.to(stage.device),
            torch.tensor([target for target, _ in block], device=stage.device),
            thresholds=attack.judged(pairs),
            beta=confidence.beta,
            probes=engine.probes,
            learning_rate=options["learning_rate"],
            optimizer=options["optimizer"],
            alpha=attack.alpha,
            clip=options.get("clip"),
        )
        passage = module.run(stage.trainer(epochs=1), updates)
        return {name: t.numpy() for name, t in vars(passage).items()}

    names = [f"seed{seed}-{attack.objective}-{i}" for i, (seed, attack, _) in enumerate(work)]
    found = stage.members(names, run_block)
    if stage.rank != 0:
        return Attacked(pd.DataFrame(), {}, {}, {}, pairs)
    table, images = fool_fgn_summary.gather(work, found, pairs)
    hits = fool_fgn_summary.successes(table, pairs)
    judge = {"beta": confidence.beta, "probes": engine.probes, "device": stage.device}
    successes, hits["score_in_8_bits"] = pictures.successes(
        images[hits["trial"], hits["pair"]], hits, dataset=dataset, model=model, **judge
    )
    for i, pair in enumerate(pairs):
        mine = hits[hits["pair"] == i].set_index("trial")["score_in_8_bits"]
        table[fool_fgn_summary.column(pair, "score_in_8_bits")] = mine.reindex(table.index)
    _, metadata = registry.load(weights_path(dataset, model, 0))
    budget = metadata["budget"] | {
        f"{stage.name}.{dataset}.trials": trials,
        f"{stage.name}.{dataset}.updates": updates,
    }
    examples = fool_fgn_summary.examples(table, images, pairs, classes, confidence.beta)
    return Attacked(table, budget, examples, successes, pairs)
