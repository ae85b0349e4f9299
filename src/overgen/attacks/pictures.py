"""The images that fooled, as pictures of 8 or 16 bits a pixel, with the scores that they have as such.

An attack that ends at the first image above τ ends barely above it. Rounding to 8 bits puts many of the generator's
images back below, whose last updates changed them by less; to 16 bits, hardly one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.outputs import scores_of_images
from overgen.models import registry
from overgen.models.weights import weights_path


def rounded(images: np.ndarray, depth: type[np.uint8] | type[np.uint16] = np.uint8) -> np.ndarray:
    """Images in [0, 1], (N, 784), as pictures, (N, 28, 28) uint8 or uint16."""
    pixels = np.rint(images.astype(np.float64) * np.iinfo(depth).max)
    return pixels.astype(depth).reshape(len(images), 28, 28)


def images(pictures: np.ndarray) -> np.ndarray:
    """Pictures of integers as images in [0, 1], float32, of the same shape."""
    return (pictures / np.float64(np.iinfo(pictures.dtype).max)).astype(np.float32)


def scores(
    pictures: np.ndarray, trials: pd.DataFrame, *, dataset: str, model: str, beta: float, probes: int, device: Any
) -> np.ndarray:
    """ỹ_t of each picture by the network that it fooled, (N,) float64.

    pictures: (N, 28, 28), integers; trials: a row for each, with the columns seed (of the network), alpha and target.
    beta, probes: of ỹ.
    """
    found = np.zeros(len(pictures))
    for seed in trials["seed"].unique().tolist():
        network, _ = registry.load(weights_path(dataset, model, seed))
        mine = (trials["seed"] == seed).to_numpy()
        alphas, targets = (trials.loc[mine, name].to_numpy() for name in ("alpha", "target"))
        shown = images(pictures[mine])
        again = scores_of_images(network, shown, alphas, beta=beta, probes=probes, device=device)
        found[mine] = again[np.arange(len(targets)), targets]
    return found


def successes(images: np.ndarray, hits: pd.DataFrame, **judge: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a cell keeps of the images that fooled, its successes.npz; and their scores as pictures of 8 bits, (K,).

    images: (K, 784) in [0, 1]; hits: a row for each, with the columns trial (the row of trials.csv), seed, tau, alpha
    and target; judge: options of `scores`. The file holds trial, tau, alpha and score (K,), the ỹ_t of image
    (K, 28, 28) uint16: 16 bits a pixel.
    """
    kept, coarse = rounded(images, np.uint16), rounded(images, np.uint8)
    arrays = {name: hits[name].to_numpy() for name in ("trial", "tau", "alpha")}
    return arrays | {"score": scores(kept, hits, **judge), "image": kept}, scores(coarse, hits, **judge)
