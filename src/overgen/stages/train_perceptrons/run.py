"""Train the networks of Table 1 of Szegedy et al. 2013: linear, with sigmoid layers, and on top of an autoencoder.

    python -m overgen.run train_perceptrons --dataset mnist --model perceptrons

Reads: data/<dataset>.
Writes: models/<dataset>/perceptrons/<network>.safetensors, one for each network of the section `perceptrons`. And the
cell: curves.csv, a row a network and epoch; the errors of each on training and test images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from overgen import data
from overgen.measures.outputs import image_outputs, part
from overgen.models import check_shape
from overgen.models.perceptrons import Perceptron, PerceptronAutoencoder
from overgen.run import results
from overgen.run.files import replace_directory
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import curve_arrays, save_member, train_together, weight_arrays
from overgen.training.module import Training

COLUMNS = ["network", "pretraining", "epoch", "loss", "classification_loss", "reconstruction_loss", "accuracy"]


def main(stage: Stage) -> None:
    """Write weights and the cell."""
    source = data.load(stage.item["dataset"])
    settings, described = stage.params(key := f"train_perceptrons.{source.name}"), stage.params("perceptrons")
    names = list(described)
    trained = stage.members(names, lambda i, run: train(stage, run, names[i]))
    if stage.rank != 0:
        return
    budget = {f"{key}.epochs": settings.epochs}
    sizes = {"test": len(source.test_labels), "train": len(source.train_labels)}
    rows, curves = [], []
    with replace_directory(Path("models", source.name, stage.item["model"])) as folder:
        for name, arrays in zip(names, trained, strict=True):
            options = {"network": "perceptron", "hidden": described[name].hidden, "classes": len(source.classes)}
            metadata = {"model": name, "dataset": source.name, "network": options, "budget": budget}
            save_member(folder / f"{name}.safetensors", arrays, metadata)
            curves.append(pd.DataFrame(part(arrays, "curve")).assign(network=name))
            for split, n in sizes.items():
                wrong = n - int(arrays[split])
                of = f"{'training' if split == 'train' else split} images"
                rows.append(results.rate_row("lbfgs", f"{split}_error", [wrong], n, of=of, model=name))
    results.write(stage.cell, budget=budget, metrics=rows, tables={"curves": pd.concat(curves)[COLUMNS]})


def train(stage: Stage, run: Any, name: str) -> dict[str, np.ndarray]:
    """One network: its `weight.*`, its `curve.*`, and how many training and test images it labels right.

    run: to log to; name: of the section `perceptrons`.
    """
    source, described = data.load(stage.item["dataset"]), stage.params("perceptrons")[name]
    settings, engine = stage.params(f"train_perceptrons.{source.name}"), stage.params(f"engine.{source.name}")
    check_shape("perceptron", source.shape, source.name)
    network = Perceptron(described.hidden, len(source.classes))
    network.initialise(generator(source.name, name, 0, "weights"))  # type: ignore[misc]  # it is CNN's own
    curves, rate = [], settings.learning_rate
    if described.pretrained:
        first = settings.autoencoder
        whole = PerceptronAutoencoder(network, first.sparsity, first.activation)
        nn.init.xavier_uniform_(whole.decoder.weight, generator=generator(source.name, name, 0, "decoder"))
        nn.init.zeros_(whole.decoder.bias)
        member = f"{name}-autoencoder"
        with run.member(member) as own:
            curves.append(
                fit(stage, own, whole, member, first.epochs, first.learning_rate, {}).assign(pretraining=True)
            )
        network.layers[-1].requires_grad_(True)  # the layers below stay as they are
        rate = first.softmax_learning_rate or rate
    factors = decays(network, described.decays)
    curves.append(fit(stage, run, network.train(), name, settings.epochs, rate, factors).assign(pretraining=False))
    right = {}
    for split, x, labels in (
        ("train", source.train_images, source.train_labels), ("test", source.test_images, source.test_labels)
    ):  # fmt: skip
        log_y = image_outputs(network, x.to(stage.device), chunk=engine.chunk, probes=engine.probes)["log_y"]
        right[split] = np.array((log_y.argmax(1) == labels.numpy()).sum())
    return weight_arrays(network) | curve_arrays(pd.concat(curves)) | right


def decays(network: Perceptron, factors: list[float]) -> dict[str, float]:
    """The factor of Σw² for each layer's weights by name: λ/k, k the units of the layer. factors: λ of each layer."""
    layers = zip(network.weights(), factors, strict=True)
    return {f"layers.{i}.weight": factor / len(weight) for i, (weight, factor) in enumerate(layers)}


def fit(
    stage: Stage, run: Any, network: nn.Module, member: str, epochs: int, learning_rate: float, decays: dict[str, float]
) -> pd.DataFrame:
    """Train a network in place, in float32. Returns its curves, a row an epoch.

    run: to log to; member: names the progress file and the random streams; decays: as in `Training`.
    """
    source = data.load(stage.item["dataset"])
    module = Training(
        network.to(stage.device),
        source.train_images.to(stage.device),
        source.train_labels.to(stage.device),
        key=(source.name, member, 0),
        batch_size=stage.params(f"train_perceptrons.{source.name}").batch_size,
        learning_rate=learning_rate,
        l2=0.0,
        decays=decays,
        falling=True,
    )
    return train_together(stage, [run], {member: module}, epochs=epochs, precision="32")[0][1]
