"""Train a model on k known classes only, for each k and several random subsets: the members of the open-set study."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from overgen import OvergenError, data
from overgen.measures.intervals import mean_interval
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import Member, metadata, save_member, stacked_outputs, train_members

Subset = tuple[int, int, list[int]]  # how many classes are known, which subset it is, the classes
LONGER = "-longer"  # at the end of the names of what is trained longer


def class_subsets(classes: int, known: int, count: int) -> list[list[int]]:
    """`count` different random subsets of `known` of the classes, sorted; all of them where there are fewer.

    They depend on these numbers alone, so every model and data set meets the same ones. Raises OvergenError if
    `known` is larger than the number of classes.
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


def main(stage: Stage) -> None:
    """Write models/<dataset>/<model>/openset/ (weights and per-image outputs of every member) and the cell.

    The members of one number of known classes may be trained again for longer (`longer`), from the same weights, on the
    same batches, so that the two differ by the budget alone.
    """
    dataset = stage.item["dataset"]
    classes = len(data.load(dataset).classes)
    settings = stage.params(f"train_openset.{dataset}")
    members = [
        (known, subset, chosen)
        for known in settings.known
        for subset, chosen in enumerate(class_subsets(classes, known, settings.subsets))
    ]
    trained = train(stage, members, settings.epochs)
    longer = []
    if settings.further:
        again = [member for member in members if member[0] == settings.further.known]
        longer = train(stage, again, settings.further.epochs, suffix=LONGER)
    if stage.rank == 0:
        write(stage, members, trained, longer)


def name_of(member: Subset) -> str:
    return f"k{member[0]}-{member[1]}"


def train(stage: Stage, members: list[Subset], epochs: int, suffix: str = "") -> list[dict[str, np.ndarray]]:
    """Train the stage's model on each subset; see `train_members`. suffix: of the members' names."""
    key = (stage.item["dataset"], stage.item["model"], "openset")
    return train_members(
        stage,
        [Member(name_of(member) + suffix, (*key, *member[:2]), member[2]) for member in members],
        epochs=epochs,
    )


def write(
    stage: Stage,
    members: list[Subset],
    trained: list[dict[str, np.ndarray]],
    longer: list[dict[str, np.ndarray]],
) -> None:
    """Write weights, outputs.npz (labels (N,), known (M, C) bool, `image_outputs` stacked by member) and the cell.

    longer: of the members with so many known classes, in order; what they come to is written as longer.npz.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    source = data.load(dataset)
    labels = source.test_labels.numpy()
    settings = stage.params(f"train_openset.{dataset}")
    budget = {
        f"train_openset.{dataset}.epochs": settings.epochs,
        f"train_openset.{dataset}.subsets": settings.subsets,
        f"train_openset.{dataset}.known": len(settings.known),
    }
    common = metadata(stage, budget)
    known = np.zeros((len(members), len(source.classes)), bool)
    further = settings.further
    at_longer = [i for i, member in enumerate(members) if further and member[0] == further.known]
    table = []
    with replace_directory(weights_path(dataset, model, 0).parent / "openset") as directory:
        for i, (count, subset, chosen) in enumerate(members):
            known[i, chosen] = True
            mine = np.isin(labels, chosen)
            right = trained[i]["output.log_y"].argmax(1)[mine] == labels[mine]
            table.append(
                {
                    "known": count,
                    "subset": subset,
                    "classes": " ".join(map(str, chosen)),
                    "known_accuracy": float(right.mean()),
                    "final_loss": float(trained[i]["curve.loss"][-1]),
                }
            )
            about = common | {"known": chosen, "subset": subset}
            save_member(directory / f"{name_of(members[i])}.safetensors", trained[i], about)
        write_npz(directory / "outputs.npz", labels=labels, known=known, **stacked_outputs(trained))
        if further:
            spent = {"budget": budget | {f"train_openset.{dataset}.epochs": further.epochs}}
            for i, arrays in zip(at_longer, longer, strict=True):
                about = common | spent | {"known": members[i][2], "subset": members[i][1]}
                save_member(directory / f"{name_of(members[i])}{LONGER}.safetensors", arrays, about)
            arrays = {"labels": labels, "known": known[at_longer], "epochs": np.array(further.epochs)}
            write_npz(directory / "longer.npz", **arrays, **stacked_outputs(longer))
    frame = pd.DataFrame(table)
    rows = [
        results.row(
            "train_openset",
            f"known_accuracy@known={count}",
            100 * float(group["known_accuracy"].mean()),
            unit="percent",
            n=len(group),
            interval=mean_interval(100 * group["known_accuracy"].to_numpy(), bounds=(0, 100)),
            kind="95 % t interval of the mean over subsets",
        )
        for count, group in frame.groupby("known")
    ]
    results.write(stage.cell, budget=budget, metrics=rows, tables={"members": frame})
