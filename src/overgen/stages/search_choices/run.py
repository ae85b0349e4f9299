"""Try what the papers leave open, on images held out from training: the evidence behind the choices in params.yaml.

    python -m overgen.run search_choices --dataset mnist --model dae_sym

All settings start from the same random streams; test images are never read.

Reads: data/<dataset>.
Writes the cell: settings.csv, a row a setting; and the accuracies of each on the held-out images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen import data
from overgen.measures.outputs import image_outputs
from overgen.measures.thresholds import threshold_pairs
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.search_choices import summary
from overgen.training.members import fit, member_arrays

NOISE_IMAGES = 1_000  # of uniform noise: what a network says of them tells whether it rejects anything


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    key = f"search_choices.{dataset}.{model}"
    search, engine = stage.params(key), stage.params(f"engine.{dataset}")
    source = data.load(dataset)
    order = torch.randperm(len(source.train_labels), generator=generator(dataset, "held out"))
    held_out, rest = order[: search.held_out], order[search.held_out :]
    noise = torch.randint(0, 256, (NOISE_IMAGES, *source.shape), generator=generator("noise")).byte()

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
        arrays = member_arrays(network, curves, source.train_images[held_out].to(stage.device), engine)
        outputs = image_outputs(network, noise.to(stage.device), chunk=engine.chunk, probes=engine.probes)
        return arrays | {f"noise.{name}": values for name, values in outputs.items()}

    trained = stage.members([f"setting{i}" for i in range(len(search.settings))], train)
    if stage.rank == 0:
        confidence = stage.params(f"confidence.{dataset}")
        pairs = threshold_pairs(confidence.thresholds, reconstructs="output.distance" in trained[0])
        labels = source.train_labels[held_out].numpy()
        table, rows = summary.settings(search.settings, trained, labels, pairs, confidence.beta)
        budget = {f"{key}.epochs": search.epochs}
        budget |= {f"{key}.settings": len(search.settings), f"{key}.held_out": search.held_out}
        results.write(stage.cell, budget=budget, metrics=rows, tables={"settings": table})
