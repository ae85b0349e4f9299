"""The images that attacks keep in their cells, examples and successes: read back in one form, and scored again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overgen import networks
from overgen.artifacts import read_npz
from overgen.attacks import pictures
from overgen.confidence import pair_at, scores_of_images
from overgen.params import Params

ATTACKS = ("fool_fgn", "fool_gradient", "fool_evolution")  # stages that attack the networks of the tables
FGN = ("fool_fgn", "fool_variants")  # stages of the Fooling Generator Network


def stored(folder: Path, thresholds: Iterable[Any], *, evolution_alpha: float) -> tuple[pd.DataFrame, np.ndarray]:
    """The examples of one attack's cell: reports/cells/<dataset>/<stage>/<model>.

    thresholds: of confidence.<dataset>; evolution_alpha: the α of the ỹ that evolution climbs. Of an evolution the
    champions of each encoding's last stored generation are its examples, at the first τ of that α, else at the last τ.
    Returns a table with a row an image, and the images (N, 28, 28) in [0, 1]. Columns: attack (the stage), variant
    (objective, start or encoding), tau, alpha, target, score (ỹ of the target as the cell states it), fooled (score > τ
    when it was judged). Raises OvergenError if there is no such file.
    """
    attack, found = folder.parts[-2], read_npz(folder / "examples.npz")
    if attack == "fool_evolution":
        tau, _ = pair_at(thresholds, evolution_alpha)
        encodings = found["encoding"].tolist()
        last = [i for i, name in enumerate(encodings) if name not in encodings[i + 1 :]]
        score = found["confidence"][last]
        image, fooled = found["image"][last], score > tau
        groups = [(encodings[i], tau, evolution_alpha) for i in last]
    else:
        variant = found["objective" if attack in FGN else "start"]
        score, image, fooled = found["score"], found["image"], found["fooled"]
        groups = list(zip(variant.tolist(), found["tau"].tolist(), found["alpha"].tolist(), strict=True))
    classes = image.shape[1]
    repeated = [group for group in groups for _ in range(classes)]
    table = pd.DataFrame(repeated, columns=["variant", "tau", "alpha"])
    table.insert(0, "attack", attack)
    table["target"] = np.tile(np.arange(classes), len(groups))
    table["score"], table["fooled"] = score.ravel().astype(np.float64), fooled.ravel()
    return table, image.reshape(-1, *image.shape[2:])


def successes(folder: Path, seed: int | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """Every image that fooled in an attack's cell, as the picture that it was saved as.

    seed: of the network that was fooled; any by default. Returns a table as `stored` does, and the images (K, 28, 28)
    in [0, 1]; score and fooled are those of the picture. Raises OvergenError if a file is missing.
    """
    kept = read_npz(folder / "successes.npz")
    trials = pd.read_csv(folder / "trials.csv").iloc[kept["trial"]]
    attack = folder.parts[-2]
    variant = {"fool_gradient": "start", "fool_evolution": "encoding"}.get(attack, "objective")
    table = trials[[variant, "target"]].rename(columns={variant: "variant"})
    judged = (
        trials.rename(columns={"score": "before", "score_in_8_bits": "score"}) if attack == "fool_gradient" else kept
    )
    table = table.assign(**{name: np.asarray(judged[name]) for name in ("tau", "alpha", "score")})
    table = table[["variant", "tau", "alpha", "target", "score"]]
    table.insert(0, "attack", attack)
    table["fooled"] = table["score"] > table["tau"]
    mine = np.full(len(trials), True) if seed is None else (trials["seed"] == seed).to_numpy()
    return table[mine].reset_index(drop=True), pictures.images(kept["image"][mine])


def evidence(folder: Path, thresholds: Iterable[Any], *, evolution_alpha: float) -> tuple[pd.DataFrame, np.ndarray]:
    """As `stored`, but with every success in place of the examples that fooled.

    Of FGN's variants on y there are none among the examples, and none here.
    """
    table, images = stored(folder, thresholds, evolution_alpha=evolution_alpha)
    held = ~table["fooled"].to_numpy()
    every, theirs = successes(folder)
    shown = every["variant"].isin(table["variant"]).to_numpy()
    return pd.concat([table[held], every[shown]], ignore_index=True), np.concatenate([images[held], theirs[shown]])


class Rescored(NamedTuple):
    """One attack's cell, scored again. images: how many; difference: the largest between ỹ stored and ỹ found."""

    cell: str
    images: int
    difference: float


def rescore(dataset: str, model: str, settings: Params) -> list[Rescored]:
    """Score what the attacks on a model keep, examples and successes, with its published weights: one result a cell.

    settings: params.yaml. Raises OvergenError if weights or examples are missing or broken.
    """
    network, _ = networks.load(networks.weights_path(dataset, model, 0))
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
        network, _ = networks.load(networks.perceptron_path(dataset, name))
        mine = (trials["network"] == name).to_numpy()
        images = np.concatenate([shown["image"][n], every["image"][mine]])
        target = np.concatenate([shown["target"][n], trials.loc[mine, "target"]])
        score = np.concatenate([shown["score"][n], trials.loc[mine, "score"]])
        again = scores_of_images(network, images, np.zeros(len(images)), beta=0.0, probes=1)
        worst.append(np.abs(again[np.arange(len(target)), target] - score).max())
    return Rescored(folder.as_posix(), shown["score"].size + len(trials), float(np.max(worst)))
