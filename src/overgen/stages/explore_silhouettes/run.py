"""Silhouettes of animals and letters of fonts, which are no digits: how sure are the networks of them?

    python -m overgen.run explore_silhouettes --dataset mnist --model networks

Animals are those of the package animal-mnist, letters are drawn in the fonts of matplotlib. For each network: how many
get a score y, or a scaled one ỹ, above each τ, and how well test images are told from them by y, by ỹ, by the distance
to the nearest features of training images, and by the error of reconstruction.

Reads: data/<dataset>; models/<dataset>/networks/, the first seed of each; the package animal-mnist, if animals are
among the kinds.
Writes the cell: groups.csv, a row a network, kind and animal or letter; examples.npz, one image of each, and the
networks' answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.data import animals, letters
from overgen.measures.outputs import image_outputs
from overgen.measures.thresholds import threshold_pairs
from overgen.models import features, registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores.knn import NearestNeighbours
from overgen.stages.explore_silhouettes import summary

Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell.

    Raises OvergenError where the package animal-mnist is needed and missing, and for images of another shape.
    """
    name = stage.item["dataset"]
    settings, dataset = stage.params(f"explore_silhouettes.{name}"), data.load(name)
    if dataset.shape != (1, letters.SIDE, letters.SIDE):
        raise OvergenError(
            f"params.yaml, silhouette_datasets: images of {name} are {dataset.shape}; silhouettes and letters are "
            f"{(1, letters.SIDE, letters.SIDE)}"
        )
    kinds = unknown_images(settings)
    names = [*settings.networks, settings.autoencoder]
    members = stage.members(names, lambda i, run: judged(stage, dataset, kinds, names[i]))
    if stage.rank != 0:
        return
    confidence = stage.params(f"confidence.{name}")
    rows, tables, examples = summary.cell(
        dict(zip(names, members, strict=True)), kinds, confidence.beta,
        lambda reconstructs: threshold_pairs(confidence.thresholds, reconstructs=reconstructs),
    )  # fmt: skip
    spent = ("animals", "letters", "known_images", "fitted_images")
    budget = {f"explore_silhouettes.{name}.{key}": getattr(settings, key) for key in spent}
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples)


def unknown_images(settings: Any) -> dict[str, summary.Kind]:
    """Images by kind, each with its animal or letter."""
    kinds = {}
    for kind in settings.kinds:
        draws = generator("explore_silhouettes", kind)
        if kind == "letters":
            kinds[kind] = summary.Kind(*letters.letters(settings.letters, draws), tuple(letters.LETTERS))
            continue
        images, labels = animals.silhouettes()
        order = [torch.randperm(animals.IMAGES, generator=draws)[: settings.animals].sort().values.numpy()
                 for _ in animals.ANIMALS]  # fmt: skip
        chosen = np.concatenate([animals.IMAGES * i + places for i, places in enumerate(order)])
        kinds[kind] = summary.Kind(images[chosen], labels[chosen], animals.ANIMALS)
    return kinds


def judged(stage: Stage, dataset: data.Dataset, kinds: dict[str, summary.Kind], model: str) -> Arrays:
    """`<part>.<output>` of one network, as `image_outputs` gives them, and `<part>.nearest`, minus a distance.

    Parts: known, and the kinds.
    """
    settings = stage.params(f"explore_silhouettes.{dataset.name}")
    chunk, probes = (stage.params(f"engine.{dataset.name}.{name}") for name in ("chunk", "probes"))
    network, _ = registry.trained(dataset.name, model, device=stage.device)
    images = {"known": some(dataset.test_images, settings.known_images, dataset.name, "known")}
    images |= {kind: torch.from_numpy(of.images)[:, None] for kind, of in kinds.items()}
    nearest = None
    if model != settings.autoencoder:
        fit = some(dataset.train_images, settings.fitted_images, dataset.name, "fit")
        nearest = NearestNeighbours(neighbours=settings.neighbours).fit(seen(network, fit.to(stage.device), chunk))
    arrays: Arrays = {}
    for part, x in images.items():
        x = x.to(stage.device)
        arrays |= {f"{part}.{name}": array for name, array in
                   image_outputs(network, x, chunk=chunk, probes=probes).items()}  # fmt: skip
        if nearest is not None:
            arrays[f"{part}.nearest"] = nearest.score(seen(network, x, chunk))
    return arrays


def seen(network: nn.Module, images: Tensor, chunk: int) -> np.ndarray:
    """The top features of images (N, C, H, W) uint8: (N, F) float32."""
    found = []
    with torch.no_grad():
        for block in images.split(chunk):
            h, _ = features.seen(network, data.floats(block))
            if h is None:
                raise OvergenError(f"{getattr(network, 'name', type(network).__name__)}: a black box has no features")
            found.append(h)
    return torch.cat(found).cpu().numpy()


def some(images: Tensor, count: int, *key: str) -> Tensor:
    """At most so many of some images, in random order."""
    order = torch.randperm(len(images), generator=generator("explore_silhouettes", *key))
    return images[order[:count]]
