"""Do examples made for a network fool those trained on other images? Szegedy et al. 2013, Tables 3 and 4.

    python -m overgen.run transfer_between_halves --dataset mnist --model perceptrons

The training images are divided at random into two halves, anew for each seed; each network of the section sees one of
them, and the test images never. Then the smallest changes of test images that make it see another class are shown to
the others: as they are, and brought to distortions that are the same for all. Beside them stands Gaussian noise.

What is asked of the result, and by what test, was written down before: docs/questions.md, section 7.

Reads: data/<dataset>.
Writes: models/<dataset>/halves/perceptrons/<network>-seed<k>.safetensors. And the cell: halves.csv, a row a network and
seed; trials.csv, a row an image attacked, with the label that each network of the seed gives to each form of it;
noise.csv, a row a network, seed and distortion; successes.npz, every changed image that its network sees as the target,
and examples.npz, the first of seed 0.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.models.perceptrons import Perceptron
from overgen.run import results
from overgen.run.files import read_npz, replace_directory
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_lbfgs.attack import smallest
from overgen.stages.fool_lbfgs.labels import labelled_right
from overgen.stages.fool_lbfgs.summary import examples, successes
from overgen.stages.train_perceptrons.run import decays
from overgen.stages.transfer_between_halves import summary
from overgen.training.members import save_member
from overgen.training.perceptrons import restored, trained, wrong

SPENT = ("epochs", "images", "noise_images")


def main(stage: Stage) -> None:
    """Write weights and the cell."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"transfer_between_halves.{source.name}")
    work = list(product(settings.seeds, settings.networks))
    names = [f"{name}-seed{seed}" for seed, name in work]
    stage.members(names, lambda i, run: train(stage, run, names[i], *work[i]))
    networks = {of: read_npz(stage.progress / f"{name}.npz") for of, name in zip(work, names, strict=True)}
    attacked = stage.members(
        [f"{name}-attacked" for name in names], lambda i, _: attack(stage, networks[work[i]], names[i], work[i][1])
    )
    if stage.rank != 0:
        return
    budget = {f"{key}.{name}": getattr(settings, name) for name in SPENT} | {f"{key}.seeds": len(settings.seeds)}
    with replace_directory(Path("models", source.name, "halves", stage.item["model"])) as folder:
        for (seed, name), member in zip(work, names, strict=True):
            network = {"network": "perceptron", "hidden": settings.networks[name].hidden}
            about = {"model": name, "dataset": source.name, "seed": seed, "budget": budget}
            about["network"] = network | {"classes": len(source.classes)}
            save_member(folder / f"{member}.safetensors", networks[seed, name], about)
    outcomes = dict(zip(work, attacked, strict=True))
    judges = {of: network_of(stage, arrays, of[1]) for of, arrays in networks.items()}
    trials = summary.trials(judges, outcomes, source, settings)
    noise = summary.noise(judges, source, settings)
    results.write(
        stage.cell,
        budget=budget,
        metrics=summary.rows(networks, trials, noise, settings),
        tables={"halves": summary.halves(networks, settings), "trials": trials, "noise": noise},
        examples=examples({name: arrays for (seed, name), arrays in outcomes.items() if seed == 0}, source),
        successes=successes(outcomes),
    )


def halves(source: data.Dataset, seed: int) -> tuple[Tensor, Tensor]:
    """The numbers of the training images of both halves, at random; of an odd number the second has one more."""
    order = torch.randperm(len(source.train_labels), generator=generator(source.name, "halves", seed))
    middle = len(order) // 2
    return order[:middle], order[middle:]


def network_of(stage: Stage, arrays: dict[str, np.ndarray], name: str) -> Perceptron:
    """A trained network from its arrays, by its name in params.yaml."""
    dataset = stage.item["dataset"]
    described = stage.params(f"transfer_between_halves.{dataset}").networks[name]
    return restored(arrays, described.hidden, len(data.load(dataset).classes))


def train(stage: Stage, run: Any, member: str, seed: int, name: str) -> dict[str, np.ndarray]:
    """One network on its half: its `weight.*`, its `curve.*`, and which images it labels wrong.

    run: to log to. Returned besides: wrong_first_half and wrong_second_half, of the training images in the order of
    `halves`, and wrong_test, of the test images; bool.
    """
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"transfer_between_halves.{source.name}")
    described, both = settings.networks[name], halves(source, seed)
    own = both[described.half]
    network = Perceptron(described.hidden, len(source.classes))
    after, arrays = trained(
        stage, run, network,
        source.train_images[own], source.train_labels[own],
        member=member, key=(source.name, "halves", name, seed), settings=settings,
        decays=decays(network, described.decays),
    )  # fmt: skip
    for half, rows in zip(summary.HALVES, both, strict=True):
        arrays[f"wrong_{half}"] = wrong(stage, after, source.train_images[rows], source.train_labels[rows])
    return arrays | {"wrong_test": wrong(stage, after, source.test_images, source.test_labels)}


def attack(stage: Stage, arrays: dict[str, np.ndarray], member: str, name: str) -> dict[str, np.ndarray]:
    """The smallest changes of test images that one network labels right. N images.

    Returns index (of the test set), target, c, fooled and score (y of the target), (N,), and image (N, 28, 28).
    Raises OvergenError if the network labels fewer test images right than are to be attacked.
    """
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"transfer_between_halves.{source.name}")
    network = network_of(stage, arrays, name).to(stage.device)
    right = labelled_right(network, source)
    if len(right) < settings.images:
        raise OvergenError(f"{key}.images: {settings.images}, but {member} labels only {len(right)} test images right")
    found = smallest(network, source, right[: settings.images])
    return {name: values.cpu().numpy() for name, values in found.items()}
