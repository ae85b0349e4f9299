"""Anomalies by reconstruction error and by abnormal codes: which images does an autoencoder find strange?

    python -m overgen.run explore_anomaly --dataset mnist --model networks

Known are test images; unknown the kinds of `overgen.data.unknowns` that params.yaml names, and test images of another
data set. A part of the test images, drawn by seed, sets the thresholds, mean + k·deviation of its errors: no network
was trained on it. Another part is judged. Errors, larger = stranger:

    mse, rmse, mae, bce  of the reconstruction, see `overgen.measures.reconstruction`
    mahalanobis          of the code to the nearest class mean, one covariance for all classes
    gaussian_density     −log density of the code, a Gaussian for each class
    knn                  from the code to the k-th nearest code of training images

The methods of the code are fitted on training images with their labels. And the network of the lecture's detector is
trained, as far as it can be told (`tutorial`).

Reads: data/<dataset>; models/<dataset>/networks/, the first seed of each; test images of the data sets that params.yaml
names.
Writes the cell: classes.csv, AUROC by class of the known images; roc.csv; errors.csv, histograms; tutorial.csv;
examples.npz, images and reconstructions, and what `overgen anomaly` needs.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.data import borrow, unknowns
from overgen.measures.outputs import part
from overgen.measures.reconstruction import codes_and_errors, weights_digest
from overgen.models import registry
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.stages.explore_anomaly import summary, tutorial

Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell."""
    name = stage.item["dataset"]
    settings = stage.params(f"explore_anomaly.{name}")
    dataset = data.load(name)
    names = [*settings.networks, *(f"tutorial{seed}" for seed in settings.tutorial.seeds)]

    def compute(i: int, run: Any) -> Arrays:
        if i < len(settings.networks):
            return judged(stage, dataset, settings.networks[i])
        seed = settings.tutorial.seeds[i - len(settings.networks)]
        pixels = [data.floats(x).flatten(1) for x in (dataset.train_images, dataset.test_images)]
        return tutorial.as_arrays(tutorial.curve(*pixels, settings.tutorial, "explore_anomaly", name, seed))

    members = stage.members(names, compute)
    if stage.rank != 0:
        return
    networks = dict(zip(settings.networks, members, strict=False))
    curves = [pd.DataFrame({"seed": seed} | arrays) for seed, arrays in
              zip(settings.tutorial.seeds, members[len(networks):], strict=True)]  # fmt: skip
    labels = dataset.test_labels[halves(dataset, settings.known_images)[1]].numpy()
    rows, tables = summary.cell(
        {model: part(arrays, "error") for model, arrays in networks.items()},
        labels, pd.concat(curves, ignore_index=True), settings.deviations,
    )  # fmt: skip
    examples = part(networks[settings.networks[0]], "shown")
    known = dataset.test_images[halves(dataset, settings.known_images)[0]]
    examples["mean_image"] = data.pictures(known.double().mean(0).round().byte())
    for model, arrays in networks.items():
        examples |= {f"{model}.{key}": array for key, array in part(arrays, "kept").items()}
    spent = {key: getattr(settings, key) for key in ("known_images", "images", "fitted_images")}
    spent |= {"tutorial.epochs": settings.tutorial.epochs}
    budget = {f"explore_anomaly.{name}.{key}": count for key, count in spent.items()}
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples)


