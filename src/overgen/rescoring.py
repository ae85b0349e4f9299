"""Stored images of attacks, scored again with the published weights."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.attacks.evidence import ATTACKED, stored, successes
from overgen.measures.outputs import scores_of_images
from overgen.models import registry
from overgen.run.files import read_npz
from overgen.run.params import Params


class Rescored(NamedTuple):
    """One attack's cell, scored again. images: how many; difference: the largest between ỹ stored and ỹ now."""

    cell: str
    images: int
    difference: float


def rescore(dataset: str, model: str, settings: Params) -> list[Rescored]:
    """Score what the attacks on a model keep, examples and successes, with its published weights: one result a cell.

    settings: params.yaml. Raises OvergenError if weights or examples are missing or broken, or the weights of another
    network.
    """
    network, _ = registry.trained(dataset, model)
    confidence, probes = settings.confidence[dataset], settings.engine[dataset].probes
    rescored = []
    for attack in (stage for stage, models in ATTACKED.items() if model in settings.names(models)):
        folder = Path("reports/cells", dataset, attack, model)
        table, images = stored(folder, confidence.thresholds, evolution_alpha=settings.fool_evolution[dataset].alpha)
        every, kept = successes(folder, seed=0)
        table, images = pd.concat([table, every], ignore_index=True), np.concatenate([images, kept])
        again = scores_of_images(network, images, table["alpha"].to_numpy(), beta=confidence.beta, probes=probes)
        difference = np.abs(again[np.arange(len(table)), table["target"]] - table["score"].to_numpy())
        rescored.append(Rescored(folder.as_posix(), len(table), float(difference.max())))
    return rescored


def rescore_smallest(dataset: str, model: str, settings: Params) -> Rescored:
    """Score the smallest changes of a model's images again, seed 0, as the pictures that `fool_smallest` keeps.

    Raises OvergenError if weights or successes are missing or broken, or the weights of another network.
    """
    folder = Path("reports/cells", dataset, "fool_smallest", model)
    kept = read_npz(folder / "successes.npz")
    trials = pd.read_csv(folder / "trials.csv").iloc[kept["trial"]]
    own = (trials["seed"] == 0).to_numpy()
    images, target = pictures.images(kept["image"][own]), trials.loc[own, "target"].to_numpy()
    network, _ = registry.trained(dataset, model)
    probes = settings.engine[dataset].probes
    again = scores_of_images(network, images, np.zeros(len(images)), beta=0.0, probes=probes)
    difference = np.abs(again[np.arange(len(target)), target] - trials.loc[own, "score_in_16_bits"].to_numpy())
    return Rescored(folder.as_posix(), len(target), float(np.max(difference, initial=0.0)))


def rescore_perceptrons(dataset: str) -> Rescored:
    """Score the smallest changes of `fool_lbfgs` again, each with the published weights of its network.

    Raises OvergenError if weights, examples or successes are missing or broken, or the weights of another network.
    """
    folder = Path("reports/cells", dataset, "fool_lbfgs", "perceptrons")
    examples, every = read_npz(folder / "examples.npz"), read_npz(folder / "successes.npz")
    trials = pd.read_csv(folder / "trials.csv").iloc[every["trial"]]
    worst = []
    for n, name in enumerate(examples["network"].tolist()):
        network, _ = registry.perceptron(dataset, name)
        own = (trials["network"] == name).to_numpy()
        images = np.concatenate([examples["image"][n], every["image"][own]])
        target = np.concatenate([examples["target"][n], trials.loc[own, "target"]])
        score = np.concatenate([examples["score"][n], trials.loc[own, "score"]])
        again = scores_of_images(network, images, np.zeros(len(images)), beta=0.0, probes=1)
        worst.append(np.abs(again[np.arange(len(target)), target] - score).max())
    return Rescored(folder.as_posix(), examples["score"].size + len(trials), float(np.max(worst)))
