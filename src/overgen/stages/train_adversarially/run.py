"""Does training on adversarial examples lower the test error, and does the network then need larger changes?

    python -m overgen.run train_adversarially --dataset mnist --model perceptrons

Szegedy et al. 2013, Section 4: a network with two hidden layers, trained with pools of adversarial examples
(`overgen.training.pool`), against weight decay and against dropout. Of the settings of each training the one with the
fewest errors on held-out training images is taken, the first of equal ones; with it the network is trained anew on all
training images, once for each seed. Then the smallest changes of test images that every network labels right are
found, for each network.

What is asked of the result, and by what test, was written down before: docs/questions.md, section 8.

Reads: data/<dataset>.
Writes: models/<dataset>/adversarial/perceptrons/<training>-seed<k>.safetensors. And the cell: settings.csv, a row a
setting with its errors on the held-out images; curves.csv, a row a training, seed and epoch; errors.csv, a row a
training and seed; trials.csv, a row an image attacked; successes.npz, every changed image that its network sees as the
target, and examples.npz, the first of seed 0.
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
from overgen.stages.train_adversarially import summary
from overgen.stages.train_adversarially.networks import DroppingPerceptron
from overgen.stages.train_perceptrons.run import decays
from overgen.training.members import save_member
from overgen.training.perceptrons import restored, trained, wrong
from overgen.training.pool import PoolTraining

SPENT = ("held_out", "epochs", "images")


def main(stage: Stage) -> None:
    """Write weights and the cell."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"train_adversarially.{source.name}")
    tried = [(name, i) for name, each in settings.trainings.items() for i in range(len(each))]
    searched = of_all_ranks(
        stage, [f"{name}-setting{i}" for name, i in tried], lambda i, run: search(stage, run, *tried[i])
    )
    errors = {of: int(arrays["wrong"].sum()) for of, arrays in zip(tried, searched, strict=True)}
    chosen = summary.best(errors)
    work = list(product(settings.trainings, settings.seeds))
    names = [f"{name}-seed{seed}" for name, seed in work]
    networks = of_all_ranks(
        stage, names, lambda i, run: train(stage, run, names[i], chosen[work[i][0]], *work[i])
    )  # fmt: skip
    index = right_for_all(stage, networks)
    attacked = stage.members([f"{name}-attacked" for name in names], lambda i, _: attack(stage, networks[i], index))
    if stage.rank != 0:
        return
    budget = {f"{key}.{name}": getattr(settings, name) for name in SPENT}
    budget |= {f"{key}.seeds": len(settings.seeds), f"{key}.settings": len(tried)}
    described = {"network": "perceptron", "hidden": settings.hidden, "classes": len(source.classes)}
    with replace_directory(Path("models", source.name, "adversarial", stage.item["model"])) as folder:
        for (name, seed), member, arrays in zip(work, names, networks, strict=True):
            about = {"model": name, "dataset": source.name, "network": described, "seed": seed, "budget": budget}
            save_member(folder / f"{member}.safetensors", arrays, about)
    trainings, outcomes = dict(zip(work, networks, strict=True)), dict(zip(work, attacked, strict=True))
    trials = summary.trials(outcomes, source)
    results.write(
        stage.cell,
        budget=budget,
        metrics=summary.rows(errors, chosen, trainings, trials, settings),
        tables={
            "settings": summary.settings_table(errors, chosen, settings),
            "curves": summary.curves(trainings),
            "errors": summary.errors_table(trainings),
            "trials": trials,
        },
        examples=examples({name: arrays for (name, seed), arrays in outcomes.items() if seed == 0}, source),
        successes=successes(outcomes),
    )


def of_all_ranks(stage: Stage, names: list[str], compute: Any) -> list[dict[str, np.ndarray]]:
    """The arrays of every member on every rank, as what comes next hangs on them; arguments as of `Stage.members`."""
    stage.members(names, compute)
    return [read_npz(stage.progress / f"{name}.npz") for name in names]