def judged(stage: Stage, dataset: data.Dataset, model: str) -> Arrays:
    """`error.<measure>.<part>`, (N,) each, larger = stranger, and what is shown and kept of one network.

    Parts: held_out, known, and the kinds of unknown images.
    """
    settings = stage.params(f"explore_anomaly.{dataset.name}")
    chunk = stage.params(f"engine.{dataset.name}.chunk")
    network, _ = registry.trained(dataset.name, model, device=stage.device)
    if not hasattr(network, "decode"):
        raise OvergenError(f"params.yaml, explore_anomaly.networks: {model} does not reconstruct; name one that does")
    held_out, known = halves(dataset, settings.known_images)
    images = {"held_out": dataset.test_images[held_out], "known": dataset.test_images[known]}
    images |= unknown_images(settings, dataset)
    count = min(settings.fitted_images, len(dataset.train_images))
    fit = torch.randperm(len(dataset.train_images), generator=generator("explore_anomaly", dataset.name, "fit"))[:count]
    codes, _ = codes_and_errors(network, dataset.train_images[fit].to(stage.device), chunk=chunk)
    labels = dataset.train_labels[fit].numpy()
    mahalanobis = Mahalanobis().fit(codes, labels)
    density, nearest = (
        GaussianDensity().fit(codes, labels),
        NearestNeighbours(neighbours=settings.neighbours).fit(codes),
    )
    arrays: Arrays = {}
    for kind, x in images.items():
        codes, errors = codes_and_errors(network, x.to(stage.device), chunk=chunk)
        errors |= {
            "mahalanobis": np.sqrt(-mahalanobis.score(codes)),
            "gaussian_density": -density.score(codes),
            "knn": -nearest.score(codes),
        }
        arrays |= {f"error.{name}.{kind}": values for name, values in errors.items()}
    arrays |= {f"shown.{name}": array for name, array in shown(network, images, arrays, stage.device).items()}
    arrays |= {f"kept.{name}": array for name, array in kept(dataset, model, mahalanobis).items()}
    return arrays


def halves(dataset: data.Dataset, count: int) -> tuple[Tensor, Tensor]:
    """Two parts of the test images, drawn by seed: those that set thresholds, and those that are judged; indices.

    count: of each, at most half of all.
    """
    order = torch.randperm(len(dataset.test_images), generator=generator("explore_anomaly", dataset.name, "halves"))
    count = min(count, len(order) // 2)
    return order[:count].sort().values, order[count : 2 * count].sort().values


def unknown_images(settings: Any, dataset: data.Dataset) -> dict[str, Tensor]:
    """Unknown images by kind, (N, C, H, W) uint8 each."""
    streams = {kind: generator("explore_anomaly", dataset.name, kind) for kind in settings.kinds}
    kinds = unknowns.generated(dataset.test_images, settings.images, streams)
    for other in settings.other_data:
        images = borrow.borrow(other, os.environ.get("OVERGEN_MIRROR") or None).test_images
        if images.shape[1:] != dataset.shape:
            raise OvergenError(
                f"params.yaml, explore_anomaly.{dataset.name}.other_data: images of {other} are "
                f"{tuple(images.shape[1:])}, those of {dataset.name} {dataset.shape}; name data sets of the same shape"
            )
        order = torch.randperm(len(images), generator=generator("explore_anomaly", "data", other))
        kinds[f"data_{other}"] = images[order[: settings.images]]
    return kinds


def shown(network: nn.Module, images: dict[str, Tensor], arrays: Arrays, device: Any) -> Arrays:
    """Of the known images and of each kind the one whose RMS error is the kind's median, with its reconstruction.

    kind: (K,); image, reconstruction: (K, H, W) uint8; error: (K,).
    """
    kinds = [kind for kind in images if kind != "held_out"]
    middle = [int(np.argsort(arrays[f"error.rmse.{kind}"], kind="stable")[len(images[kind]) // 2]) for kind in kinds]
    image = torch.stack([images[kind][i] for kind, i in zip(kinds, middle, strict=True)])
    with torch.no_grad():
        r = network(data.floats(image.to(device))).reconstruction.view(image.shape).cpu()
    return {
        "kind": np.array(kinds),
        "image": data.pictures(image),
        "reconstruction": data.pictures((r.clamp(0, 1) * 255).round().byte()),
        "error": np.array([arrays[f"error.rmse.{kind}"][i] for kind, i in zip(kinds, middle, strict=True)]),
    }


def kept(dataset: data.Dataset, model: str, mahalanobis: Mahalanobis) -> Arrays:
    """What `overgen anomaly` needs of a network: of which weights it is, and class means and whitening of its code.

    The latter only of codes that are small enough for a cell that lies in Git.
    """
    digest = weights_digest(weights_path(dataset.name, model, 0))
    whole = mahalanobis.means.shape[1] <= summary.LARGEST_CODE
    state = {"means": mahalanobis.means, "whitening": mahalanobis.whitening} if whole else {}
    return {"weights": np.array(digest)} | {name: array.astype(np.float32) for name, array in state.items()}
