"""One-class recognition by scores that need no network: beside Figure 5, on the same problems.

    python -m overgen.run evaluate_oneclass_scores --dataset mnist --model pixels

Each score is fitted on the pixels of the training images of one class, or learns to tell them from a pool of negatives,
and then ranks all test images. Its options are those of `evaluate_scores`.

Reads: data/<dataset>.
Writes the cell: trials.csv, a row a problem and score; means over the problems; and what autoencoders that are trained
otherwise gain over the plain one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from overgen import OvergenError, data
from overgen.measures.outputs import part
from overgen.run import progress, results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores import methods, views
from overgen.scores.names import FITTED
from overgen.stages.evaluate_oneclass import summary  # the same rows of the same experiment, of other scores
from overgen.stages.evaluate_oneclass_scores.summary import gain_rows


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset = stage.item["dataset"]
    source = data.load(dataset)
    key = f"train_oneclass.{dataset}"
    classes = stage.params(f"{key}.classes")
    if wrong := [c for c in classes if c >= len(source.classes)]:
        raise OvergenError(f"params.yaml, {key}.classes: {wrong} of classes 0..{len(source.classes) - 1}")

    def evaluate(i: int, run: Any) -> dict[str, np.ndarray]:
        return {f"score.{name}": values for name, values in scores(stage, source, classes[i]).items()}

    evaluated = stage.members([f"class{c}" for c in classes], evaluate)
    if stage.rank == 0:
        by_suffix = [{f"@score={k}": v for k, v in part(arrays, "score").items()} for arrays in evaluated]
        trials = summary.trials(source.test_labels.numpy(), classes, [source.classes[c] for c in classes], by_suffix)
        budget = {f"{key}.classes": len(classes)}
        rows = summary.mean_rows(trials) + gain_rows(trials)
        results.write(stage.cell, budget=budget, metrics=rows, tables={"trials": trials})


def scores(stage: Stage, source: data.Dataset, chosen: int) -> dict[str, np.ndarray]:
    """The test images' scores by each method that was fitted on one class: (N,), larger = more like it."""
    options = methods.options_on(source.name, lambda name: stage.params(f"evaluate_scores.{name}"))
    draws = generator("one-class scores", source.name, chosen)
    images, _ = data.select(source.train_images, source.train_labels, [chosen])
    images = images[torch.randperm(len(images), generator=draws)]
    pools = {pool: views.negatives(pool, images, draws) for pool in ("uniform", "shuffled")}

    def pixels(x: torch.Tensor) -> np.ndarray:
        return views.views(nn.Identity(), x, {"pixels"}, chunk=len(x))["pixels"]

    known, test, labels = pixels(images), pixels(source.test_images), np.full(len(images), chosen)
    by_name = {}
    for name in progress.steps(stage.params("evaluate_oneclass_scores").methods, "method"):
        pool = FITTED[name].pool
        negatives = {"negatives": pixels(pools[pool])} if pool else {}
        by_name[name] = methods.make(name, options).fit(known, labels, **negatives).score(test)
    return by_name
