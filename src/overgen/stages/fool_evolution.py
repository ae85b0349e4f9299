"""Fool a network with evolved images: MAP-Elites, direct encoding, on the scaled output ỹ (which is y where c̃ = 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen import cells, data, networks, runtime
from overgen.artifacts import read_npz
from overgen.attacks.evolution import TARGET, Result, evolve, first_generation
from overgen.confidence import ScaledOutput

EXPERIMENT = "evolution_direct"


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


def attacked_score(alpha: float) -> str:
    """What the confidences of a cell are, in words. alpha: 0 where the network has no c̃."""
    if not alpha:
        return "of y"
    radius = -networks.PIXELS / alpha * np.log(TARGET)
    return f"of ỹ at α = {alpha:g}, which is {TARGET} only where ‖r(x) − x‖₂ < {radius:.2g}"


def cell_tables(
    work: Sequence[tuple[int, Sequence[int]]],
    results: Sequence[Result],
    *,
    generations: int,
    stored_generations: Sequence[int],
    note: str = "",
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """The cell's metric rows, its tables "trials" and "generations", and its examples.

    work: for each result the network's seed and the numbers of its runs; the first has run 0 of the first seed.
    generations: the budget. stored_generations: those with a row for the median confidence. Confidences in the tables
    and examples are fractions, in the rows percent. An ended run counts with its last confidence from there on.
    """
    last = max(len(result.confidence) for result in results) - 1
    padding = [last + 1 - len(result.confidence) for result in results]
    padded = [np.pad(r.confidence, ((0, p), (0, 0), (0, 0)), "edge") for r, p in zip(results, padding, strict=True)]
    seeds = np.concatenate([np.full(len(runs), seed) for seed, runs in work])  # (R,), as the next three
    numbers = np.concatenate([np.asarray(runs) for _, runs in work])
    confidence = np.concatenate(padded, axis=1)  # (G+1, R, C)
    ended = np.concatenate([result.ended for result in results])
    reached = first_generation(confidence)  # (R, C)
    classes = confidence.shape[2]

    def table(seed: int) -> pd.DataFrame:
        values = confidence[: ended[seeds == seed].max() + 1, seeds == seed]
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=(1, 2))
        columns = {"median": median, "q25": low, "q75": high, "min": values.min(axis=(1, 2))}
        columns = {name: column.astype(np.float32) for name, column in columns.items()}  # of float32 images' scores
        return pd.DataFrame({"generation": np.arange(len(values)), "seed": seed} | columns)

    first = pd.Series(reached.ravel(), dtype="Int64")
    trials = pd.DataFrame(
        {
            "seed": seeds.repeat(classes),
            "run": numbers.repeat(classes),
            "target": np.tile(np.arange(classes), len(seeds)),
            "confidence": confidence[-1].ravel(),
            f"generations_to_{TARGET}": first.mask(first < 0),
        }
    )
    by_seed = pd.concat([table(seed) for seed in dict.fromkeys(seeds.tolist())], ignore_index=True)
    rows = metric_rows(confidence, reached, ended, seeds, generations, stored_generations, note)
    stored = results[0].stored
    examples = {
        "generation": stored,
        "image": results[0].images,
        "confidence": results[0].confidence[stored, 0],
    }
    return rows, {"trials": trials, "generations": by_seed}, examples


def metric_rows(
    confidence: np.ndarray,
    reached: np.ndarray,
    ended: np.ndarray,
    seeds: np.ndarray,
    generations: int,
    stored_generations: Sequence[int],
    note: str,
) -> list[dict[str, Any]]:
    """Median confidence at each stored generation, and the median generation at which 0.9999 was reached.

    confidence: (G+1, R, C); reached: (R, C), −1 where never; ended, seeds: (R,). Medians are over runs and classes.
    """
    units = "seeds" if len(set(seeds.tolist())) > 1 else "runs"
    groups = seeds if units == "seeds" else np.arange(len(seeds))  # what is drawn as a whole: it shares a network
    kind = f"95 % percentile bootstrap of the median over {len(set(groups.tolist()))} {units}"
    n = reached.size
    last = len(confidence) - 1

    def line(metric: str, values: np.ndarray, unit: str, remark: str) -> dict[str, Any]:
        median = float(np.median(values))
        interval = median_interval(values, groups)
        if interval is not None and not np.isfinite(interval).all():
            interval, remark = None, f"{remark}; the interval has no upper end"
        value = median if np.isfinite(median) else None
        remark = "; ".join(part for part in (note, remark) if part)
        return cells.row(EXPERIMENT, metric, value, unit=unit, n=n, interval=interval, kind=kind, note=remark)

    rows = []
    for generation in sorted({g for g in stored_generations if g <= generations}):
        before = int((ended < generation).sum())
        remark = ""
        if before:
            remark = (
                f"{before} of {len(ended)} runs ended earlier, with every class at {TARGET} or more, and count with "
                "their last confidence: a champion can only be replaced by a better one"
            )
        values = 100 * confidence[min(generation, last)].astype(np.float64)
        rows.append(line(f"median_confidence@generation={generation}", values, "percent", remark))
    never = int((reached < 0).sum())
    remark = f"{never} of {n} never reached it" if never else ""
    if 2 * never >= n:
        remark += ", so there is no median"
    values = np.where(reached < 0, np.inf, reached)
    return [*rows, line(f"generations_to_{TARGET}", values, "generations", remark)]


def median_interval(
    values: np.ndarray, groups: np.ndarray, *, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile bootstrap of the median of all values, drawing whole groups of rows; None for one group.

    values: (R, C), infinite where an event never came; groups: (R,), which rows belong together, of equal sizes.
    """
    names = np.unique(groups)
    if len(names) < 2:
        return None
    blocks = np.stack([values[groups == name].ravel() for name in names])  # (groups, values of each)
    draws = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    medians = np.median(blocks[draws].reshape(resamples, -1), axis=1)
    # a quantile that is one of the medians: interpolating towards infinity gives NaN
    low, high = np.quantile(medians, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


if __name__ == "__main__":
    runtime.command(main)
