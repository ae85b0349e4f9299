"""Add evolved images to the training set as a class of their own, train afresh, and evolve again, round after round.

    python -m overgen.run retrain_on_fooling --dataset mnist --model lenet

Reads the data set. Writes the cell: confidence of the champions and test error for each round, a row for each trial,
champions.

Nguyen, Yosinski & Clune 2015 (Section 3) find that on MNIST this does not help, however often it is repeated.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch

from overgen import data
from overgen.attacks.encodings import encoding_of
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.retrain_on_fooling import summary
from overgen.stages.retrain_on_fooling.rounds import Collecting, KnownClasses, drawn, labels_of, with_fooling_class
from overgen.training.members import fit

SPENT = ("runs", "rounds", "epochs", "evolutions", "generations")


def main(stage: Stage) -> None:
    """Write the cell.

    A member is one run, with one encoding: all rounds after one another. (Its trainings are picked up where a killed
    one stopped; its evolutions start again.)
    """
    dataset = stage.item["dataset"]
    settings = stage.params(key := f"retrain_on_fooling.{dataset}")
    work = list(product(settings.encodings, range(settings.runs)))
    names = [f"{encoding}-run{run}" for encoding, run in work]
    outcomes = stage.members(names, lambda i, logged: rounds(stage, *work[i], names[i], logged))
    if stage.rank != 0:
        return
    rows, trials, examples = summary.cell_tables(work, outcomes, test_images=len(data.load(dataset).test_labels))
    budget = {f"{key}.{name}": getattr(settings, name) for name in SPENT}
    results.write(stage.cell, budget=budget, metrics=rows, tables={"trials": trials}, examples=examples)


def rounds(stage: Stage, encoding: str, run: int, name: str, logged: Any) -> dict[str, np.ndarray]:
    """All rounds of one run: the arrays of a member, see `summary.cell_tables`. logged: the run of MLflow."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings, source = stage.params(f"retrain_on_fooling.{dataset}"), data.load(dataset)
    classes, chunk = len(source.classes), stage.params(f"engine.{dataset}.chunk")
    labels = partial(labels_of, chunk=chunk)
    added = source.train_images[:0]  # in all rounds so far
    arrays: dict[str, list[Any]] = {}
    for k in range(settings.rounds + 1):
        key = (dataset, model, "retraining", encoding, run, k)
        images = with_fooling_class(source.train_images, source.train_labels, added, classes)
        network, _ = fit(
            stage, logged, *images,
            member=f"{name}-round{k}", key=key, epochs=settings.epochs, classes=classes + (k > 0),
        )  # fmt: skip
        evolution = Collecting(
            KnownClasses(network, classes),
            [generator(*key, "evolution", e, device=stage.device) for e in range(settings.evolutions)],
            shape=source.shape,
            encoding=encoding_of(encoding, settings),
            classes=classes,
            population=settings.population,
            stored_generations=[settings.generations],
            stop_when_reached=True,
            batch_size=chunk,
        )
        stage.trainer(epochs=1).fit(evolution, train_dataloaders=range(settings.generations + 1))
        result = evolution.result()
        network = network.to(stage.device)
        outcome = {
            "confidence": result.confidence[-1],
            "image": result.images[-1],
            "errors": int((labels(network, source.test_images.to(stage.device)) != source.test_labels).sum()),
            "added": len(added),
            "recognised": int((labels(network, added.to(stage.device)) == classes).sum()),
        }
        for field, value in outcome.items():
            arrays.setdefault(field, []).append(value)
        added = torch.cat([added, drawn(evolution.fooling_images(), settings.images, generator(*key, "drawn"))])
    return {field: np.stack(values) for field, values in arrays.items()}
