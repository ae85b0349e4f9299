"""Try what the papers leave open on images held out from training: the evidence behind the choices in params.yaml."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen import data
from overgen.measures.metrics import thresholded_accuracy
from overgen.measures.outputs import image_outputs, part, scaled_scores
from overgen.measures.thresholds import threshold_pairs
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import fit, member_arrays

NOISE_IMAGES = 1_000  # of uniform noise: what a network says of them tells whether it rejects anything


def main(stage: Stage) -> None:
    """Write the cell: a row for each setting. All start from the same random streams; test images are never read."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    search, engine = stage.params(f"search_choices.{dataset}.{model}"), stage.params(f"engine.{dataset}")
    source = data.load(dataset)
    order = torch.randperm(len(source.train_labels), generator=generator(dataset, "held out"))
    held, rest = order[: search.held_out], order[search.held_out :]
    noise = torch.randint(0, 256, (NOISE_IMAGES, data.SIDE, data.SIDE), generator=generator("noise"))

    def train(i: int, run: Any) -> dict[str, np.ndarray]:
        changed, training = search.chosen(search.settings[i])
        network, curves = fit(
            stage,
            run,
            source.train_images[rest],
            source.train_labels[rest],
            member=f"setting{i}",
            key=(dataset, model, "search"),
            epochs=search.epochs,
            classes=len(source.classes),
            model=changed,
            training=training,
        )
        arrays = member_arrays(network, curves, source.train_images[held].to(stage.device), engine)
        outputs = image_outputs(network, noise.byte().to(stage.device), chunk=engine.chunk, probes=engine.probes)
        return arrays | {f"noise.{name}": values for name, values in outputs.items()}

    trained = stage.members([f"setting{i}" for i in range(len(search.settings))], train)
    if stage.rank == 0:
        write(stage, source.train_labels[held].numpy(), trained)


def write(stage: Stage, labels: np.ndarray, trained: list[dict[str, np.ndarray]]) -> None:
    """Write the table of settings, and the accuracies of each as metrics."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    search, confidence = stage.params(f"search_choices.{dataset}.{model}"), stage.params(f"confidence.{dataset}")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="output.distance" in trained[0])
    table, rows = [], []
    for i, (setting, arrays) in enumerate(zip(search.settings, trained, strict=True)):
        outputs, noise = ({k: v[None] for k, v in part(arrays, name).items()} for name in ("output", "noise"))
        found: dict[str, Any] = {"setting": text(setting), "final_loss": float(arrays["curve.loss"][-1])}
        for tau, alpha in [(0.0, 0.0), *pairs]:
            scores = scaled_scores(outputs, 0, alpha=alpha, beta=confidence.beta)
            hits = round(len(labels) * thresholded_accuracy(scores, labels, tau))
            name = f"accuracy@tau={tau:g},alpha={alpha:g}"
            found[name] = 100 * hits / len(labels)
            rows.append(results.rate_row("search", f"{name},setting={i}", [hits], len(labels), of="held-out images"))
        tau, alpha = pairs[0]
        best = scaled_scores(noise, 0, alpha=alpha, beta=confidence.beta).max(1)
        found["noise_median_score"] = float(np.exp(np.median(best)))
        found[f"noise_accepted@tau={tau:g},alpha={alpha:g}"] = 100 * float((best > np.log(tau)).mean())
        if "distance" in outputs:
            found["median_distance"] = float(np.median(outputs["distance"]))
        table.append(found)
    key = f"search_choices.{dataset}.{model}"
    budget = {
        f"{key}.epochs": search.epochs,
        f"{key}.settings": len(search.settings),
        f"{key}.held_out": search.held_out,
    }
    results.write(stage.cell, budget=budget, metrics=rows, tables={"settings": pd.DataFrame(table)})


def text(setting: dict[str, Any]) -> str:
    """A setting as "output_std: 0.1, l2: 5", or "base"."""
    return ", ".join(f"{name}: {value}" for name, value in setting.items()) or "base"
