"""Train the networks of Table 1 of Szegedy et al. 2013: linear, with sigmoid layers, and on top of an autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen import data
from overgen.measures.outputs import image_outputs, part
from overgen.models.perceptrons import Perceptron, PerceptronAutoencoder
from overgen.models.weights import save_weights
from overgen.run import results
from overgen.run.files import replace_directory
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import train_together
from overgen.training.module import Training


def main(stage: Stage) -> None:
    """Write models/<dataset>/<model>/<network>.safetensors and the cell: errors of each network, curves."""
    names = list(stage.params("perceptrons"))
    trained = stage.members(names, lambda i, run: train(stage, run, names[i]))
    if stage.rank == 0:
        write(stage, dict(zip(names, trained, strict=True)))


def decays(network: Perceptron, factors: list[float]) -> dict[str, float]:
    """The factor of Σw² for each layer's weights by name: λ/k, k the units of the layer."""
    layers = zip(network.weights(), factors, strict=True)
    return {f"layers.{i}.weight": factor / len(weight) for i, (weight, factor) in enumerate(layers)}


def train(stage: Stage, run: Any, name: str) -> dict[str, np.ndarray]:
    """One network: its `weight.*`, its `curve.*`, and how many training and test images it labels right."""
    source, described = data.load(stage.item["dataset"]), stage.params("perceptrons")[name]
    settings, engine = stage.params(f"train_perceptrons.{source.name}"), stage.params(f"engine.{source.name}")
    images, labels = source.train_images.to(stage.device), source.train_labels.to(stage.device)
    network = Perceptron(described.hidden, len(source.classes))
    network.initialise(generator(source.name, name, 0, "weights"))  # type: ignore[misc]  # it is CNN's own

    def fit(
        trained: nn.Module, member: str, log: Any, epochs: int, learning_rate: float, factors: dict[str, float]
    ) -> pd.DataFrame:
        module = Training(
            trained.to(stage.device), images, labels, key=(source.name, member, 0), batch_size=settings.batch_size,
            learning_rate=learning_rate, l2=0.0, decays=factors, falling=True,
        )  # fmt: skip
        return train_together(stage, [log], {member: module}, epochs=epochs, precision="32")[0][1]

    curves, rate = [], settings.learning_rate
    if described.pretrained:
        first = settings.autoencoder
        whole = PerceptronAutoencoder(network, first.sparsity, first.activation)
        nn.init.xavier_uniform_(whole.decoder.weight, generator=generator(source.name, name, 0, "decoder"))
        nn.init.zeros_(whole.decoder.bias)
        member = f"{name}-autoencoder"
        with run.member(member) as own:
            curves.append(fit(whole, member, own, first.epochs, first.learning_rate, {}).assign(pretraining=True))
        network.layers[-1].requires_grad_(True)  # the layers below stay as they are
        rate = first.softmax_learning_rate or rate
    factors = decays(network, described.decays)
    curves.append(fit(network.train(), name, run, settings.epochs, rate, factors).assign(pretraining=False))
    right = {}
    for split, x, y in (("train", images, labels), ("test", source.test_images, source.test_labels)):
        log_y = image_outputs(network, x.to(stage.device), chunk=engine.chunk, probes=engine.probes)["log_y"]
        right[split] = np.array((log_y.argmax(1) == y.cpu().numpy()).sum())
    table = pd.concat(curves)
    weights = {f"weight.{k}": v.half().cpu().numpy() for k, v in network.state_dict().items()}
    return weights | {f"curve.{column}": table[column].to_numpy() for column in table} | right


def write(stage: Stage, trained: dict[str, dict[str, np.ndarray]]) -> None:
    """Write weights and cell. trained: by name, what `train` gave."""
    source = data.load(stage.item["dataset"])
    settings, described = stage.params(key := f"train_perceptrons.{source.name}"), stage.params("perceptrons")
    budget = {f"{key}.epochs": settings.epochs}
    sizes = {"test": len(source.test_labels), "train": len(source.train_labels)}
    rows, curves = [], []
    with replace_directory(Path("models", source.name, stage.item["model"])) as folder:
        for name, arrays in trained.items():
            options = {"network": "perceptron", "hidden": described[name].hidden, "classes": len(source.classes)}
            metadata = {"model": name, "dataset": source.name, "network": options, "budget": budget}
            state = {k: torch.from_numpy(v) for k, v in part(arrays, "weight").items()}
            save_weights(folder / f"{name}.safetensors", state, metadata)
            curves.append(pd.DataFrame(part(arrays, "curve")).assign(network=name))
            for split, n in sizes.items():
                wrong = n - int(arrays[split])
                of = f"{'training' if split == 'train' else split} images"
                rows.append(results.rate_row("lbfgs", f"{split}_error", [wrong], n, of=of, model=name))
    columns = ["network", "pretraining", "epoch", "loss", "classification_loss", "reconstruction_loss", "accuracy"]
    results.write(stage.cell, budget=budget, metrics=rows, tables={"curves": pd.concat(curves)[columns]})
