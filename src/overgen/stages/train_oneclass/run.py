"""Train a model on one class only, for each class: the members of the one-class study (Spigler 2019, Figure 5).

    python -m overgen.run train_oneclass --dataset mnist --model dae_sym

A network sees nothing but images of the class, and its label; a one-class SVM sees their pixels.

Reads: data/<dataset>.
Writes: models/<dataset>/oneclass/<model>/: class<c>.safetensors, or class<c>.npz of an SVM; outputs.npz, what the
members say of the test images. And the cell: members.csv, a row a member; means over the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError, data
from overgen.measures.means import mean_row
from overgen.measures.outputs import part
from overgen.models.params import OneClassSvmModel
from overgen.models.weights import member_folder
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.scores.one_class_svm import OneClassSVM
from overgen.training.members import Member, metadata, save_member, stacked_outputs, train_members

OF_SVM = {"rejected_rate": ("percent", 100), "support_vector_rate": ("percent", 100)}  # unit, and scale
OF_NETWORK = {"final_loss": ("loss", 1)}


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    source = data.load(dataset)
    key = f"train_oneclass.{dataset}"
    settings = stage.params(key)
    if wrong := [c for c in settings.classes if c >= len(source.classes)]:
        raise OvergenError(f"params.yaml, {key}.classes: {wrong} of classes 0..{len(source.classes) - 1}")
    is_svm = isinstance(stage.params(f"models.{model}"), OneClassSvmModel)
    names = [f"class{c}" for c in settings.classes]
    if is_svm:
        trained = stage.members(names, lambda i, _: fit_svm(stage, settings.classes[i]))
    else:
        keys = [(dataset, model, "oneclass", c) for c in settings.classes]
        members = [Member(name, k, [k[-1]]) for name, k in zip(names, keys, strict=True)]
        trained = train_members(stage, members, epochs=settings.epochs)
    if stage.rank != 0:
        return
    budget = ({} if is_svm else {f"{key}.epochs": settings.epochs}) | {f"{key}.classes": len(settings.classes)}
    table = pd.DataFrame([about(source, c, t) for c, t in zip(settings.classes, trained, strict=True)])
    write(stage, table, trained, {} if is_svm else metadata(stage, budget))
    rows = mean_rows(table, OF_SVM if is_svm else OF_NETWORK)
    results.write(stage.cell, budget=budget, metrics=rows, tables={"members": table})


def fit_svm(stage: Stage, chosen: int) -> dict[str, np.ndarray]:
    """A one-class SVM of one class: `state.*`, `output.score` of the test images, `fit.score` of those fitted to."""
    source = data.load(stage.item["dataset"])
    model = stage.params(f"models.{stage.item['model']}")
    images, _ = data.select(source.train_images, source.train_labels, [chosen])
    pixels, test_pixels = (data.floats(x).flatten(1).numpy() for x in (images, source.test_images))
    machine = OneClassSVM(nu=model.nu, gamma=model.gamma).fit(pixels)
    state = {f"state.{name}": array for name, array in machine.state().items()}
    return state | {"output.score": machine.score(test_pixels), "fit.score": machine.score(pixels)}


def write(stage: Stage, members: pd.DataFrame, trained: list[dict[str, np.ndarray]], common: dict[str, Any]) -> None:
    """Write what was trained, and outputs.npz.

    members: a row each, see `about`; trained: their arrays; common: what stands in every network's weights file.
    outputs.npz: labels (N,), classes (M,), names (M,), and `image_outputs`, or the SVM's score, stacked: (M, N, ...).
    """
    source = data.load(stage.item["dataset"])
    with replace_directory(member_folder("oneclass", source.name, stage.item["model"])) as folder:
        for chosen, arrays in zip(members["class"].tolist(), trained, strict=True):
            if state := part(arrays, "state"):
                write_npz(folder / f"class{chosen}.npz", **state)
            else:
                save_member(folder / f"class{chosen}.safetensors", arrays, common | {"class": chosen})
        write_npz(
            folder / "outputs.npz",
            labels=source.test_labels.numpy(),
            classes=members["class"].to_numpy(),
            names=members["name"].to_numpy(dtype=str),
            **stacked_outputs(trained),
        )


def about(source: data.Dataset, chosen: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A member's row in members.csv: what it was trained on and what came of it; rates are fractions."""
    images = int((source.train_labels == chosen).sum())
    row: dict[str, Any] = {"class": chosen, "name": source.classes[chosen], "images": images}
    if "fit.score" not in arrays:
        return row | {"final_loss": float(arrays["curve.loss"][-1])}
    return row | {
        "rejected_rate": float((arrays["fit.score"] < 0).mean()),
        "support_vector_rate": len(arrays["state.coefficients"]) / images,
    }


def mean_rows(members: pd.DataFrame, measures: dict[str, tuple[str, int]]) -> list[dict[str, Any]]:
    """Means over the classes. members: a row each; measures: unit and scale of columns."""
    rows = []
    for name, (unit, scale) in measures.items():
        values = members[name].to_numpy()
        mean = float(scale * values.mean())
        rows.append(mean_row("train_oneclass", name, scale * values, unit=unit, over="classes", mean=mean))
    return rows
