"""Attack what the defence reports: gradient descent on −log ỹ_t from noise, the mean image and images of other classes.

The attacks of the paper end at "fooled" or not; this one asks whether a rate of 0 is the defence's merit or the
attack's weakness. An image that fools is no fault of the network if it is simply one of its class: so the nearest
training image is found for each.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen import data
from overgen.attacks import pictures
from overgen.attacks.gradient import GradientAttack, in_turn, nearest, starts
from overgen.attacks.passage import Passage
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_gradient import summary as fool_gradient_summary
from overgen.stages.fool_gradient.params import GradientDescent


def main(stage: Stage) -> None:
    """Write the cell: rates at each threshold by start, a row for each trial, images.

    successes.npz holds every image that fooled, as a picture of 8 bits a pixel: trial (K,), the row of trials.csv, and
    image (K, 28, 28) uint8. `score_in_8_bits` is its ỹ_t, and there is none where the trial did not fool.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings, engine = stage.params(f"fool_gradient.{dataset}"), stage.params(f"engine.{dataset}")
    confidence = stage.params(f"confidence.{dataset}")
    outputs = read_npz(weights_path(dataset, model, 0).parent / "members" / "outputs.npz")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
    source = data.load(dataset)
    classes = len(source.classes)
    trials = [(start, target, trial) for start in settings.starts for target in range(classes)
              for trial in range(settings.restarts)]  # fmt: skip
    blocks = [trials[i : i + settings.block] for i in range(0, len(trials), settings.block)]
    work = list(product(outputs["seeds"].tolist(), pairs, blocks))

    def run_block(i: int, run: Any) -> dict[str, np.ndarray]:
        seed, pair, block = work[i]
        network, _ = registry.load(weights_path(dataset, model, seed))
        network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        kinds, wanted, _ = zip(*block, strict=True)
        draws = [generator(dataset, seed, "gradient", *trial) for trial in block]
        first, indices = starts(kinds, draws, wanted, source.train_images, source.train_labels)
        images, targets = first.to(stage.device), torch.tensor(wanted, device=stage.device)

        def attack(rows: Tensor, options: GradientDescent) -> Passage:
            rows = rows.to(stage.device)
            module = GradientAttack(
                network,
                images[rows],
                targets[rows],
                threshold=pair,
                beta=confidence.beta,
                probes=engine.probes,
                learning_rate=options.learning_rate,
                objective=options.objective,
                check=settings.check,
            )
            return module.run(stage.trainer(epochs=1), options.updates)

        found = in_turn(
            [(partial(attack, options=options), options.updates) for options in settings.attacks],
            trials=len(block),
            alpha=pair[1],
            beta=confidence.beta,
        )
        ended = found.image.to(images)
        label, apart, of_target = nearest(ended, source.train_images, source.train_labels, targets)
        return {name: t.numpy() for name, t in vars(found).items()} | {
            "source": np.array(indices),
            "change": torch.linalg.vector_norm(ended - images, dim=1).cpu().numpy(),
            "nearest_label": label.cpu().numpy(),
            "nearest_distance": apart.cpu().numpy(),
            "target_distance": of_target.cpu().numpy(),
        }

    found = stage.members([f"block{i}" for i in range(len(work))], run_block)
    if stage.rank != 0:
        return
    table, images = gather(work, found, settings.attacks), np.concatenate([f["image"] for f in found])
    hits = np.flatnonzero(table["step"].notna())
    kept = pictures.rounded(images[hits])
    judge = {"beta": confidence.beta, "probes": engine.probes, "device": stage.device}
    table["score_in_8_bits"] = np.nan
    table.loc[hits, "score_in_8_bits"] = pictures.scores(kept, table.iloc[hits], dataset=dataset, model=model, **judge)
    _, metadata = registry.load(weights_path(dataset, model, 0))
    key = f"fool_gradient.{dataset}"
    budget = metadata["budget"] | {
        f"{key}.restarts": settings.restarts,
        f"{key}.attacks": len(settings.attacks),
        f"{key}.updates": sum(attack.updates for attack in settings.attacks),
    }
    results.write(
        stage.cell,
        budget=budget,
        metrics=fool_gradient_summary.rows(table, pairs),
        tables={"trials": table},
        examples=fool_gradient_summary.examples(table, images, pairs, classes),
        successes={"trial": hits, "image": kept},
    )


def gather(work: list[Any], found: list[dict[str, np.ndarray]], attacks: list[GradientDescent]) -> pd.DataFrame:
    """All trials as one table: a row for each seed, pair, start, target and trial.

    objective, learning_rate: of the attack that fooled, else of the one with the highest score; step: updates of all
    attacks until then; score: ỹ_t of the image; source: the training image of the start.
    """
    parts = []
    for (seed, (tau, alpha), block), arrays in zip(work, found, strict=True):
        step, index = pd.Series(arrays["step"], dtype="Int64"), pd.Series(arrays["source"], dtype="Int64")
        parts.append(
            pd.DataFrame(
                {
                    "seed": seed,
                    "tau": tau,
                    "alpha": alpha,
                    "start": [start for start, _, _ in block],
                    "target": [target for _, target, _ in block],
                    "trial": [trial for _, _, trial in block],
                    "source": index.mask(index < 0),
                    "objective": [attacks[i].objective for i in arrays["attack"]],
                    "learning_rate": [attacks[i].learning_rate for i in arrays["attack"]],
                    "step": step.mask(step < 0),
                    "score": np.exp(arrays["score"]),
                    "final_distance": arrays["distance"],
                    "final_gamma": arrays["gamma"],
                    **{k: arrays[k] for k in ("change", "target_distance", "nearest_label", "nearest_distance")},
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
