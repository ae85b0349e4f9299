"""What `explore_curve` makes of its networks: the tables and rows of its cell, and what its figures show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from overgen.measures.intervals import mean_interval, median_interval, wilson
from overgen.measures.means import mean_row
from overgen.run import results

Arrays = dict[str, np.ndarray]  # what `boundaries.explore` and `negatives.explore` give
KINDS = ("uniform", "near", "worst")  # of points that "other" should take
ONE, OTHER = "curve", "other"  # experiments


def tables(of_boundaries: Mapping[int, Arrays], of_negatives: Mapping[int, Arrays], settings: Any) -> dict[str, Any]:
    """boundaries, a row a dimension and seed; negatives, a row a dimension, number of negatives and seed."""
    lines: list[dict[str, Any]] = []
    for dimension, arrays in of_boundaries.items():
        for seed in range(len(arrays["along"])):
            along, smallest, random = (arrays[name][seed] for name in ("along", "smallest", "random"))
            lines.append(
                {
                    "dimension": dimension,
                    "seed": seed,
                    "accuracy": arrays["accuracy"][seed],
                    "along": np.median(along),
                    "smallest": np.median(smallest),
                    "random": np.median(np.minimum(random, settings.boundaries.limit)),
                    "never": np.isinf(random).mean(),
                    "in_twice": (random <= 2 * smallest[:, None]).mean(),
                    "off_plane": arrays["off_plane"][seed].mean(),
                    "differs_on_curve": differs(arrays["on_curve"])[seed],
                    "differs_in_plane": differs(arrays["in_plane"])[seed],
                }
            )
    counts = settings.negatives.counts
    blind: list[dict[str, Any]] = []
    for dimension, arrays in of_negatives.items():
        for i, count in enumerate(counts):
            for seed in range(arrays["uniform"].shape[1]):
                one = {"dimension": dimension, "negatives": count, "seed": seed}
                one |= {name: arrays[name][i, seed] for name in ("accuracy", *KINDS)}
                for j, distance in enumerate(settings.distances):
                    one[f"off_{distance:g}"] = arrays["off"][i, seed, j] if "off" in arrays else math.nan
                one["worst_off"] = arrays["worst_off"][i, seed] if "worst_off" in arrays else math.nan
                blind.append(one)
    return {"boundaries": pd.DataFrame(lines), "negatives": pd.DataFrame(blind)}


def differs(votes: np.ndarray) -> np.ndarray:
    """With what share of the other networks each disagrees, in the mean over points. votes: (S, N). Returns (S,)."""
    count = len(votes)
    ones = votes.sum(0)
    others = np.where(votes, count - ones, ones)
    return others.mean(1) / (count - 1)


def rows(found: Mapping[str, pd.DataFrame], settings: Any) -> list[dict[str, Any]]:
    """The rows of the cell, from its tables."""
    return [*curve_rows(found["boundaries"], settings), *other_rows(found["negatives"], settings)]


def curve_rows(table: pd.DataFrame, settings: Any) -> list[dict[str, Any]]:
    """How far another class is, by dimension, and how often two networks disagree."""
    numbers: list[dict[str, Any]] = []
    by_dimension: dict[Any, pd.DataFrame] = dict(list(table.groupby("dimension")))
    rays = settings.boundaries.tested * settings.boundaries.directions
    for dimension, own in by_dimension.items():
        at = {"dimension": float(dimension)}
        for name in ("along", "smallest", "random"):
            note = f"cut at {settings.boundaries.limit:g}" if name == "random" else ""
            numbers.append(over_seeds(name, own[name], "length", at, (0, math.inf), note))
        numbers.append(over_seeds("ratio", own["smallest"] / own["along"], "fraction", at, (0, math.inf)))
        for name in ("accuracy", "off_plane"):
            numbers.append(over_seeds(name, 100 * own[name], "percent", at, (0, 100)))
        for name in ("in_twice", "never"):
            numbers.append(shares_row(ONE, name, own[name], at, rays, "directions"))
        for name in ("differs_on_curve", "differs_in_plane"):
            numbers.append(pairs_row(name, own[name].to_numpy(), at))
    least, most = (by_dimension[each]["smallest"].to_numpy() for each in ends(table))
    return [*numbers, geometric("smallest_ratio", most / least, ONE, "fraction")]


def other_rows(table: pd.DataFrame, settings: Any) -> list[dict[str, Any]]:
    """What the whole budget of negatives buys, by dimension, and how much of it is needed."""
    numbers: list[dict[str, Any]] = []
    budget = settings.negatives.counts[-1]
    by_dimension: dict[Any, pd.DataFrame] = dict(list(table.groupby("dimension")))
    for dimension, own in by_dimension.items():
        spent = own[own["negatives"] == budget]
        at = {"dimension": float(dimension)}
        for name in ("accuracy", *KINDS, *(f"off_{d:g}" for d in settings.distances), "worst_off"):
            if spent[name].notna().all():
                metric = "accuracy" if name == "accuracy" else "accepted"
                keys = at if name == "accuracy" else {"kind": name} | at
                numbers.append(shares_row(OTHER, metric, spent[name], keys, settings.negatives.tested, "points"))
        numbers += [needed_row(own, kind, dimension, settings) for kind in KINDS]
    least, most = (needed(by_dimension[each], "uniform", settings) for each in ends(table))
    least, most = (np.where(np.isinf(each), 2.0 * budget, each) for each in (least, most))
    return [*numbers, geometric("needed_ratio", most / least, OTHER, "times")]


def ends(table: pd.DataFrame) -> tuple[int, int]:
    """The least and the most dimensions."""
    return int(table["dimension"].min()), int(table["dimension"].max())


def over_seeds(
    name: str,
    values: pd.Series,
    unit: str,
    at: Mapping[str, Any],
    bounds: tuple[float, float],
    note: str = "",
) -> dict[str, Any]:
    """The mean over seeds of what each network comes to."""
    return mean_row(
        ONE, results.metric(name, **at), values.to_numpy(dtype=np.float64), unit=unit, over="seeds", bounds=bounds,
        note=note,
    )  # fmt: skip


def shares_row(experiment: str, name: str, shares: pd.Series, at: Mapping[str, Any], n: int, of: str) -> dict[str, Any]:
    """The mean over seeds of a share, in percent: where all networks agree, their spread says too little.

    n: what each seed's share is counted over.
    """
    percent = 100 * shares.to_numpy(dtype=np.float64)
    low, high = wilson(round(float(shares.sum()) * n), len(percent) * n)
    ends = [*(mean_interval(percent, bounds=(0, 100)) or ()), 100 * low, 100 * high]
    return results.row(
        experiment, results.metric(name, **at), float(percent.mean()), unit="percent", n=len(percent),
        interval=(min(ends), max(ends)),
        kind=f"95 % t interval of the mean over seeds, no narrower than Wilson over all {of}",
    )  # fmt: skip


def pairs_row(name: str, values: np.ndarray, at: Mapping[str, Any]) -> dict[str, Any]:
    """How often two networks disagree. values: (S,), each network's disagreement with the others.

    Pairs share networks: the variance of the mean over pairs is four times that of the mean over networks as long as
    these are many (Hoeffding 1948).
    """
    count, mean = len(values), 100 * float(values.mean())
    half = 2 * 100 * float(values.std(ddof=1)) / math.sqrt(count) * float(special.stdtrit(count - 1, 0.975))
    return results.row(
        ONE, results.metric(name, **at), mean, unit="percent", n=count * (count - 1) // 2,
        interval=(max(mean - half, 0.0), min(mean + half, 100.0)),
        kind=f"95 % t interval of the mean over pairs of {count} seeds",
    )  # fmt: skip


def geometric(name: str, ratios: np.ndarray, experiment: str, unit: str) -> dict[str, Any]:
    """The geometric mean over seeds of a ratio of the most dimensions to the least."""
    logs = np.log(ratios)
    interval = mean_interval(logs)
    return results.row(
        experiment, name, math.exp(logs.mean()), unit=unit, n=len(logs),
        interval=interval and (math.exp(interval[0]), math.exp(interval[1])),
        kind="95 % t interval of the geometric mean over seeds",
    )  # fmt: skip


def needed(own: pd.DataFrame, kind: str, settings: Any) -> np.ndarray:
    """Of each seed the least number of negatives from which on enough points of a kind are rejected: (S,).

    Infinite where the whole budget does not do. own: the rows of `negatives` of one dimension.
    """
    shares = own.pivot(index="negatives", columns="seed", values=kind).sort_index()
    enough = (100 * (1 - shares) >= settings.rejected).to_numpy()
    from_on = np.flip(np.logical_and.accumulate(np.flip(enough, 0)), 0)
    counts = shares.index.to_numpy(dtype=np.float64)
    return np.where(from_on.any(0), counts[from_on.argmax(0)], np.inf)


def needed_row(own: pd.DataFrame, kind: str, dimension: Any, settings: Any) -> dict[str, Any]:
    """The median over seeds of `needed`, in percent of the budget; none where half of them never reject enough."""
    values = needed(own, kind, settings)
    share = 100 * values / settings.negatives.counts[-1]
    median = float(np.quantile(share, 0.5, method="inverted_cdf"))
    interval: Sequence[float] | None = median_interval(share[:, None], np.arange(len(share)))
    never = int(np.isinf(share).sum())
    finite = None if interval is None or math.isinf(interval[0]) else tuple(
        None if math.isinf(end) else end for end in interval
    )  # fmt: skip
    return results.row(
        OTHER, results.metric("needed", kind=kind, dimension=float(dimension)), None if math.isinf(median) else median,
        unit="percent", n=len(share), interval=finite,  # type: ignore[arg-type]  # open above
        kind="95 % percentile bootstrap of the median over seeds",
        note=f"the whole budget is too small for {never} of {len(share)} seeds" if never else "",
    )  # fmt: skip


def shown(of_boundaries: Mapping[int, Arrays]) -> Arrays:
    """What the figures of the plane show: map (2, S, G, G) of the least and the most dimensions; of the first network
    of the least, start and end (T, 2) of its smallest changes."""
    plane, space = (of_boundaries[each] for each in (min(of_boundaries), max(of_boundaries)))
    return {
        "map": np.stack([plane["map"], space["map"]]),
        "start": plane["start"][0],
        "end": plane["end"][0],
    }
