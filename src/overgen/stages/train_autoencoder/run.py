"""Train an autoencoder, plain or denoising with a classifier on top, on all classes, once for each seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen import OvergenError, data
from overgen.measures.intervals import prediction_interval
from overgen.models import registry
from overgen.run.results import rate_row, row
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import accuracies, network_options, restore, train_seeds, training_of, write_trained
from overgen.training.module import binary_cross_entropy


def main(stage: Stage) -> None:
    """Write models/<dataset>/<model>/{seed0.safetensors, members/} and the cell, with reconstructions to look at."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    options = network_options(stage.params(f"models.{model}"), classes=len(data.load(dataset).classes))
    network = registry.build(**options)
    if hasattr(network, "classify") and not hasattr(stage.params(f"models.{model}"), "reconstruction_weight"):
        raise OvergenError(
            f"params.yaml, models.{model}: its network classifies and reconstructs, but without "
            "`reconstruction_weight` and `classifier_input` the reconstruction would not be trained; add both"
        )
    if not hasattr(network, "decode"):
        raise OvergenError(
            f"params.yaml, autoencoders: {model}: its network {options['network']} has no `decode`, so it does not "
            "reconstruct; give it one (README, Your own model) or name it under `classifiers`"
        )
    trained = train_seeds(stage)
    if stage.rank != 0:
        return
    metrics = [
        over_seeds(
            "train",
            "mean_reconstruction_distance",
            [float(t["output.distance"].mean(dtype=np.float64)) for t in trained],
            unit="L2, pixels in [0,1]",
            n=len(trained[0]["output.distance"]),
        )
    ]
    if "output.log_y" in trained[0]:
        hits, n = accuracies(stage, trained)
        metrics.append(rate_row("train", "test_accuracy", hits, n, of="test images"))
    else:
        metrics += anomaly_rows(stage, [restore(stage, seed) for seed in trained])
    write_trained(stage, trained, metrics, examples=reconstructions(stage, restore(stage, trained[0])))


def over_seeds(experiment: str, metric: str, values: list[float], *, unit: str, n: int) -> dict[str, Any]:
    """A mean over seeds of a mean over n images, with the t prediction interval where there are several seeds."""
    kind = f"95 % t prediction interval over {len(values)} seeds"
    note = "seed spread not measured" if len(values) == 1 else ""
    found = prediction_interval(values) if len(values) > 1 else None
    return row(experiment, metric, float(np.mean(values)), unit=unit, n=n, interval=found, kind=kind, note=note)


def anomaly_rows(stage: Stage, trained: list[torch.nn.Module]) -> list[dict[str, Any]]:
    """Mean and deviation of the binary cross-entropy per image, as for detecting anomalies by reconstruction."""
    images = data.load(stage.item["dataset"]).test_images
    chunk = stage.params(f"engine.{stage.item['dataset']}").chunk
    errors = []
    for network in trained:
        with torch.no_grad():
            blocks = [data.floats(block) for block in images.split(chunk)]
            losses = [binary_cross_entropy(network(x).reconstruction, x.flatten(1)).mean(1) for x in blocks]
        errors.append(torch.cat(losses).double())
    n = len(images)
    return [
        over_seeds("ae_anomaly", "mean_bce", [float(e.mean()) for e in errors], unit="nats per pixel", n=n),
        over_seeds("ae_anomaly", "std_bce", [float(e.std()) for e in errors], unit="nats per pixel", n=n),
    ]


def reconstructions(stage: Stage, network: torch.nn.Module) -> dict[str, np.ndarray]:
    """The first test image of each class: clean, noisy, and both restored; uint8 (C, 28, 28)."""
    dataset = data.load(stage.item["dataset"])
    labels = [c for c in range(len(dataset.classes)) if bool((dataset.test_labels == c).any())]
    first = torch.tensor([int((dataset.test_labels == c).nonzero()[0]) for c in labels])
    clean = data.floats(dataset.test_images[first])
    std = training_of(stage).noise_std
    noise = torch.randn(clean.shape, generator=generator("examples", stage.item["dataset"]))
    noisy = clean + std * noise
    with torch.no_grad():
        restored, restored_clean = (network(x).reconstruction.view(clean.shape) for x in (noisy, clean))

    def bytes_of(x: torch.Tensor) -> np.ndarray:
        return (x.clamp(0, 1) * 255).round().to(torch.uint8)[:, 0].numpy()

    images = {"clean": clean, "noisy": noisy, "restored": restored, "restored_clean": restored_clean}
    return {name: bytes_of(x) for name, x in images.items()} | {"labels": np.array(labels)}
