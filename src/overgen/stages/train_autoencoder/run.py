"""Train an autoencoder, plain or denoising with a classifier on top, on all classes, once for each seed.

    python -m overgen.run train_autoencoder --dataset digits --model dae_sym

Reads: data/<dataset>.
Writes: models/<dataset>/networks/<model>/: seed<k>.safetensors, the weights; outputs.npz, what they say of the test
images.
And the cell: curves.csv, a row a seed and epoch; how well it reconstructs and classifies; reconstructions to look at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from overgen import OvergenError, data
from overgen.measures.means import seeds_row
from overgen.models import registry
from overgen.run.results import rate_row
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import accuracies, network_options, restore, train_seeds, training_of, write_trained
from overgen.training.module import binary_cross_entropy
from overgen.training.parallel import in_parallel


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    check_model(stage)
    trained = train_seeds(in_parallel(stage))
    if stage.rank != 0:
        return
    distances = [float(arrays["output.distance"].mean(dtype=np.float64)) for arrays in trained]
    n, unit = len(trained[0]["output.distance"]), "L2, pixels in [0,1]"
    rows = [seeds_row("train", "mean_reconstruction_distance", distances, unit=unit, n=n)]
    if "output.log_y" in trained[0]:
        hits, n = accuracies(stage, trained)
        rows.append(rate_row("train", "test_accuracy", hits, n, of="test images"))
    else:
        rows += anomaly_rows(stage, [restore(stage, arrays) for arrays in trained])
    write_trained(stage, trained, rows, examples=reconstructions(stage, restore(stage, trained[0])))


def check_model(stage: Stage) -> None:
    """Raises OvergenError if the stage's model does not reconstruct, or would not be trained to."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    described = stage.params(f"models.{model}")
    options = network_options(described, classes=len(data.load(dataset).classes))
    network = registry.build(**options)
    if hasattr(network, "classify") and not hasattr(described, "reconstruction_weight"):
        raise OvergenError(
            f"params.yaml, models.{model}: its network classifies and reconstructs, but without "
            "`reconstruction_weight` and `classifier_input` the reconstruction would not be trained; add both"
        )
    if not hasattr(network, "decode"):
        raise OvergenError(
            f"params.yaml, autoencoders: {model}: its network {options['network']} has no `decode`, so it does not "
            "reconstruct; give it one (docs/extending.md, Your own model) or name it under `classifiers`"
        )


def anomaly_rows(stage: Stage, networks: list[nn.Module]) -> list[dict[str, Any]]:
    """Mean and deviation of the binary cross-entropy per image, as for detecting anomalies by reconstruction.

    networks: one for each seed.
    """
    images = data.load(stage.item["dataset"]).test_images
    chunk = stage.params(f"engine.{stage.item['dataset']}.chunk")
    errors = []
    for network in networks:
        with torch.no_grad():
            blocks = [data.floats(block) for block in images.split(chunk)]
            losses = [binary_cross_entropy(network(x).reconstruction, x.flatten(1)).mean(1) for x in blocks]
        errors.append(torch.cat(losses).double())
    means, deviations = [float(e.mean()) for e in errors], [float(e.std()) for e in errors]
    return [
        seeds_row("ae_anomaly", name, values, unit="nats per pixel", n=len(images))
        for name, values in (("mean_bce", means), ("std_bce", deviations))
    ]


def reconstructions(stage: Stage, network: nn.Module) -> dict[str, np.ndarray]:
    """The first test image of each class: clean, noisy, and both restored; uint8 pictures, and labels (K,)."""
    dataset = data.load(stage.item["dataset"])
    labels = [c for c in range(len(dataset.classes)) if bool((dataset.test_labels == c).any())]
    first = torch.tensor([int((dataset.test_labels == c).nonzero()[0]) for c in labels])
    clean = data.floats(dataset.test_images[first])
    noise = torch.randn(clean.shape, generator=generator("examples", dataset.name))
    noisy = clean + training_of(stage).noise_std * noise
    with torch.no_grad():
        restored, restored_clean = (network(x).reconstruction.view(clean.shape) for x in (noisy, clean))

    def bytes_of(x: torch.Tensor) -> np.ndarray:
        return data.pictures((x.clamp(0, 1) * 255).round().to(torch.uint8))

    images = {"clean": clean, "noisy": noisy, "restored": restored, "restored_clean": restored_clean}
    return {name: bytes_of(x) for name, x in images.items()} | {"labels": np.array(labels)}
