"""Fool a network with evolved images: MAP-Elites on the scaled output ỹ (which is y where c̃ = 1), in both encodings.

    python -m overgen.run fool_evolution --dataset mnist --model cnn

Reads the model's trained networks. Writes the cell: median confidence over generations, a row for each run and class,
the champions of run 0, and every last champion that fools.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from overgen.attacks.attacked import Arrays, Attacked, Block, in_blocks
from overgen.attacks.encodings import encoding_of
from overgen.attacks.evolution import evolve
from overgen.confidence import ScaledOutput
from overgen.measures.outputs import TOGETHER
from overgen.measures.thresholds import pair_at
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_evolution import summary

CPU_BATCH = 100  # images scored together on a CPU, at most: 1.28 times as many a second as 400 (a dAE, one core, AVX2)

MANY_GENES = 2**26  # of all classes' champions (256 MB in float32): beyond, the direct encoding holds them in 8 bits


def main(stage: Stage) -> None:
    """Write the cell. successes.npz holds the last champion of every run, class and encoding that fools.

    Every class has its champion, but only of so many classes as the section says it is kept as an image.
    """
    attacked = Attacked(stage)
    settings = stage.params(f"fool_evolution.{attacked.dataset}")
    pixels, kept = math.prod(attacked.shape), attacked.targets(settings.classes)
    # runs of which a generation fits into one chunk, and into memory
    together = max(1, min(attacked.chunk // settings.population, TOGETHER // (settings.population * pixels)))
    blocks = [
        Block(f"{encoding}-seed{seed}-run{runs[0]}", seed, encoding, runs)
        for encoding in settings.encodings
        for seed in attacked.seeds
        for runs in in_blocks(range(settings.runs), together)
    ]
    evolved = attacked.run(blocks, partial(attack, attacked, settings))
    if stage.rank != 0:
        return
    note = summary.attacked_score(settings.alpha if attacked.reconstructs else 0.0, pixels)
    rows, tables, examples = summary.cell_of(blocks, evolved, settings, note)
    trials, pair = tables["trials"], pair_at(attacked.thresholds, settings.alpha)
    champions = np.concatenate([result["champions"] for result in evolved])  # (runs, kept classes, D)
    hits = summary.hits_of(trials, pair)
    hits = hits[hits["target"].isin(kept)].reset_index(drop=True)
    runs, places = hits["trial"] // attacked.classes, [kept.index(target) for target in hits["target"]]
    successes, hits = attacked.successes(champions[runs, places], hits)
    for scores in ("score_in_8_bits", "score_in_16_bits"):
        trials[scores] = pd.Series(hits[scores].to_numpy(), index=hits["trial"]).reindex(trials.index)
    attacked.write(
        rows + summary.fooling_rows(trials, pair[0], kept),
        spent={"runs": settings.runs, "generations": settings.generations},
        tables=tables,
        examples=attacked.shown(examples, np.full(len(examples["generation"]), pair[1]), "confidence"),
        successes=successes,
    )


def attack(attacked: Attacked, settings: Any, network: nn.Module, block: Block) -> Arrays:
    """Evolve images against a network: the arrays of `evolution.Result`. block: its attack is the encoding, its trials
    are the numbers of its runs."""
    device, pixels = attacked.stage.device, math.prod(attacked.shape)
    together = attacked.chunk if device.type == "cuda" else min(attacked.chunk, CPU_BATCH, TOGETHER // pixels)
    draws = [
        generator(attacked.dataset, block.seed, "evolution", block.attack, run, device=device) for run in block.trials
    ]
    result = evolve(
        ScaledOutput(network, alpha=settings.alpha, beta=attacked.beta, probes=attacked.probes),
        draws,
        attacked.stage.trainer(epochs=1),
        generations=settings.generations,
        shape=attacked.shape,
        encoding=encoding_of(block.attack, settings, in_8_bits=attacked.classes * pixels > MANY_GENES),
        classes=attacked.classes,
        kept=attacked.targets(settings.classes),
        population=settings.population,
        stored_generations=settings.stored_generations,
        stop_when_reached=settings.stop_when_reached,
        batch_size=max(1, together),
        first_run=block.trials[0],
    )
    return vars(result)
