"""Fool a network with evolved images: MAP-Elites on the scaled output ỹ (which is y where c̃ = 1), in both encodings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen import data
from overgen.attacks import pictures
from overgen.attacks.encodings import encoding_of
from overgen.attacks.evolution import Result, evolve
from overgen.confidence import ScaledOutput
from overgen.measures.thresholds import pair_at
from overgen.models import PIXELS, registry
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_evolution.summary import attacked_score, cell_tables, fooling_rows, joined, successes

CPU_BATCH = 100  # images scored together on a CPU, at most: 1.28 times as many a second as 400 (a dAE, one core, AVX2)


def main(stage: Stage) -> None:
    """Write the cell: median confidence over generations, a row for each run and class, champions of run 0.

    successes.npz holds the last champion of every run, class and encoding that fooled, in the form of `fool_fgn`'s.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings, engine = stage.params(f"fool_evolution.{dataset}"), stage.params(f"engine.{dataset}")
    beta = stage.params(f"confidence.{dataset}").beta
    outputs = read_npz(weights_path(dataset, model, 0).parent / "members" / "outputs.npz")
    classes = len(data.load(dataset).classes)
    batch_size = engine.chunk if stage.device.type == "cuda" else min(engine.chunk, CPU_BATCH)
    together = max(1, engine.chunk // settings.population)  # runs of which a generation fits into one chunk
    starts = range(0, settings.runs, together)
    blocks = [list(range(start, min(start + together, settings.runs))) for start in starts]
    seeds = outputs["seeds"].tolist()
    work = [(encoding, seed, block) for encoding in settings.encodings for seed in seeds for block in blocks]

    def attack(i: int, run: Any) -> dict[str, np.ndarray]:
        encoding, seed, block = work[i]
        network, _ = registry.load(weights_path(dataset, model, seed))
        network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        result = evolve(
            ScaledOutput(network, alpha=settings.alpha, beta=beta, probes=engine.probes),
            [generator(dataset, seed, "evolution", encoding, r, device=stage.device) for r in block],
            stage.trainer(epochs=1),
            generations=settings.generations,
            encoding=encoding_of(encoding, settings),
            classes=classes,
            population=settings.population,
            stored_generations=settings.stored_generations,
            stop_when_reached=settings.stop_when_reached,
            batch_size=batch_size,
            first_run=block[0],
        )
        return vars(result)

    found = stage.members([f"{encoding}-seed{seed}-run{block[0]}" for encoding, seed, block in work], attack)
    if stage.rank != 0:
        return
    _, metadata = registry.load(weights_path(dataset, model, 0))
    budget = metadata["budget"] | {
        f"fool_evolution.{dataset}.runs": settings.runs,
        f"fool_evolution.{dataset}.generations": settings.generations,
    }
    note = attacked_score(settings.alpha if "distance" in outputs else 0.0)
    parts = []
    for encoding in settings.encodings:
        mine = [i for i, (of, *_) in enumerate(work) if of == encoding]
        parts.append(
            cell_tables(
                [work[i][1:] for i in mine],
                [Result(**found[i]) for i in mine],
                encoding=encoding,
                generations=settings.generations,
                stored_generations=settings.stored_generations,
                note=note,
            )
        )
    rows, tables, examples = joined(parts)
    trials = tables["trials"]
    champions = np.concatenate([result["champions"].reshape(-1, PIXELS) for result in found])
    pair = pair_at(stage.params(f"confidence.{dataset}").thresholds, settings.alpha)
    hits = successes(trials, pair)
    judge = {"beta": beta, "probes": engine.probes, "device": stage.device}
    saved, in_8_bits = pictures.successes(champions[hits["trial"]], hits, dataset=dataset, model=model, **judge)
    trials["score_in_8_bits"] = pd.Series(in_8_bits, index=hits["trial"]).reindex(trials.index)
    rows += fooling_rows(trials, pair[0])
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples, successes=saved)
