"""Stored images of attacks, scored again with the published weights."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from overgen.attacks import pictures
from overgen.attacks.evidence import ATTACKED, stored, successes
from overgen.measures.outputs import scores_of_images
from overgen.models import registry
from overgen.run.files import read_npz
from overgen.run.params import Params

# Stages with perceptrons of several seeds: the folder of their weights, and the column of trials.csv that names them.
SEEDED = {"transfer_between_halves": ("halves", "network"), "train_adversarially": ("adversarial", "training")}


class Rescored(NamedTuple):
    """One attack's cell, scored again. images: how many; difference: the largest between ỹ stored and ỹ now."""

    cell: str
    images: int
    difference: float


def rescore(dataset: str, model: str, settings: Params) -> list[Rescored]:
    """Score what the attacks on a model keep, with the published weights of every seed: one result a cell.

    Examples are of seed 0, successes of all seeds. settings: params.yaml. Raises OvergenError if weights or examples
    are missing or broken, or the weights of another network.
    """
    networks = {0: registry.trained(dataset, model)[0]}
    confidence, probes = settings.confidence[dataset], settings.engine[dataset].probes
    rescored = []
    for attack in (stage for stage, models in ATTACKED.items() if model in settings.names(models)):
        folder = Path("reports/cells", dataset, attack, model)
        table, images = stored(folder, confidence.thresholds, evolution_alpha=settings.fool_evolution[dataset].alpha)
        every, kept = successes(folder, seed=0)
        parts = {0: (pd.concat([table, every], ignore_index=True), np.concatenate([images, kept]))}
        parts |= {seed: successes(folder, seed) for seed in _seeds(folder) if seed != 0}
        worst = 0.0
        for seed, (of_seed, pictured) in parts.items():
            if seed not in networks:
                networks[seed] = registry.trained(dataset, model, seed)[0]
            difference = _difference(networks[seed], of_seed, pictured, beta=confidence.beta, probes=probes)
            worst = max(worst, difference)
        rescored.append(Rescored(folder.as_posix(), sum(len(of_seed) for of_seed, _ in parts.values()), worst))
    return rescored


def _seeds(folder: Path) -> list[int]:
    """The seeds whose networks the trials of an attack's cell attack."""
    return [int(seed) for seed in pd.read_csv(folder / "trials.csv", usecols=["seed"])["seed"].unique()]


def _difference(network: nn.Module, table: pd.DataFrame, images: np.ndarray, *, beta: float, probes: int) -> float:
    """The largest difference between the stored scores of some images and what a network gives them; 0 for none.

    table: a row an image, with alpha, target and score; images: as pictures, in [0, 1].
    """
    if table.empty:
        return 0.0
    again = scores_of_images(network, images, table["alpha"].to_numpy(), beta=beta, probes=probes)
    return float(np.abs(again[np.arange(len(table)), table["target"]] - table["score"].to_numpy()).max())


def rescore_smallest(dataset: str, model: str, settings: Params) -> Rescored:
    """Score the smallest changes of a model's images again, of every seed, as the pictures that `fool_smallest` keeps.

    Raises OvergenError if weights or successes are missing or broken, or the weights of another network.
    """
    folder = Path("reports/cells", dataset, "fool_smallest", model)
    kept = read_npz(folder / "successes.npz")
    trials = pd.read_csv(folder / "trials.csv").iloc[kept["trial"]]
    trials = trials.assign(alpha=0.0, score=trials["score_in_16_bits"])
    images, probes, worst = pictures.images(kept["image"]), settings.engine[dataset].probes, 0.0
    for seed in sorted({0, *trials["seed"]}):
        network, _ = registry.trained(dataset, model, seed)
        own = (trials["seed"] == seed).to_numpy()
        worst = max(worst, _difference(network, trials[own], images[own], beta=0.0, probes=probes))
    return Rescored(folder.as_posix(), len(trials), worst)


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


def rescore_seeds(dataset: str, stage: str) -> Rescored:
    """Score the smallest changes of one of the stages in `SEEDED` again, each with its network's published weights.

    Raises OvergenError if weights or successes are missing or broken, or the weights of another network.
    """
    weights, column = SEEDED[stage]
    folder = Path("reports/cells", dataset, stage, "perceptrons")
    every = read_npz(folder / "successes.npz")
    trials, worst = pd.read_csv(folder / "trials.csv").iloc[every["trial"]], 0.0
    for (name, seed), rows in trials.reset_index(drop=True).groupby([column, "seed"]):
        path = Path("models", dataset, weights, "perceptrons", f"{name}-seed{seed}.safetensors")
        network, _ = registry.load(path, dataset=dataset, model=name, seed=seed)
        images = every["image"][rows.index]
        again = scores_of_images(network, images, np.zeros(len(images)), beta=0.0, probes=1)
        worst = max(worst, float(np.abs(again[np.arange(len(rows)), rows["target"]] - rows["score"]).max()))
    return Rescored(folder.as_posix(), len(trials), worst)
