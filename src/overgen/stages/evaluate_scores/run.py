"""Open-set scores: the methods that the papers cite, with the networks' own, on every member under one protocol.

    python -m overgen.run evaluate_scores --dataset digits --model cnn

Of the known classes' training images some are held out from every fit; the threshold keeps a share of them. (The
networks were trained on them too: they are held out from the scores only.) Nothing is trained here but the scores.

Reads: data/<dataset>; models/<dataset>/openset/<model>/, of `train_openset`, and the budget in that stage's cell; the
images of the cell of `collect_fooling`; test images of the other data set that params.yaml names.
Writes the cell: trials.csv, a row a member and score; histograms.csv, confusion.csv and examples of one number of known
classes; and means over the members.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import data
from overgen.data import borrow
from overgen.models.weights import member_folder
from overgen.run import results
from overgen.run.files import read_json, read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.evaluate_scores import summary
from overgen.stages.evaluate_scores.member import option, scores_of


def main(stage: Stage) -> None:
    """Write the cell."""
    judge(stage, "openset", "train_openset", option(stage, f"methods.{stage.item['model']}"), "scores")


def judge(stage: Stage, study: str, training: str, methods: list[str], experiment: str) -> None:
    """Judge the members of a study by some methods, and write the cell.

    study: their folder in models/<dataset>; training: the stage that trained them; methods: names of scores.
    experiment: of the cell's rows.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    folder = member_folder(study, dataset, model)
    outputs = read_npz(folder / "outputs.npz")
    counts = outputs["known"].sum(1)
    names = [f"k{k}-{(counts[:i] == k).sum()}" for i, k in enumerate(counts)]
    further = further_images(stage)

    def evaluate(i: int, run: Any) -> dict[str, np.ndarray]:
        of_member = {name: array[i : i + 1] for name, array in outputs.items() if array.ndim > 1}
        return scores_of(stage, folder / f"{names[i]}.safetensors", of_member, further, methods)

    scores = stage.members(names, evaluate)
    if stage.rank == 0:
        trained = read_json(f"reports/cells/{dataset}/{training}/{model}/metrics.json")
        budget = {f"evaluate_scores.{name}": option(stage, name) for name in ("fit_images", "noise_images")}
        images = data.pictures(data.load(dataset).test_images)
        tables, examples = summary.tables(outputs, scores, option(stage, "keep"), images)
        rows = [row | {"experiment": experiment} for row in summary.mean_rows(tables["trials"])]
        results.write(stage.cell, budget=trained["budget"] | budget, metrics=rows, tables=tables, examples=examples)


def further_images(stage: Stage) -> dict[str, Tensor]:
    """Images that belong to no class, by kind, of the kinds that there are: (N, C, H, W) uint8.

    other_data: random test images of the other data set that params.yaml names for this one. fooling: those that
    `collect_fooling` kept.
    """
    dataset = stage.item["dataset"]
    collected = read_npz(f"reports/cells/{dataset}/collect_fooling/attacked/examples.npz")
    images = {"fooling": data.planes(torch.from_numpy(collected["image"]))}
    if name := option(stage, "other_data").get(dataset):
        borrowed = borrow.borrow(name, os.environ.get("OVERGEN_MIRROR") or None).test_images
        order = torch.randperm(len(borrowed), generator=generator("other data", name))
        images = {"other_data": borrowed[order[: option(stage, "noise_images")]]} | images
    return {kind: x for kind, x in images.items() if len(x)}
