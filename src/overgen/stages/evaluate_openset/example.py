"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overgen.run import results
from overgen.run.example import BETA, outputs, pairs_of, reconstructs
from overgen.stages.evaluate_openset import summary

IMAGES, SUBSETS, RESAMPLES = 200, 3, 200


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    known: Sequence[int] = (1, 5, 10),
    longer: int = 0,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Unknown images get unsure answers. longer: epochs of a longer training of the second number of known classes."""
    pairs, outputs_of = pairs_of(path.name), openset_outputs(draw, path.name, known, classes)
    trials = summary.trials(outputs_of, pairs, BETA)
    rows, tables = summary.mean_rows(trials, pairs), {"trials": trials}
    rows += summary.one_subset_rows(outputs_of, pairs, BETA, RESAMPLES)
    rows += summary.deviation_rows(trials, pairs) + summary.over_known_rows(trials, pairs)
    if reconstructs(path.name):
        tables["distances"] = summary.distances(outputs_of)
    if longer:
        further = openset_outputs(draw, path.name, known[1:2], classes)
        further["known"] = outputs_of["known"][outputs_of["known"].sum(1) == known[1]]
        tables["longer"] = summary.paired(outputs_of, further, pairs, BETA)
        key = f"train_openset.{path.parts[-3]}"
        spent = {f"{key}.epochs": longer, f"{key}.subsets": len(further["known"])}
        rows += summary.longer_rows(tables["longer"], pairs, spent)
    results.write(path, budget=dict(budget or {}), metrics=rows, tables=tables)


def openset_outputs(draw: np.random.Generator, model: str, known: Sequence[int], classes: int) -> dict[str, np.ndarray]:
    """Made-up outputs of `train_openset`."""
    labels, every = np.arange(IMAGES) % classes, knowns(known, classes)
    members = [outputs(draw, model, np.where(own[labels], labels, -1), classes=classes) for own in every]
    stacked = {name: np.concatenate([member[name] for member in members]) for name in members[0]}
    return stacked | {"labels": labels, "known": every}


def knowns(counts: Sequence[int], classes: int) -> np.ndarray:
    """Which classes each member knows, (M, C) bool. counts: numbers of known classes."""
    subsets = {count: 1 if count == classes else SUBSETS for count in counts}
    return np.array([np.roll(np.arange(classes) < n, subset) for n in counts for subset in range(subsets[n])])
