"""Add evolved images to the training set as a class of their own, train afresh, and evolve again, round after round."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen import data
from overgen.attacks.encodings import encoding_of
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.retrain_on_fooling.summary import (
    Collecting,
    KnownClasses,
    cell_tables,
    drawn,
    labels_of,
    with_fooling_class,
)
from overgen.training.members import fit


def main(stage: Stage) -> None:
    """Write the cell: confidence of the champions and test error for each round, a row for each trial, champions.

    A member is one run, with one encoding: all rounds after one another. (Its trainings are picked up where a killed
    one stopped; its evolutions start again.)
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings, engine = stage.params(f"retrain_on_fooling.{dataset}"), stage.params(f"engine.{dataset}")
    source = data.load(dataset)
    classes = len(source.classes)
    work = [(encoding, run) for encoding in settings.encodings for run in range(settings.runs)]
    names = [f"{encoding}-run{run}" for encoding, run in work]

    def rounds(i: int, logged: Any) -> dict[str, np.ndarray]:
        encoding, run = work[i]
        added = source.train_images[:0]  # in all rounds so far
        arrays: dict[str, list[Any]] = {}
        for k in range(settings.rounds + 1):
            key = (dataset, model, "retraining", encoding, run, k)
            network, _ = fit(
                stage,
                logged,
                *with_fooling_class(source.train_images, source.train_labels, added, classes),
                member=f"{names[i]}-round{k}",
                key=key,
                epochs=settings.epochs,
                classes=classes + (k > 0),
            )
            evolution = Collecting(
                KnownClasses(network, classes),
                [generator(*key, "evolution", e, device=stage.device) for e in range(settings.evolutions)],
                encoding=encoding_of(encoding, settings),
                classes=classes,
                population=settings.population,
                stored_generations=[settings.generations],
                stop_when_reached=True,
                batch_size=engine.chunk,
            )
            stage.trainer(epochs=1).fit(evolution, train_dataloaders=range(settings.generations + 1))
            result = evolution.result()
            network = network.to(stage.device)
            labels = labels_of(network, source.test_images.to(stage.device), chunk=engine.chunk)
            recognised = labels_of(network, added.to(stage.device), chunk=engine.chunk) == classes
            for name, value in {
                "confidence": result.confidence[-1],
                "image": result.images[-1],
                "errors": int((labels != source.test_labels).sum()),
                "added": len(added),
                "recognised": int(recognised.sum()),
            }.items():
                arrays.setdefault(name, []).append(value)
            more = drawn(evolution.fooling_images(), settings.images, generator(*key, "drawn"))
            added = torch.cat([added, more])
        return {name: np.stack(values) for name, values in arrays.items()}

    found = stage.members(names, rounds)
    if stage.rank != 0:
        return
    rows, trials, examples = cell_tables(work, found, test_images=len(source.test_labels))
    spent = ("runs", "rounds", "epochs", "evolutions", "generations")
    budget = {f"retrain_on_fooling.{dataset}.{name}": getattr(settings, name) for name in spent}
    results.write(stage.cell, budget=budget, metrics=rows, tables={"trials": trials}, examples=examples)
