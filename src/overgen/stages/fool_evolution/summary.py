"""From the runs of an evolution to a cell: median confidences, a row for each run and class, champions to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.attacks.attacked import Arrays, Block
from overgen.attacks.evolution import TARGET, Result, first_generation
from overgen.measures.intervals import median_interval
from overgen.run import results

# metric rows, tables by name, examples
Parts = tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]


def attacked_score(alpha: float, pixels: int) -> str:
    """What the confidences of a cell are, in words. alpha: 0 where the network has no c̃; pixels: D of its images."""
    if not alpha:
        return "of y"
    radius = -pixels / alpha * np.log(TARGET)
    return f"of ỹ at α = {alpha:g}, which is {TARGET} only where ‖r(x) − x‖₂ < {radius:.2g}"


def cell_of(blocks: Sequence[Block], evolved: Sequence[Arrays], settings: Any, note: str) -> Parts:
    """The cell's metric rows, its tables "trials" and "generations", and examples, one encoding after another.

    blocks: their attack is the encoding, their trials are the numbers of runs. evolved: the arrays of each block's
    `Result`. settings: of fool_evolution. note: of the rows.
    """
    parts = []
    for encoding in settings.encodings:
        own = [i for i, block in enumerate(blocks) if block.attack == encoding]
        parts.append(
            cell_tables(
                [(blocks[i].seed, blocks[i].trials) for i in own],
                [Result(**evolved[i]) for i in own],
                encoding=encoding,
                generations=settings.generations,
                stored_generations=settings.stored_generations,
                note=note,
            )
        )
    rows, tables, examples = zip(*parts, strict=True)
    return (
        [row for part in rows for row in part],
        {name: pd.concat([part[name] for part in tables], ignore_index=True) for name in tables[0]},
        {name: np.concatenate([part[name] for part in examples]) for name in examples[0]}
        | pictures.columns(evolved[0]["kept"].tolist()),
    )


class Runs(NamedTuple):
    """R runs of one encoding. An ended run counts with its last confidence from there on.

    seeds, numbers: (R,), of the network and of the run; confidence: (G+1, R, C), fractions; ended: (R,) generations.
    """

    seeds: np.ndarray
    numbers: np.ndarray
    confidence: np.ndarray
    ended: np.ndarray


def runs_of(work: Sequence[tuple[int, Sequence[int]]], evolved: Sequence[Result]) -> Runs:
    """The runs of several results as one. work: for each result the network's seed and the numbers of its runs."""
    last = max(len(result.confidence) for result in evolved) - 1
    padding = [last + 1 - len(result.confidence) for result in evolved]
    padded = [np.pad(r.confidence, ((0, p), (0, 0), (0, 0)), "edge") for r, p in zip(evolved, padding, strict=True)]
    return Runs(
        seeds=np.concatenate([np.full(len(numbers), seed) for seed, numbers in work]),
        numbers=np.concatenate([np.asarray(numbers) for _, numbers in work]),
        confidence=np.concatenate(padded, axis=1),
        ended=np.concatenate([result.ended for result in evolved]),
    )


def cell_tables(
    work: Sequence[tuple[int, Sequence[int]]],
    evolved: Sequence[Result],
    *,
    encoding: str,
    generations: int,
    stored_generations: Sequence[int],
    note: str = "",
) -> Parts:
    """An encoding's part of the cell: metric rows, the tables "trials" and "generations", and examples.

    work: see `runs_of`; the first result has run 0 of the first seed. generations: the budget. stored_generations:
    those with a row for the median confidence. Confidences in the tables and examples are fractions, in the rows
    percent.
    """
    runs = runs_of(work, evolved)
    reached = first_generation(runs.confidence)  # (R, C)
    classes = reached.shape[1]
    first = pd.Series(reached.ravel(), dtype="Int64")
    columns = {
        "encoding": encoding,
        "seed": runs.seeds.repeat(classes),
        "run": runs.numbers.repeat(classes),
        "target": np.tile(np.arange(classes), len(runs.seeds)),
        "confidence": runs.confidence[-1].ravel(),
        f"generations_to_{TARGET}": first.mask(first < 0),
    }
    by_seed = [quantiles(runs, seed, encoding) for seed in dict.fromkeys(runs.seeds.tolist())]
    tables = {"trials": pd.DataFrame(columns), "generations": pd.concat(by_seed, ignore_index=True)}
    stored = evolved[0].stored
    examples = {
        "encoding": np.full(len(stored), encoding),
        "generation": stored,
        "image": evolved[0].images,
        "confidence": np.ascontiguousarray(evolved[0].confidence[stored, 0][:, evolved[0].kept]),  # npz keeps the order
    }
    return metric_rows(runs, reached, encoding, generations, stored_generations, note), tables, examples


