"""Stored images of attacks, scored again with the published weights."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from overgen.attacks.evidence import ATTACKS, FGN, stored, successes
from overgen.measures.outputs import scores_of_images
from overgen.models import registry
from overgen.models.weights import perceptron_path, weights_path
from overgen.run.files import read_npz
from overgen.run.params import Params


class Rescored(NamedTuple):
    """One attack's cell, scored again. images: how many; difference: the largest between ỹ stored and ỹ found."""

    cell: str
    images: int
    difference: float


def rescore(dataset: str, model: str, settings: Params) -> list[Rescored]:
    """Score what the attacks on a model keep, examples and successes, with its published weights: one result a cell.

    settings: params.yaml. Raises OvergenError if weights or examples are missing or broken.
    """
    network, _ = registry.load(weights_path(dataset, model, 0))
    confidence, probes = settings.confidence[dataset], settings.engine[dataset].probes
    found = []
    attacks = ATTACKS if model in settings.attacked else FGN[1:] if model in settings.variants else ATTACKS[2:]
    for attack in attacks:
        folder = Path("reports/cells", dataset, attack, model)
        alpha = settings.fool_evolution[dataset].alpha
        table, images = stored(folder, confidence.thresholds, evolution_alpha=alpha)
        every, theirs = successes(folder, seed=0)
        table, images = pd.concat([table, every], ignore_index=True), np.concatenate([images, theirs])
        again = scores_of_images(network, images, table["alpha"].to_numpy(), beta=confidence.beta, probes=probes)
        score = again[np.arange(len(table)), table["target"]]
        difference = np.abs(score - table["score"].to_numpy())
        found.append(Rescored(folder.as_posix(), len(table), float(difference.max())))
    return found


def rescore_perceptrons(dataset: str) -> Rescored:
    """Score the smallest changes that `fool_lbfgs` found again, each with the published weights of its network.

    Raises OvergenError if weights, examples or successes are missing or broken.
    """
    folder = Path("reports/cells", dataset, "fool_lbfgs", "perceptrons")
    shown, every = read_npz(folder / "examples.npz"), read_npz(folder / "successes.npz")
    trials = pd.read_csv(folder / "trials.csv").iloc[every["trial"]]
    worst = []
    for n, name in enumerate(shown["network"].tolist()):
        network, _ = registry.load(perceptron_path(dataset, name))
        mine = (trials["network"] == name).to_numpy()
        images = np.concatenate([shown["image"][n], every["image"][mine]])
        target = np.concatenate([shown["target"][n], trials.loc[mine, "target"]])
        score = np.concatenate([shown["score"][n], trials.loc[mine, "score"]])
        again = scores_of_images(network, images, np.zeros(len(images)), beta=0.0, probes=1)
        worst.append(np.abs(again[np.arange(len(target)), target] - score).max())
    return Rescored(folder.as_posix(), shown["score"].size + len(trials), float(np.max(worst)))
