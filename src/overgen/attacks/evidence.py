"""What attacks keep in their cells: images, with the network, target and score of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.attacks import pictures
from overgen.measures.thresholds import pair_at
from overgen.run.files import read_npz

ATTACKS = ("fool_fgn", "fool_gradient", "fool_evolution")  # stages that attack the networks of the tables
ATTACKED = {  # the stages that attack images, each with the list of the models that it attacks
    "fool_fgn": "attacked",
    "fool_variants": "fooled_variants",
    "fool_gradient": "attacked",
    "fool_controls": "fooled_controls",
    "fool_evolution": "evolved",
}
GRADIENT = ("fool_gradient", "fool_controls")  # stages of gradients of ỹ
VARIANT = {"fool_gradient": "start", "fool_controls": "start", "fool_evolution": "encoding"}
OF_VARIANTS = "objective"  # the column of variants of the other attacks


def stored(folder: Path, thresholds: Iterable[Any], *, evolution_alpha: float) -> tuple[pd.DataFrame, np.ndarray]:
    """The examples of one attack's cell: reports/cells/<dataset>/<stage>/<model>.

    thresholds: of confidence.<dataset>; evolution_alpha: the α of the ỹ that evolution climbs. Of an evolution the
    champions of each encoding's last stored generation are its examples, at the first τ of that α, else at the last τ.
    Returns a table with a row an image, and the images as pictures, (N, H, W) or (N, H, W, 3), in [0, 1]. Columns:
    attack (the stage), variant (objective, start or encoding), tau, alpha, target, score (ỹ of the target as the cell
    states it), fooled (score > τ when it was judged). Raises OvergenError if there is no such file.
    """
    attack, examples = folder.parts[-2], read_npz(folder / "examples.npz")
    variants = examples[VARIANT.get(attack, OF_VARIANTS)].tolist()
    if attack == "fool_evolution":
        tau, _ = pair_at(thresholds, evolution_alpha)
        last = [i for i, encoding in enumerate(variants) if encoding not in variants[i + 1 :]]
        image, score = examples["image"][last], examples["confidence"][last]
        fooled = score > tau
        groups = [(variants[i], tau, evolution_alpha) for i in last]
    else:
        image, score, fooled = (examples[name] for name in ("image", "score", "fooled"))
        groups = list(zip(variants, examples["tau"].tolist(), examples["alpha"].tolist(), strict=True))
    if image.dtype == np.uint8:  # large ones, see `Attacked.shown`
        image = pictures.images(image)
    classes = image.shape[1]
    targets = examples.get("target", np.arange(classes))  # which classes, where not all were attacked
    table = pd.DataFrame([group for group in groups for _ in range(classes)], columns=["variant", "tau", "alpha"])
    table.insert(0, "attack", attack)
    table["target"] = np.tile(targets, len(groups))
    table["score"], table["fooled"] = score.ravel().astype(np.float64), fooled.ravel()
    return table, image.reshape(-1, *image.shape[2:])


def successes(folder: Path, seed: int | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """Every image that fooled in an attack's cell, as the picture that it was saved as.

    seed: of the network that was fooled; any by default. Returns a table as `stored` does, and the pictures in
    [0, 1]; score and fooled are those of the picture: of FGN's and evolution's in 16 bits a pixel, of the gradient's
    in 8. Raises OvergenError if a file is missing.
    """
    attack, kept = folder.parts[-2], read_npz(folder / "successes.npz")
    trials = pd.read_csv(folder / "trials.csv").iloc[kept["trial"]]
    if attack in GRADIENT:  # whose file holds images only
        told = {"tau": "tau", "alpha": "alpha", "score": "score_in_8_bits"}
        kept |= {name: trials[column].to_numpy() for name, column in told.items()}
    columns = {"attack": attack, "variant": trials[VARIANT.get(attack, OF_VARIANTS)].to_numpy()}
    columns |= {"tau": kept["tau"], "alpha": kept["alpha"], "target": trials["target"].to_numpy()}
    table = pd.DataFrame(columns | {"score": kept["score"]})
    table["fooled"] = table["score"] > table["tau"]
    of_seed = np.full(len(trials), True) if seed is None else (trials["seed"] == seed).to_numpy()
    return table[of_seed].reset_index(drop=True), pictures.images(kept["image"][of_seed])


def evidence(folder: Path, thresholds: Iterable[Any], *, evolution_alpha: float) -> tuple[pd.DataFrame, np.ndarray]:
    """As `stored`, but with every success in place of the examples that fooled.

    Of FGN's variants on y there are none among the examples, and none here.
    """
    examples, images = stored(folder, thresholds, evolution_alpha=evolution_alpha)
    every, pictured = successes(folder)
    failed = ~examples["fooled"].to_numpy()
    among = every["variant"].isin(examples["variant"]).to_numpy()
    table = pd.concat([examples[failed], every[among]], ignore_index=True)
    return table, np.concatenate([images[failed], pictured[among]])


def smallest_budget(budgets: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The smallest of what was spent on each thing: models of one stage may have been trained for different epochs."""
    least: dict[str, int] = {}
    for key, spent in (each for budget in budgets for each in budget.items()):
        least[key] = min(spent, least.get(key, spent))
    return least
