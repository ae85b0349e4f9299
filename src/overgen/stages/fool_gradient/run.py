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
from torch import Tensor, nn

from overgen.attacks import gradient, pictures
from overgen.attacks.passage import Passage
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.attacking import Arrays, Attacked, Block, in_blocks
from overgen.stages.fool_gradient import summary
from overgen.stages.fool_gradient.params import GradientDescent


def main(stage: Stage) -> None:
    """Write the cell. successes.npz: trial (K,), the row of trials.csv, and image (K, 28, 28) uint8.

    `score_in_8_bits` of trials.csv is ỹ_t of that picture; there is none where the trial did not fool.
    """
    attacked = Attacked(stage)
    settings = stage.params(f"fool_gradient.{attacked.dataset}")
    trials = list(product(settings.starts, range(attacked.classes), range(settings.restarts)))
    work = product(attacked.seeds, attacked.pairs, in_blocks(trials, settings.block))
    blocks = [Block(f"block{i}", *block) for i, block in enumerate(work)]
    outcomes = attacked.run(blocks, partial(attack, attacked, settings))
    if stage.rank != 0:
        return
    table = summary.gather(blocks, outcomes, settings.attacks)
    images = np.concatenate([outcome["image"] for outcome in outcomes])
    hits = np.flatnonzero(table["step"].notna())
    saved = pictures.rounded(images[hits])
    table["score_in_8_bits"] = np.nan
    table.loc[hits, "score_in_8_bits"] = attacked.scores(saved, table.iloc[hits])
    attacked.write(
        summary.rows(table, attacked.pairs),
        spent={
            "restarts": settings.restarts,
            "attacks": len(settings.attacks),
            "updates": sum(options.updates for options in settings.attacks),
        },
        tables={"trials": table},
        examples=summary.examples(table, images, attacked.pairs, attacked.classes),
        successes={"trial": hits, "image": saved},
    )


def attack(attacked: Attacked, settings: Any, network: nn.Module, block: Block) -> Arrays:
    """Try the attacks of params.yaml in turn on a block, each on the trials that none has fooled yet.

    block: its attack is the (τ, α) to pass; of each of its T trials start, target and number. Returns the arrays of
    `gradient.Outcome`, and (T,): source, the training image of the start, −1 for none; change, ‖x − start‖₂; and what
    `gradient.nearest` gives, nearest_label, nearest_distance and target_distance.
    """
    source = attacked.source
    kinds, classes, _ = zip(*block.trials, strict=True)
    draws = [generator(attacked.dataset, block.seed, "gradient", *trial) for trial in block.trials]
    start, sources = gradient.starts(kinds, draws, classes, source.train_images, source.train_labels)
    start, targets = start.to(attacked.stage.device), torch.tensor(classes, device=attacked.stage.device)

    def descend(options: GradientDescent, rows: Tensor) -> Passage:
        rows = rows.to(start.device)
        module = gradient.GradientAttack(
            network,
            start[rows],
            targets[rows],
            threshold=block.attack,
            beta=attacked.beta,
            probes=attacked.probes,
            learning_rate=options.learning_rate,
            objective=options.objective,
            check=settings.check,
        )
        return module.run(attacked.stage.trainer(epochs=1), options.updates)

    attacks = [(partial(descend, options), options.updates) for options in settings.attacks]
    outcome = gradient.in_turn(attacks, trials=len(block.trials), alpha=block.attack[1], beta=attacked.beta)
    images = outcome.image.to(start)
    label, distance, target_distance = gradient.nearest(images, source.train_images, source.train_labels, targets)
    return {name: values.numpy() for name, values in vars(outcome).items()} | {
        "source": np.array(sources),
        "change": torch.linalg.vector_norm(images - start, dim=1).cpu().numpy(),
        "nearest_label": label.cpu().numpy(),
        "nearest_distance": distance.cpu().numpy(),
        "target_distance": target_distance.cpu().numpy(),
    }
