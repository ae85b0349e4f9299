"""The example images that attacks keep in their cells: read back in one form, and scored again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen import networks
from overgen.artifacts import read_npz
from overgen.confidence import ScaledOutput
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
        pairs = [(t.tau, t.alpha) for t in thresholds]
        tau = next((tau for tau, alpha in pairs if alpha == evolution_alpha), pairs[-1][0])
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


def scores(
    network: nn.Module, images: np.ndarray, alphas: np.ndarray, *, beta: float, probes: int, device: Any = "cpu"
) -> np.ndarray:
    """ỹ of each image at its own α, (N, C) float64. images: (N, 28, 28) in [0, 1]; alphas: (N,)."""
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found: np.ndarray | None = None
    for alpha in np.unique(alphas):
        mine = alphas == alpha
        x = torch.from_numpy(images[mine].astype(np.float32))[:, None].to(device)
        with torch.no_grad():
            log_score = ScaledOutput(network, alpha=float(alpha), beta=beta, probes=probes)(x)
        block = log_score.double().exp().cpu().numpy()
        found = np.zeros((len(images), block.shape[1])) if found is None else found
        found[mine] = block
    return np.zeros((0, 0)) if found is None else found


class Rescored(NamedTuple):
    """One attack's cell, scored again. examples: how many; difference: the largest between ỹ stored and ỹ found."""

    cell: str
    examples: int
    difference: float


def rescore(dataset: str, model: str, settings: Params) -> list[Rescored]:
    """Score the examples of the attacks on a model again, with its published weights: one result a cell.

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
        again = scores(network, images, table["alpha"].to_numpy(), beta=confidence.beta, probes=probes)
        score = again[np.arange(len(table)), table["target"]]
        difference = np.abs(score - table["score"].to_numpy())
        found.append(Rescored(folder.as_posix(), len(table), float(difference.max())))
    return found


def rescore_perceptrons(dataset: str) -> Rescored:
    """Score the smallest changes that `fool_lbfgs` found again, each with the published weights of its network.

    Raises OvergenError if weights or examples are missing or broken.
    """
    folder = Path("reports/cells", dataset, "fool_lbfgs", "perceptrons")
    found = read_npz(folder / "examples.npz")
    worst = []
    for name, images, target, score in zip(*(found[k] for k in ("network", "image", "target", "score")), strict=True):
        network, _ = networks.load(networks.perceptron_path(dataset, str(name)))
        again = scores(network, images, np.zeros(len(images)), beta=0.0, probes=1)
        worst.append(np.abs(again[np.arange(len(target)), target] - score).max())
    return Rescored(folder.as_posix(), found["score"].size, float(np.max(worst)))
