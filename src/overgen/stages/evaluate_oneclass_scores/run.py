"""One-class recognition by open-set scores that need no network: beside Figure 5, on the same problems.

Each score is fitted on the pixels of the training images of one class, or learns to tell them from a pool of negatives,
and then ranks all test images. Its options are those of `evaluate_scores`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen import OvergenError, data
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores import views
from overgen.scores.methods import METHODS, Options
from overgen.scores.views import negatives
from overgen.stages.evaluate_oneclass.run import means, trials
from overgen.training.members import part


def main(stage: Stage) -> None:
    """Write the cell: a row for each problem and score, and the means over the problems."""
    dataset = stage.item["dataset"]
    source = data.load(dataset)
    key = f"train_oneclass.{dataset}"
    classes = stage.params(key).classes
    if wrong := [c for c in classes if c >= len(source.classes)]:
        raise OvergenError(f"params.yaml, {key}.classes: {wrong} of classes 0..{len(source.classes) - 1}")

    def scores(i: int, run: Any) -> dict[str, np.ndarray]:
        return {f"score.{name}": found for name, found in scores_of(stage, source, classes[i]).items()}

    found = stage.members([f"class{c}" for c in classes], scores)
    if stage.rank == 0:
        problems = {
            "labels": source.test_labels.numpy(),
            "classes": np.array(classes),
            "names": np.array([source.classes[c] for c in classes]),
        }
        table = pd.DataFrame(
            [
                row
                for i, arrays in enumerate(found)
                for row in trials(problems, i, {f"@score={k}": v for k, v in part(arrays, "score").items()})
            ]
        )
        spent = {f"{key}.classes": len(classes)}
        results.write(stage.cell, budget=spent, metrics=means(table), tables={"trials": table})


def scores_of(stage: Stage, source: data.Dataset, chosen: int) -> dict[str, np.ndarray]:
    """The test images' scores by each method that was fitted on one class, (N,): larger = more like it."""
    options = Options.on(source.name, stage.params("evaluate_scores"))
    names = stage.params("evaluate_oneclass_scores").methods
    draws = generator("one-class scores", source.name, chosen)
    images, _ = data.select(source.train_images, source.train_labels, [chosen])
    images = images[torch.randperm(len(images), generator=draws)]
    negatives = {pool: negatives(pool, images, draws) for pool in ("uniform", "shuffled")}

    def pixels(x: torch.Tensor) -> np.ndarray:
        return views.views(nn.Identity(), x, {"pixels"}, chunk=len(x))["pixels"]

    known, seen, labels = pixels(images), pixels(source.test_images), np.full(len(images), chosen)
    found = {}
    for name in names:
        method = METHODS[name]
        apart = {"negatives": pixels(negatives[method.pool])} if method.pool else {}
        found[name] = method.make(options).fit(known, labels, **apart).score(seen)
    return found
