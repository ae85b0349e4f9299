"""How far scores can be trusted: accuracy at each threshold, calibration of y and ỹ, and what is said of noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen import data
from overgen.confidence import acceptance_radius
from overgen.measures import metrics
from overgen.measures.histograms import histograms
from overgen.measures.outputs import accuracy_rows, image_outputs, part, scaled_scores
from overgen.measures.thresholds import alpha_suffix, threshold_pairs
from overgen.models import PIXELS, registry
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator


def main(stage: Stage) -> None:
    """Write the cell: reliability.csv (a row for each bin), distances.csv (histograms of ‖r − x‖₂), and their means."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    engine = stage.params(f"engine.{dataset}")
    outputs = read_npz(weights_path(dataset, model, 0).parent / "members" / "outputs.npz")
    seeds = outputs["seeds"].tolist()
    noise = noise_images(data.load(dataset).train_images, stage.params("evaluate_confidence").noise_images)

    def evaluate(i: int, run: Any) -> dict[str, np.ndarray]:
        network, _ = registry.load(weights_path(dataset, model, seeds[i]))
        network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        found: dict[str, np.ndarray] = {}
        for kind, images in noise.items():
            values = image_outputs(network, images.to(stage.device), chunk=engine.chunk, probes=engine.probes)
            found |= {f"{kind}.{name}": array for name, array in values.items()}
        return found

    evaluated = stage.members([f"seed{seed}" for seed in seeds], evaluate)
    if stage.rank == 0:
        of_noise = {
            kind: {name: np.stack([part(e, kind)[name] for e in evaluated]) for name in part(evaluated[0], kind)}
            for kind in noise
        }
        write(stage, outputs, of_noise)


def noise_images(train_images: torch.Tensor, count: int) -> dict[str, torch.Tensor]:
    """Noise, uint8 (count, 28, 28): uniform; and normal with the training pixels' mean and deviation, clipped."""
    shape, draws = (count, data.SIDE, data.SIDE), generator("noise")
    uniform = torch.randint(0, 256, shape, generator=draws).byte()
    pixels = train_images.double()
    normal = torch.randn(shape, generator=draws, dtype=torch.float64) * pixels.std() + pixels.mean()
    return {"uniform": uniform, "normal": normal.round().clamp(0, 255).byte()}


def write(stage: Stage, outputs: dict[str, np.ndarray], noise: dict[str, dict[str, np.ndarray]]) -> None:
    """Write the cell. outputs: `image_outputs` of the test images, labels and seeds; noise: those of each kind."""
    dataset = stage.item["dataset"]
    settings, confidence = stage.params("evaluate_confidence"), stage.params(f"confidence.{dataset}")
    reconstructs = "distance" in outputs
    pairs = threshold_pairs(confidence.thresholds, reconstructs=reconstructs)
    rows, diagrams = accuracy_rows(outputs, pairs, confidence.beta), []
    for alpha in [None, *dict.fromkeys(alpha for _, alpha in pairs if reconstructs)]:
        errors, found = calibration(outputs, alpha, confidence.beta, settings.bins)
        name = "calibration_error" if alpha is None else f"scaled_calibration_error@alpha={alpha:g}"
        n = len(errors) * len(outputs["labels"])
        rows.append(results.row("confidence", name, float(np.mean(errors)), unit="fraction", n=n))
        diagrams.append(found)
    for kind, found_noise in noise.items():
        members, count = found_noise["log_y"].shape[:2]
        for tau, alpha in pairs:
            scores = [scaled_scores(found_noise, m, alpha=alpha, beta=confidence.beta).max(1) for m in range(members)]
            hits = [int((score > np.log(tau)).sum()) for score in scores]
            name = f"noise_accepted@{kind}-noise{alpha_suffix(pairs, (tau, alpha))}"
            rows.append(results.rate_row("confidence", name, hits, count, of="noise images", tau=tau))
        if reconstructs:
            hits = [int((gamma > 0).sum()) for gamma in found_noise["gamma"]]
            name = f"gamma_positive_rate@{kind}-noise"
            rows.append(results.rate_row("curvature", name, hits, count, of="noise images"))
    tables = {"reliability": pd.concat(diagrams, ignore_index=True)}
    if reconstructs:
        distances = {"test images": outputs["distance"]}
        distances |= {f"{kind} noise": found["distance"] for kind, found in noise.items()}
        tables["distances"] = histograms(distances, 4 * settings.bins)
        radii = [(tau, alpha, acceptance_radius(tau, alpha=alpha, pixels=PIXELS)) for tau, alpha in pairs]
        tables["radii"] = pd.DataFrame(radii, columns=["tau", "alpha", "distance"])
    _, metadata = registry.load(weights_path(dataset, stage.item["model"], 0))
    budget = metadata["budget"] | {"evaluate_confidence.noise_images": settings.noise_images}
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables)


def calibration(
    outputs: dict[str, np.ndarray], alpha: float | None, beta: float, bins: int
) -> tuple[list[float], pd.DataFrame]:
    """Each seed's expected calibration error, a fraction, and the reliability diagrams, of y (alpha None) or of ỹ."""
    errors, diagrams = [], []
    for member, seed in enumerate(outputs["seeds"].tolist()):
        if alpha is None:
            scores = outputs["log_y"][member].astype(np.float64)
        else:
            scores = scaled_scores(outputs, member, alpha=alpha, beta=beta)
        found = metrics.reliability(np.exp(scores.max(1)), scores.argmax(1) == outputs["labels"], bins)
        errors.append(metrics.calibration_error(found))
        diagrams.append(pd.DataFrame({"seed": seed, "alpha": alpha} | found._asdict()))
    return errors, pd.concat(diagrams, ignore_index=True)
