"""From the smallest changes of a model's images to the cell: how large they are, the table of images, what is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen import data
from overgen.attacks.attacked import Arrays, Block
from overgen.measures.intervals import Interval, interval_over_groups
from overgen.run import results

SHOWN = 10  # images that the cell's examples hold
RESAMPLES = 2000  # of the classes, for the interval of the median
NONE_RIGHT = "not testable: the network labels no test image right"
COLUMNS = {
    "index": "int64", "label": "int64", "target": "int64", "c": "float64", "fooled": "bool", "change": "float64",
    "score": "float64", "score_in_16_bits": "float64", "seen_in_8_bits": "Int64",
}  # fmt: skip
L2, RMS = "L2, pixels in [0,1]", "rms pixel in [0,1]"
UNITS = {  # the numbers of a cell
    "percent": ("fooling_rate", "fooling_rate_over_classes", "fooling_rate_in_8_bits"),
    L2: ("median_smallest_change", "mean_smallest_change"),
    RMS: ("median_distortion", "mean_distortion"),
}


def gather(
    blocks: Sequence[Block], outcomes: Sequence[Arrays], shape: Sequence[int]
) -> tuple[pd.DataFrame, np.ndarray]:
    """All images as one table, a row each, and the changed images (N, C, H, W); N = 0 of no blocks.

    outcomes: of the stage's `attack`; shape: (C, H, W). label: what the network sees unchanged; change: ‖r‖₂, NaN
    where nothing succeeded, as are the columns after it.
    """
    if not blocks:
        types = {"seed": "int64"} | COLUMNS
        return pd.DataFrame(columns=list(types)).astype(types), np.empty((0, *shape), np.float32)
    parts = [
        pd.DataFrame({"seed": block.seed} | {name: outcome[name] for name in COLUMNS})
        for block, outcome in zip(blocks, outcomes, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    failed = ~table["fooled"]
    table["seen_in_8_bits"] = table["seen_in_8_bits"].astype("Int64").mask(failed)
    for name in ("change", "score", "score_in_16_bits"):
        table[name] = table[name].mask(failed)
    return table, np.concatenate([outcome["image"] for outcome in outcomes])


def rows(table: pd.DataFrame, size: int) -> list[dict[str, Any]]:
    """The numbers of the cell. size: C·H·W of an image, m of the distortion √(Σr²/m)."""
    if table.empty:
        return [
            results.row("smallest", name, None, unit=unit, n=0, note=NONE_RIGHT)
            for unit, names in UNITS.items() for name in names
        ]  # fmt: skip
    hits, in_8_bits = table["fooled"], table["seen_in_8_bits"].eq(table["target"]).fillna(False).astype(bool)
    by_seed = table["seed"]
    rows = [
        rate("fooling_rate", hits, by_seed),
        results.over_classes_row("smallest", "fooling_rate_over_classes", hits, table["label"]),
        rate("fooling_rate_in_8_bits", in_8_bits, by_seed),
    ]
    changes = table["change"].to_numpy(np.float64)
    for name, values, measure in (("smallest_change", changes, L2), ("distortion", changes / size**0.5, RMS)):
        rows += [median_row(f"median_{name}", values, table["label"], measure),
                 mean_row(f"mean_{name}", values, table["label"], measure)]  # fmt: skip
    return rows


def rate(metric: str, hits: pd.Series, seeds: pd.Series) -> dict[str, Any]:
    """The share of images that did, of every seed's network."""
    by_seed = [int(count) for count in hits.groupby(seeds).sum()]
    if seeds.value_counts().nunique() == 1:
        return results.rate_row("smallest", metric, by_seed, len(hits) // len(by_seed), of="images")
    return results.rate_row("smallest", metric, [sum(by_seed)], len(hits), of="images of all seeds together")


def median_row(metric: str, values: np.ndarray, groups: pd.Series, unit: str) -> dict[str, Any]:
    """The median over all images, one that could not be changed being farther than any other.

    values: NaN where nothing succeeded. There is no median where that is half of the images or more, and its interval
    is open above where so many resamples have none.
    """
    far = np.where(np.isnan(values), np.inf, values)
    median = float(np.quantile(far, 0.5, method="inverted_cdf"))
    interval = resampled_median(far, groups.to_numpy()) if math.isfinite(median) else None
    closed = interval is not None and math.isfinite(interval[1])
    return results.row(
        "smallest",
        metric,
        median if math.isfinite(median) else None,
        unit=unit,
        n=len(values),
        interval=interval if closed else None,
        kind=f"95 % bootstrap over {groups.nunique()} classes",
        note="" if math.isfinite(median) else "half of the images or more could not be changed",
    )


def resampled_median(values: np.ndarray, groups: np.ndarray) -> Interval | None:
    """95 % percentile bootstrap of a median, whole groups being drawn; None for one group."""
    names = np.unique(groups)
    if len(names) < 2:
        return None
    blocks = [values[groups == name] for name in names]
    draws = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
    medians = [
        np.quantile(np.concatenate([blocks[g] for g in draw]), 0.5, method="inverted_cdf") for draw in draws.tolist()
    ]
    low, high = np.quantile(medians, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def mean_row(metric: str, values: np.ndarray, groups: pd.Series, unit: str) -> dict[str, Any]:
    """The mean over images that could be changed, as the paper gives it, with an interval over classes."""
    there = ~np.isnan(values)
    found, classes = values[there], groups.to_numpy()[there]
    count = len(np.unique(classes))
    interval = interval_over_groups(found, classes) if count > 1 else None
    return results.row(
        "smallest",
        metric,
        float(found.mean()) if len(found) else None,
        unit=unit,
        n=len(found),
        interval=interval and (max(interval[0], 0.0), interval[1]),
        kind=f"95 % t interval of the mean over images, drawn by class: {count} classes",
        note="" if len(found) else "no image could be changed",
    )


def examples(table: pd.DataFrame, images: np.ndarray, originals: Tensor) -> Arrays:
    """The first images of the first seed, E of them: image, original (uint8), label, target, change and fooled.

    images: (N, C, H, W), changed; originals: of the test set, uint8.
    """
    first = table[table["seed"].isin(table["seed"][:1])].index[:SHOWN]
    shown = table.loc[first]
    return {
        "image": data.pictures(torch.from_numpy(images[first])),
        "original": data.pictures(originals[shown["index"].tolist()]),
        **{name: shown[name].to_numpy() for name in ("label", "target", "change", "fooled")},
    }


def successes(table: pd.DataFrame, images: np.ndarray) -> Arrays:
    """Every image that is seen as its target: trial (K,), its row of the table, and image (K, H, W[, 3]) uint16."""
    hits = np.flatnonzero(table["fooled"])
    pixels = data.pictures(torch.from_numpy(images[hits])).astype(np.float64)
    return {"trial": hits, "image": np.rint(pixels * 65535).astype(np.uint16)}
