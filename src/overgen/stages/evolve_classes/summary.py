"""What `evolve_classes` makes of its evolutions: the rows of its cell, tables, and champions to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import median_interval
from overgen.run import results

Blocks = Mapping[str, Sequence[dict[str, np.ndarray]]]  # by encoding, what `run.evolve` gives of each block
QUANTILES = {"d10": 0.1, "q25": 0.25, "median": 0.5, "q75": 0.75, "d90": 0.9}
TAU = 0.99  # above which a champion counts as fooling


def confidence(blocks: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    """Of the champions of all classes after each generation, (G+1, K)."""
    return np.concatenate([arrays["confidence"] for arrays in blocks]).astype(np.float64)


def tables(by_encoding: Blocks, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """A row a generation with quantiles over the classes, and a row a class with its last champion's confidence."""
    curves, last = [], []
    for encoding, blocks in by_encoding.items():
        values = confidence(blocks)
        columns = {name: np.quantile(values, q, axis=1).astype(np.float32) for name, q in QUANTILES.items()}
        curves.append(pd.DataFrame({"encoding": encoding, "generation": np.arange(len(values))} | columns))
        last.append(
            pd.DataFrame({"encoding": encoding, "target": np.arange(len(names)), "class": names,
                          "confidence": values[-1].astype(np.float32)})
        )  # fmt: skip
    return {"generations": pd.concat(curves), "classes": pd.concat(last)}


def rows(by_encoding: Blocks, settings: Any) -> list[dict[str, Any]]:
    """Median confidence over the classes at the stored generations and the last, and how many classes fool."""
    numbers: list[dict[str, Any]] = []
    for encoding, blocks in by_encoding.items():
        values, experiment = confidence(blocks), f"evolution_{encoding}"
        classes = np.arange(values.shape[1])
        for generation in sorted({*settings.stored_generations, len(values) - 1}):
            if generation < len(values):
                of = 100 * values[generation]
                numbers.append(
                    results.row(
                        experiment, f"median_confidence@generation={generation}", float(np.median(of)), unit="percent",
                        n=len(of), interval=median_interval(of[:, None], classes),
                        kind=f"95 % percentile bootstrap of the median over {len(of)} classes of one run",
                        note=beside(encoding, generation, settings),
                    )
                )  # fmt: skip
        hits = int((values[-1] > TAU).sum())
        numbers.append(results.rate_row(experiment, "fooling_rate", [hits], len(classes), of="classes", tau=TAU))
    return numbers


def beside(encoding: str, generation: int, settings: Any) -> str:
    """What was reported, and whether this many generations can say anything of it."""
    theirs = settings.reported.get(encoding)
    if theirs is None:
        return ""
    budget = "" if generation >= theirs.generations else "; cannot tell at this budget"
    return f"reported for AlexNet: {theirs.median_confidence} % after {theirs.generations:,} generations{budget}"


def shown(by_encoding: Blocks, chosen: Sequence[int], names: Sequence[str], settings: Any) -> dict[str, np.ndarray]:
    """The last champions of the first of the classes that were drawn before, one encoding after another.

    encoding, target, class, confidence: (N,); image: (N, H, W, 3) uint8.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for encoding, blocks in by_encoding.items():
        count = min(settings.stored.get(encoding, 0), len(chosen))
        if not count:
            continue
        own = np.array(chosen[:count])
        columns = {
            "encoding": np.full(count, encoding),
            "target": own,
            "class": np.array([names[k] for k in own]),
            "confidence": confidence(blocks)[-1, own].astype(np.float32),
            "image": np.moveaxis(blocks[-1]["picture"][:count], 1, 3),
        }
        for name, values in columns.items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}
