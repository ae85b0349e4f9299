"""Fool a network with evolved images: MAP-Elites, direct encoding, on the scaled output ỹ (which is y where c̃ = 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen import cells, data, networks, runtime
from overgen.artifacts import read_npz
from overgen.attacks.evolution import Result, evolve
from overgen.attacks.evolution_summary import attacked_score, cell_tables
from overgen.confidence import ScaledOutput


def main(dataset: str, model: str) -> None:
    """Write the cell: median confidence over generations, a row for each run and class, champions of run 0."""
    with runtime.stage("fool_evolution", dataset=dataset, model=model) as stage:
        settings, engine = stage.params(f"fool_evolution.{dataset}"), stage.params(f"engine.{dataset}")
        beta = stage.params(f"confidence.{dataset}").beta
        outputs = read_npz(networks.weights_path(dataset, model, 0).parent / "members" / "outputs.npz")
        classes = len(data.load(dataset).classes)
        together = max(1, engine.chunk // settings.population)  # runs of which a generation fits into one chunk
        starts = range(0, settings.runs, together)
        blocks = [list(range(start, min(start + together, settings.runs))) for start in starts]
        work = [(seed, block) for seed in outputs["seeds"].tolist() for block in blocks]

        def attack(i: int, run: Any) -> dict[str, np.ndarray]:
            seed, block = work[i]
            network, _ = networks.load(networks.weights_path(dataset, model, seed))
            network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            result = evolve(
                ScaledOutput(network, alpha=settings.alpha, beta=beta, probes=engine.probes),
                [runtime.generator(dataset, seed, "evolution", r, device=stage.device) for r in block],
                stage.trainer(epochs=1),
                generations=settings.generations,
                classes=classes,
                population=settings.population,
                mutation_rate=settings.mutation_rate,
                mutation_eta=settings.mutation_eta,
                crossover_rate=settings.crossover_rate,
                crossover_eta=settings.crossover_eta,
                stored_generations=settings.stored_generations,
                stop_when_reached=settings.stop_when_reached,
                batch_size=engine.chunk,
                first_run=block[0],
            )
            return vars(result)

        found = stage.members([f"seed{seed}-run{block[0]}" for seed, block in work], attack)
        if stage.rank != 0:
            return
        _, metadata = networks.load(networks.weights_path(dataset, model, 0))
        budget = metadata["budget"] | {
            f"fool_evolution.{dataset}.runs": settings.runs,
            f"fool_evolution.{dataset}.generations": settings.generations,
        }
        rows, tables, examples = cell_tables(
            work,
            [Result(**arrays) for arrays in found],
            generations=settings.generations,
            stored_generations=settings.stored_generations,
            note=attacked_score(settings.alpha if "distance" in outputs else 0.0),
        )
        cells.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples)


if __name__ == "__main__":
    runtime.command(main)
