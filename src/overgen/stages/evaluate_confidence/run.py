"""How far scores can be trusted: accuracy at each threshold, calibration of y and ỹ, and what is said of noise.

    python -m overgen.run evaluate_confidence --dataset digits --models attacked   # or --model dae_sym

Reads: data/<dataset>; the model's weights and its outputs on the test images, models/<dataset>/networks/<model>/.
Writes the cell: reliability.csv, a row a bin; and of a network that reconstructs distances.csv, histograms of ‖r − x‖₂,
and radii.csv, the distances beyond which it rejects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen import data
from overgen.measures.outputs import image_outputs, part
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.models.weights import network_folder
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.evaluate_confidence import summary


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    chunk, probes = (stage.params(f"engine.{dataset}.{name}") for name in ("chunk", "probes"))
    settings = stage.params("evaluate_confidence")
    outputs = read_npz(network_folder(dataset, model) / "outputs.npz")
    seeds = outputs["seeds"].tolist()
    images = noise_images(data.load(dataset).train_images, settings.noise_images)

    def evaluate(i: int, run: Any) -> dict[str, np.ndarray]:
        network, _ = registry.trained(dataset, model, seeds[i], device=stage.device)
        seen = {k: image_outputs(network, x.to(stage.device), chunk=chunk, probes=probes) for k, x in images.items()}
        return {f"{kind}.{name}": array for kind, values in seen.items() for name, array in values.items()}

    members = stage.members([f"seed{seed}" for seed in seeds], evaluate)
    if stage.rank == 0:
        confidence = stage.params(f"confidence.{dataset}")
        pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
        noise = {
            kind: {name: np.stack([part(m, kind)[name] for m in members]) for name in part(members[0], kind)}
            for kind in images
        }
        rows, tables = summary.cell(outputs, noise, pairs, confidence.beta, settings.bins)
        _, metadata = registry.trained(dataset, model)
        budget = metadata["budget"] | {"evaluate_confidence.noise_images": settings.noise_images}
        results.write(stage.cell, budget=budget, metrics=rows, tables=tables)


def noise_images(train_images: torch.Tensor, count: int) -> dict[str, torch.Tensor]:
    """Noise, (count, C, H, W) uint8: uniform; and normal with the training pixels' mean and deviation, clipped."""
    shape, draws = (count, *train_images.shape[1:]), generator("noise")
    uniform = torch.randint(0, 256, shape, generator=draws).byte()
    pixels = train_images.double()
    normal = torch.randn(shape, generator=draws, dtype=torch.float64) * pixels.std() + pixels.mean()
    return {"uniform": uniform, "normal": normal.round().clamp(0, 255).byte()}
