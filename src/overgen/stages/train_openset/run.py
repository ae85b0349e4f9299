"""Train a model on k known classes only, for each k and several random subsets: the members of the open-set study.

    python -m overgen.run train_openset --dataset digits --model dae_sym

The members of one number of known classes may be trained again for longer (`longer`), from the same weights, on the
same batches, so that the two differ by the budget alone.

Reads: data/<dataset>.
Writes: models/<dataset>/openset/<model>/: weights of every member; outputs.npz, what the members say of the test
images; longer.npz, of those that were trained longer. And the cell: members.csv, a row a member; means over subsets.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from overgen import OvergenError, data
from overgen.models.weights import member_folder
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.train_openset import summary
from overgen.training.members import Member, metadata, save_member, stacked_outputs, train_members

LONGER = "-longer"  # at the end of the names of what is trained longer


class Subset(NamedTuple):
    """A subset of the classes. known: how many; number: which of the subsets of so many; classes: their numbers."""

    known: int
    number: int
    classes: list[int]

    @property
    def name(self) -> str:
        return f"k{self.known}-{self.number}"


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    train_study(stage, "openset")


def train_study(stage: Stage, study: str) -> None:
    """Train the members that the stage's own section describes; their weights lie in models/<dataset>/<study>/."""
    dataset = stage.item["dataset"]
    source = data.load(dataset)
    settings = stage.params(f"{stage.name}.{dataset}")
    subsets = [
        Subset(known, number, classes)
        for known in settings.known
        for number, classes in enumerate(class_subsets(len(source.classes), known, settings.subsets))
    ]
    trained = train(stage, subsets, settings.epochs)
    further = settings.further
    again = [subset for subset in subsets if further and subset.known == further.known]
    longer = train(stage, again, further.epochs, suffix=LONGER) if again else []
    if stage.rank == 0:
        key = f"{stage.name}.{dataset}"
        budget = {f"{key}.epochs": settings.epochs, f"{key}.subsets": settings.subsets}
        budget |= {f"{key}.known": len(settings.known)}
        with replace_directory(member_folder(study, dataset, stage.item["model"])) as folder:
            save(stage, folder / "outputs.npz", subsets, trained, budget)
            if again:
                spent = budget | {f"{key}.epochs": further.epochs}
                epochs = np.array(further.epochs)
                save(stage, folder / "longer.npz", again, longer, spent, suffix=LONGER, epochs=epochs)
        table = summary.members(source.test_labels.numpy(), subsets, trained)
        results.write(
            stage.cell, budget=budget, metrics=summary.mean_rows(table, stage.name), tables={"members": table}
        )


def class_subsets(classes: int, known: int, count: int) -> list[list[int]]:
    """Different random subsets of the classes, each sorted; all of them where there are fewer than `count`.

    classes: how many there are; known: how many a subset has; count: how many subsets.
    They depend on these numbers alone, so every model and data set meets the same ones.
    Raises OvergenError if `known` is larger than the number of classes.
    """
    if known > classes:
        raise OvergenError(f"params.yaml, train_openset.*.known: {known} known classes, but there are only {classes}")
    draws = generator("openset", classes, known)
    subsets: list[list[int]] = []
    while len(subsets) < min(count, math.comb(classes, known)):
        subset = sorted(torch.randperm(classes, generator=draws)[:known].tolist())
        if subset not in subsets:
            subsets.append(subset)
    return subsets


def train(stage: Stage, subsets: list[Subset], epochs: int, suffix: str = "") -> list[dict[str, np.ndarray]]:
    """Train the stage's model on each subset; see `train_members`. suffix: of the members' names."""
    key = (stage.item["dataset"], stage.item["model"], "openset")
    members = [Member(s.name + suffix, (*key, s.known, s.number), s.classes) for s in subsets]
    return train_members(stage, members, epochs=epochs)


def save(
    stage: Stage,
    path: Path,
    subsets: list[Subset],
    trained: list[dict[str, np.ndarray]],
    budget: dict[str, int],
    *,
    suffix: str = "",
    **more: np.ndarray,
) -> None:
    """Write the weights of members and, beside them, what they say of the test images.

    path: of the npz file: labels (N,), known (M, C) bool, `more`, and the `image_outputs` stacked by member.
    subsets, trained: of each member, its classes and its `member_arrays`; budget: what it took to train them.
    suffix: of the names of the weights.
    """
    source = data.load(stage.item["dataset"])
    common = metadata(stage, budget)
    known = np.zeros((len(subsets), len(source.classes)), bool)
    for i, (subset, arrays) in enumerate(zip(subsets, trained, strict=True)):
        known[i, subset.classes] = True
        about = common | {"known": subset.classes, "subset": subset.number}
        save_member(path.with_name(f"{subset.name}{suffix}.safetensors"), arrays, about)
    write_npz(path, labels=source.test_labels.numpy(), known=known, **more, **stacked_outputs(trained))
