"""Train a model on k known classes only, for each k and several random subsets: the members of the open-set study."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from overgen import cells, data, networks, runtime
from overgen.artifacts import OvergenError, replace_directory, write_npz
from overgen.statistics import mean_interval
from overgen.training import Member, metadata, save_member, stacked_outputs, train_members


def class_subsets(classes: int, known: int, count: int) -> list[list[int]]:
    """`count` different random subsets of `known` of the classes, sorted; all of them where there are fewer.

    They depend on these numbers alone, so every model and data set meets the same ones. Raises OvergenError if
    `known` is larger than the number of classes.
    """
    if known > classes:
        raise OvergenError(f"params.yaml, train_openset.*.known: {known} known classes, but there are only {classes}")
    draws = runtime.generator("openset", classes, known)
    subsets: list[list[int]] = []
    while len(subsets) < min(count, math.comb(classes, known)):
        subset = sorted(torch.randperm(classes, generator=draws)[:known].tolist())
        if subset not in subsets:
            subsets.append(subset)
    return subsets


def main(dataset: str, model: str) -> None:
    """Write models/<dataset>/<model>/openset/ (weights and per-image outputs of every member) and the cell."""
    with runtime.stage("train_openset", dataset=dataset, model=model) as stage:
        classes = len(data.load(dataset).classes)
        settings = stage.params(f"train_openset.{dataset}")
        members = [
            (known, subset, chosen)
            for known in settings.known
            for subset, chosen in enumerate(class_subsets(classes, known, settings.subsets))
        ]
        names = [f"k{known}-{subset}" for known, subset, _ in members]
        trained = train_members(
            stage,
            [
                Member(name, (dataset, model, "openset", known, subset), chosen)
                for name, (known, subset, chosen) in zip(names, members, strict=True)
            ],
            epochs=settings.epochs,
        )
        if stage.rank == 0:
            write(stage, names, members, trained)


def write(
    stage: runtime.Stage,
    names: list[str],
    members: list[tuple[int, int, list[int]]],
    trained: list[dict[str, np.ndarray]],
) -> None:
    """Write weights, outputs.npz (labels (N,), known (M, C) bool, `image_outputs` stacked by member) and the cell."""
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
    table = []
    with replace_directory(networks.weights_path(dataset, model, 0).parent / "openset") as directory:
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
            save_member(directory / f"{names[i]}.safetensors", trained[i], common | {"known": chosen, "subset": subset})
        write_npz(directory / "outputs.npz", labels=labels, known=known, **stacked_outputs(trained))
    frame = pd.DataFrame(table)
    rows = [
        cells.row(
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
    cells.write(stage.cell, budget=budget, metrics=rows, tables={"members": frame})


if __name__ == "__main__":
    runtime.command(main)
