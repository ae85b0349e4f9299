"""Attack what the defence reports: gradient descent on −log ỹ_t from noise, the mean image and images of other classes.

The attacks of the paper end at "fooled" or not; this one asks whether a rate of 0 is the defence's merit or the
attack's weakness. An image that fools is no fault of the network if it is simply one of its class: so the nearest
training image is found for each.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen import cells, data, networks, runtime
from overgen.artifacts import read_npz
from overgen.attacks import gradient_summary as summary
from overgen.attacks.gradient import GradientAttack, nearest, starts
from overgen.confidence import log_gate, log_reconstruction, threshold_pairs


def main(dataset: str, model: str) -> None:
    """Write the cell: rates at each threshold by start, a row for each trial and attack, images."""
    with runtime.stage("fool_gradient", dataset=dataset, model=model) as stage:
        settings, engine = stage.params(f"fool_gradient.{dataset}"), stage.params(f"engine.{dataset}")
        confidence = stage.params(f"confidence.{dataset}")
        outputs = read_npz(networks.weights_path(dataset, model, 0).parent / "members" / "outputs.npz")
        pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
        source = data.load(dataset)
        classes = len(source.classes)
        trials = [(start, target, trial) for start in settings.starts for target in range(classes)
                  for trial in range(settings.restarts)]  # fmt: skip
        blocks = [trials[i : i + settings.block] for i in range(0, len(trials), settings.block)]
        work = list(product(outputs["seeds"].tolist(), pairs, settings.objectives, settings.learning_rates, blocks))

        def run_block(i: int, run: Any) -> dict[str, np.ndarray]:
            seed, pair, objective, learning_rate, block = work[i]
            network, _ = networks.load(networks.weights_path(dataset, model, seed))
            network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            kinds, wanted, _ = zip(*block, strict=True)
            draws = [runtime.generator(dataset, seed, "gradient", *trial) for trial in block]
            first, indices = starts(kinds, draws, wanted, source.train_images, source.train_labels)
            images, targets = first.to(stage.device), torch.tensor(wanted, device=stage.device)
            module = GradientAttack(
                network,
                images,
                targets,
                threshold=pair,
                beta=confidence.beta,
                probes=engine.probes,
                learning_rate=learning_rate,
                objective=objective,
                check=settings.check,
            )
            passage = module.run(stage.trainer(epochs=1), settings.updates)
            ended = passage.image.to(stage.device)
            label, apart, of_target = nearest(ended, source.train_images, source.train_labels, targets)
            return {name: t.numpy() for name, t in vars(passage).items()} | {
                "source": np.array(indices),
                "change": torch.linalg.vector_norm(ended - images, dim=1).cpu().numpy(),
                "nearest_label": label.cpu().numpy(),
                "nearest_distance": apart.cpu().numpy(),
                "target_distance": of_target.cpu().numpy(),
            }

        found = stage.members([f"attack{i}" for i in range(len(work))], run_block)
        if stage.rank != 0:
            return
        table = gather(work, found, beta=confidence.beta)
        _, metadata = networks.load(networks.weights_path(dataset, model, 0))
        key = f"fool_gradient.{dataset}"
        budget = metadata["budget"] | {f"{key}.restarts": settings.restarts, f"{key}.updates": settings.updates}
        shown = summary.examples(table, np.concatenate([f["image"] for f in found]), pairs, classes)
        cells.write(
            stage.cell, budget=budget, metrics=summary.rows(table, pairs), tables={"trials": table}, examples=shown
        )


def gather(work: list[Any], found: list[dict[str, np.ndarray]], *, beta: float) -> pd.DataFrame:
    """All attacks as one table: a row for each seed, pair, objective, learning rate, start, target and trial.

    score: ỹ_t of the image at the passage, or at the end; source: the training image of the start.
    """
    parts = []
    for (seed, (tau, alpha), objective, learning_rate, block), arrays in zip(work, found, strict=True):
        step, index = pd.Series(arrays["step"][:, 0], dtype="Int64"), pd.Series(arrays["source"], dtype="Int64")
        log_score = arrays["log_y"].astype(np.float64)
        if np.isfinite(arrays["distance"]).all():
            log_score = log_score + log_reconstruction(arrays["distance"], alpha=alpha, pixels=networks.PIXELS)
            log_score = log_score + log_gate(arrays["gamma"].astype(np.float64), beta=beta)
        parts.append(
            pd.DataFrame(
                {
                    "seed": seed,
                    "tau": tau,
                    "alpha": alpha,
                    "objective": objective,
                    "learning_rate": learning_rate,
                    "start": [start for start, _, _ in block],
                    "target": [target for _, target, _ in block],
                    "trial": [trial for _, _, trial in block],
                    "source": index.mask(index < 0),
                    "step": step.mask(step < 0),
                    "score": np.exp(log_score),
                    "final_distance": arrays["distance"],
                    "final_gamma": arrays["gamma"],
                    **{k: arrays[k] for k in ("change", "target_distance", "nearest_label", "nearest_distance")},
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    runtime.command(main)
