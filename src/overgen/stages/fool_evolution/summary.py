"""From the runs of an evolution to a cell: median confidences, a row for each run and class, champions to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.attacks.evolution import TARGET, Result, first_generation
from overgen.models import PIXELS
from overgen.run import results

# metric rows, tables by name, examples
Parts = tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]


def attacked_score(alpha: float) -> str:
    """What the confidences of a cell are, in words. alpha: 0 where the network has no c̃."""
    if not alpha:
        return "of y"
    radius = -PIXELS / alpha * np.log(TARGET)
    return f"of ỹ at α = {alpha:g}, which is {TARGET} only where ‖r(x) − x‖₂ < {radius:.2g}"


def cell_tables(
    work: Sequence[tuple[int, Sequence[int]]],
    results: Sequence[Result],
    *,
    encoding: str,
    generations: int,
    stored_generations: Sequence[int],
    note: str = "",
) -> Parts:
    """An encoding's part of the cell: metric rows, the tables "trials" and "generations", and examples.

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
    rows = metric_rows(confidence, reached, ended, seeds, encoding, generations, stored_generations, note)
    stored = results[0].stored
    tables = {"trials": trials, "generations": by_seed}
    for found in tables.values():
        found.insert(0, "encoding", encoding)
    examples = {
        "encoding": np.full(len(stored), encoding),
        "generation": stored,
        "image": results[0].images,
        "confidence": results[0].confidence[stored, 0],
    }
    return rows, tables, examples


def joined(parts: Sequence[Parts]) -> Parts:
    """The parts of several encodings as one."""
    rows, tables, examples = zip(*parts, strict=True)
    return (
        [row for part in rows for row in part],
        {name: pd.concat([part[name] for part in tables], ignore_index=True) for name in tables[0]},
        {name: np.concatenate([part[name] for part in examples]) for name in examples[0]},
    )


def successes(trials: pd.DataFrame, pair: tuple[float, float]) -> pd.DataFrame:
    """The last champions that fool at a (τ, α): trial (the row of the table "trials"), seed, target, tau, alpha."""
    tau, alpha = pair
    hits = trials.loc[trials["confidence"] > tau, ["seed", "target"]]
    return hits.rename_axis("trial").reset_index().assign(tau=tau, alpha=alpha)


def fooling_rows(trials: pd.DataFrame, tau: float) -> list[dict[str, Any]]:
    """How many of each encoding's last champions fool at τ, and how many of them as a picture of 8 bits.

    trials: the table, with score_in_8_bits where a champion fools.
    """
    rows = []
    for encoding, mine in trials.groupby("encoding", sort=False):
        for metric, score in (("fooling_rate", "confidence"), ("fooling_rate_in_8_bits", "score_in_8_bits")):
            hits = [int(k) for k in (mine[score] > tau).groupby(mine["seed"]).sum()]
            n, experiment = len(mine) // len(hits), f"evolution_{encoding}"
            rows.append(results.rate_row(experiment, metric, hits, n, of="champions of a class and run", tau=tau))
    return rows


def metric_rows(
    confidence: np.ndarray,
    reached: np.ndarray,
    ended: np.ndarray,
    seeds: np.ndarray,
    encoding: str,
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
            interval = None
            remark += "; the interval has no upper end" if np.isfinite(median) else ""
        value = median if np.isfinite(median) else None
        remark = "; ".join(part for part in (note, remark) if part)
        return results.row(
            f"evolution_{encoding}", metric, value, unit=unit, n=n, interval=interval, kind=kind, note=remark
        )

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