def quantiles(runs: Runs, seed: int, encoding: str) -> pd.DataFrame:
    """A row a generation: quantiles of the confidences over the runs and classes of one seed."""
    own = runs.seeds == seed
    values = runs.confidence[: runs.ended[own].max() + 1, own]
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=(1, 2))
    columns = {"median": median, "q25": low, "q75": high, "min": values.min(axis=(1, 2))}
    columns = {name: column.astype(np.float32) for name, column in columns.items()}  # of float32 images' scores
    return pd.DataFrame({"encoding": encoding, "generation": np.arange(len(values)), "seed": seed} | columns)


def hits_of(trials: pd.DataFrame, pair: tuple[float, float]) -> pd.DataFrame:
    """The last champions that fool at a (τ, α): trial (the row of the table "trials"), seed, target, tau, alpha."""
    tau, alpha = pair
    hits = trials.loc[trials["confidence"] > tau, ["seed", "target"]]
    return hits.rename_axis("trial").reset_index().assign(tau=tau, alpha=alpha)


def fooling_rows(trials: pd.DataFrame, tau: float, kept: Sequence[int]) -> list[dict[str, Any]]:
    """How many of each encoding's last champions fool at τ; and as pictures of 8 bits, of those that are kept.

    trials: the table, with score_in_8_bits where a kept champion fools. kept: the classes whose champions are.
    """
    rows = []
    for encoding, whole in trials.groupby("encoding", sort=False):
        pictured = whole[whole["target"].isin(kept)]
        for metric, score, own in (
            ("fooling_rate", "confidence", whole),
            ("fooling_rate_in_8_bits", "score_in_8_bits", pictured),
        ):
            hits = [int(count) for count in (own[score] > tau).groupby(own["seed"]).sum()]
            n, experiment = len(own) // len(hits), f"evolution_{encoding}"
            rows.append(results.rate_row(experiment, metric, hits, n, of="champions of a class and run", tau=tau))
    return rows


def metric_rows(
    runs: Runs, reached: np.ndarray, encoding: str, generations: int, stored_generations: Sequence[int], note: str
) -> list[dict[str, Any]]:
    """Median confidence at each stored generation, and the median generation at which 0.9999 was reached.

    reached: (R, C), −1 where never. Medians are over runs and classes.
    """
    seeds = len(set(runs.seeds.tolist()))
    # what is drawn as a whole for the interval: it shares a network
    groups, units = (runs.seeds, "seeds") if seeds > 1 else (np.arange(len(runs.seeds)), "runs")

    def line(metric: str, values: np.ndarray, unit: str, remark: str) -> dict[str, Any]:
        median = float(np.median(values))
        interval = median_interval(values, groups)
        if interval is not None and not np.isfinite(interval).all():
            interval = None
            remark += "; the interval has no upper end" if np.isfinite(median) else ""
        return results.row(
            f"evolution_{encoding}",
            metric,
            median if np.isfinite(median) else None,
            unit=unit,
            n=reached.size,
            interval=interval,
            kind=f"95 % percentile bootstrap of the median over {len(set(groups.tolist()))} {units}",
            note="; ".join(part for part in (note, remark) if part),
        )

    rows, last = [], len(runs.confidence) - 1
    for generation in sorted({g for g in stored_generations if g <= generations}):
        ended = int((runs.ended < generation).sum())
        remark = (
            f"{ended} of {len(runs.ended)} runs ended earlier, with every class at {TARGET} or more, and count with "
            "their last confidence: a champion can only be replaced by a better one"
        )
        values = 100 * runs.confidence[min(generation, last)].astype(np.float64)
        rows.append(line(f"median_confidence@generation={generation}", values, "percent", remark if ended else ""))
    never = int((reached < 0).sum())
    remark = f"{never} of {reached.size} never reached it" if never else ""
    if 2 * never >= reached.size:
        remark += ", so there is no median"
    values = np.where(reached < 0, np.inf, reached)
    return [*rows, line(f"generations_to_{TARGET}", values, "generations", remark)]