def held_out(source: data.Dataset, count: int) -> tuple[Tensor, Tensor]:
    """The numbers of training images that are held out, and of the others; the same for every training."""
    order = torch.randperm(len(source.train_labels), generator=generator(source.name, "adversarial", "held out"))
    return order[:count], order[count:]


def search(stage: Stage, run: Any, name: str, i: int) -> dict[str, np.ndarray]:
    """One setting of a training: which held-out images the network labels wrong that is trained on the others."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"train_adversarially.{source.name}")
    if settings.held_out >= len(source.train_labels):
        raise OvergenError(
            f"{key}.held_out: {settings.held_out} of {len(source.train_labels)} training images; lower it"
        )
    judged, rest = held_out(source, settings.held_out)
    member = f"{name}-setting{i}"
    network, arrays = fit(stage, run, member, i, name, "search", rest)
    return arrays | {"wrong": wrong(stage, network, source.train_images[judged], source.train_labels[judged])}


def train(stage: Stage, run: Any, member: str, i: int, name: str, seed: int) -> dict[str, np.ndarray]:
    """A training with its setting i on all images: `weight.*`, `curve.*`, and which images it labels wrong.

    Returned besides: wrong_test and wrong_train, bool.
    """
    source = data.load(stage.item["dataset"])
    network, arrays = fit(stage, run, member, i, name, seed, torch.arange(len(source.train_labels)))
    return arrays | {
        "wrong_test": wrong(stage, network, source.test_images, source.test_labels),
        "wrong_train": wrong(stage, network, source.train_images, source.train_labels),
    }


def fit(stage: Stage, run: Any, member: str, i: int, name: str, seed: int | str, rows: Tensor) -> Any:
    """Train on some training images; see `training.perceptrons.trained`.

    The initial weights and the order of the images depend on the seed alone: trainings of one seed begin alike.
    """
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"train_adversarially.{source.name}")
    setting, classes = settings.trainings[name][i], len(source.classes)
    network, options = Perceptron(settings.hidden, classes), dict[str, Any]()
    if setting.dropout:
        network, options = DroppingPerceptron(settings.hidden, classes, setting.dropout), {"draws": True}
    if setting.levels:
        pools = settings.pools.model_dump()
        options |= {"training": PoolTraining, "levels": setting.levels, "weight": setting.weight} | pools
    return trained(
        stage, run, network, source.train_images[rows], source.train_labels[rows],
        member=member, key=(source.name, "adversarial", seed), settings=settings,
        decays=decays(network, setting.decays), **options,
    )  # fmt: skip


def network_of(stage: Stage, arrays: dict[str, np.ndarray]) -> Perceptron:
    """A trained network from its arrays."""
    source = data.load(stage.item["dataset"])
    return restored(arrays, stage.params(f"train_adversarially.{source.name}").hidden, len(source.classes))


def right_for_all(stage: Stage, networks: list[dict[str, np.ndarray]]) -> Tensor:
    """The test images that are attacked, (N,): the first in a random order that every network labels right.

    Raises OvergenError if there are fewer than are asked for.
    """
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"train_adversarially.{source.name}")
    right = ~np.any([arrays["wrong_test"] for arrays in networks], axis=0)
    order = labelled_right(network_of(stage, networks[0]), source)
    index = order[torch.from_numpy(right[order.numpy()])]
    if len(index) < settings.images:
        raise OvergenError(
            f"{key}.images: {settings.images}, but all networks label only {len(index)} test images right"
        )
    return index[: settings.images]


def attack(stage: Stage, arrays: dict[str, np.ndarray], index: Tensor) -> dict[str, np.ndarray]:
    """The smallest changes of some test images, (N,), against one network.

    Returns index, target, c, fooled and score (y of the target), (N,), and image (N, 28, 28).
    """
    source = data.load(stage.item["dataset"])
    network = network_of(stage, arrays).to(stage.device)
    found = smallest(network, source, index)
    return {name: values.cpu().numpy() for name, values in found.items()}
