"""Attack what the defence reports: gradient descent on −log ỹ_t from noise, the mean image and images of other classes.

    python -m overgen.run fool_gradient --dataset mnist --model cnn

Reads the model's trained networks and their outputs on the test images. Writes the cell: rates at each threshold by
start, a row for each trial, one image of each class, and every image that fooled.

The attacks of the paper end at "fooled" or not. This one asks whether a rate of 0 is the defence's merit or the
attack's weakness. An image that fools is no fault of the network if it is simply one of its class, so the nearest
training image is found for each.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from overgen.attacks import gradient, pictures
from overgen.attacks.attacked import Arrays, Attacked, Block, in_blocks
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_gradient import summary


def main(stage: Stage) -> None:
    """Write the cell. successes.npz: trial (K,), the row of trials.csv, and image, (K, H, W) or (K, H, W, 3) uint8.

    `score_in_8_bits` of trials.csv is ỹ_t of that picture; there is none where the trial did not fool.
    """
    attack_all(stage, "gradient")


def attack_all(stage: Stage, experiment: str) -> None:
    """Attack the stage's model as the stage's own section says, and write the cell. experiment: of the cell's rows."""
    attacked = Attacked(stage)
    settings = stage.params(f"{stage.name}.{attacked.dataset}")
    attacked.refuse_black_box()
    targets = attacked.targets(settings.classes)
    trials = list(product(settings.starts, targets, range(settings.restarts)))
    work = product(attacked.seeds, attacked.pairs, in_blocks(trials, attacked.side_by_side(settings.block)))
    blocks = [Block(f"block{i}", *block) for i, block in enumerate(work)]
    outcomes = attacked.run(blocks, partial(attack, attacked, settings))
    if stage.rank != 0:
        return
    table, updates = summary.gather(blocks, outcomes, settings.attacks), sum(a.updates for a in settings.attacks)
    images = np.concatenate([outcome["image"] for outcome in outcomes])
    hits = np.flatnonzero(table["step"].notna())
    saved = pictures.rounded(images[hits], attacked.shape)
    table["score_in_8_bits"] = np.nan
    table.loc[hits, "score_in_8_bits"] = attacked.scores(saved, table.iloc[hits])
    examples = summary.examples(table, images, attacked.pairs, targets, attacked.shape)
    attacked.write(
        [row | {"experiment": experiment} for row in summary.rows(table, attacked.pairs)],
        spent={"restarts": settings.restarts, "attacks": len(settings.attacks), "updates": updates},
        tables={"trials": table},
        examples=attacked.shown(examples, examples["alpha"]),
        successes={"trial": hits, "image": saved},
    )


def attack(attacked: Attacked, settings: Any, network: nn.Module, block: Block) -> Arrays:
    """Attack a network with a block of T trials: start, target and number of each. Its attack is the (τ, α) to pass.

    Returns the arrays of `gradient.Outcome`, and (T,): source, the training image of the start, −1 for none; change,
    ‖x − start‖₂; and what `gradient.nearest` gives, nearest_label, nearest_distance and target_distance.
    """
    source, device = attacked.source, attacked.stage.device
    kinds, classes, _ = zip(*block.trials, strict=True)
    draws = [generator(attacked.dataset, block.seed, "gradient", *trial) for trial in block.trials]
    start, sources = gradient.starts(kinds, draws, classes, source.train_images, source.train_labels)
    start, targets = start.to(device), torch.tensor(classes, device=device)
    outcome = gradient.attack(
        network,
        start,
        targets,
        settings.attacks,
        partial(attacked.stage.trainer, epochs=1),
        shape=attacked.shape,
        threshold=block.attack,
        beta=attacked.beta,
        probes=attacked.probes,
        check=settings.check,
    )
    images = outcome.image.to(start)
    label, distance, target_distance = gradient.nearest(images, source.train_images, source.train_labels, targets)
    return {name: values.numpy() for name, values in vars(outcome).items()} | {
        "source": np.array(sources),
        "change": torch.linalg.vector_norm(images - start, dim=1).cpu().numpy(),
        "nearest_label": label.cpu().numpy(),
        "nearest_distance": distance.cpu().numpy(),
        "target_distance": target_distance.cpu().numpy(),
    }
