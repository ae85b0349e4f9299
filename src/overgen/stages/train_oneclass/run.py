"""Train a model on one class only, for each class: the members of the one-class study (Figure 5).

A network sees nothing but images of the class, and its label; a one-class SVM sees their pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError, data
from overgen.measures.intervals import mean_interval
from overgen.measures.outputs import part
from overgen.models.params import OneClassSvmModel
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.scores.one_class_svm import OneClassSVM
from overgen.training.members import Member, metadata, save_member, stacked_outputs, train_members


def main(stage: Stage) -> None:
    """Write models/<dataset>/<model>/oneclass/ (weights and per-image outputs of every member) and the cell."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    there = len(data.load(dataset).classes)
    settings = stage.params(f"train_oneclass.{dataset}")
    if wrong := [c for c in settings.classes if c >= there]:
        raise OvergenError(f"params.yaml, train_oneclass.{dataset}.classes: {wrong} of classes 0..{there - 1}")
    names = [f"class{c}" for c in settings.classes]
    if isinstance(stage.params(f"models.{model}"), OneClassSvmModel):
        trained = stage.members(names, lambda i, _: fit_svm(stage, settings.classes[i]))
    else:
        members = [
            Member(name, (dataset, model, "oneclass", c), [c]) for name, c in zip(names, settings.classes, strict=True)
        ]
        trained = train_members(stage, members, epochs=settings.epochs)
    if stage.rank == 0:
        write(stage, names, trained)


def fit_svm(stage: Stage, chosen: int) -> dict[str, np.ndarray]:
    """A one-class SVM of one class: `state.*`, `output.score` of the test images, `fit.score` of those fitted to."""
    source = data.load(stage.item["dataset"])
    model = stage.params(f"models.{stage.item['model']}")
    images, _ = data.select(source.train_images, source.train_labels, [chosen])
    pixels, test_pixels = (data.floats(x).flatten(1).numpy() for x in (images, source.test_images))
    machine = OneClassSVM(nu=model.nu, gamma=model.gamma).fit(pixels)
    state = {f"state.{name}": array for name, array in machine.state().items()}
    return state | {"output.score": machine.score(test_pixels), "fit.score": machine.score(pixels)}


def write(stage: Stage, names: list[str], trained: list[dict[str, np.ndarray]]) -> None:
    """Write what was trained, outputs.npz and the cell.

    models/<dataset>/<model>/oneclass/: class<c>.safetensors, or .npz of a one-class SVM's `state`. outputs.npz: labels
    (N,), classes (M,), names (M,), and `image_outputs` or the SVM's score (M, N), stacked by member.
    """
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"train_oneclass.{source.name}")
    key = f"train_oneclass.{source.name}"
    budget, common = {f"{key}.classes": len(settings.classes)}, dict[str, Any]()
    measured = {"rejected_rate": ("percent", 100), "support_vector_rate": ("percent", 100)}
    if not isinstance(stage.params(f"models.{stage.item['model']}"), OneClassSvmModel):
        budget = {f"{key}.epochs": settings.epochs} | budget
        common, measured = metadata(stage, budget), {"final_loss": ("loss", 1)}
    table = pd.DataFrame([about(source, c, t) for c, t in zip(settings.classes, trained, strict=True)])
    with replace_directory(weights_path(source.name, stage.item["model"], 0).parent / "oneclass") as directory:
        for name, chosen, arrays in zip(names, settings.classes, trained, strict=True):
            if state := part(arrays, "state"):
                write_npz(directory / f"{name}.npz", **state)
            else:
                save_member(directory / f"{name}.safetensors", arrays, common | {"class": chosen})
        write_npz(
            directory / "outputs.npz",
            labels=source.test_labels.numpy(),
            classes=table["class"].to_numpy(),
            names=table["name"].to_numpy(dtype=str),
            **stacked_outputs(trained),
        )
    rows = [
        results.row(
            "train_oneclass",
            name,
            float(scale * table[name].mean()),
            unit=unit,
            n=len(table),
            interval=mean_interval(scale * table[name].to_numpy()),
            kind="95 % t interval of the mean over classes",
        )
        for name, (unit, scale) in measured.items()
    ]
    results.write(stage.cell, budget=budget, metrics=rows, tables={"members": table})


def about(source: data.Dataset, chosen: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A member's row in members.csv: what it was trained on and what came of it."""
    images = int((source.train_labels == chosen).sum())
    found: dict[str, Any] = {"class": chosen, "name": source.classes[chosen], "images": images}
    if "fit.score" in arrays:
        support = len(arrays["state.coefficients"])
        return found | {
            "rejected_rate": float((arrays["fit.score"] < 0).mean()),
            "support_vector_rate": support / images,
        }
    return found | {"final_loss": float(arrays["curve.loss"][-1])}
