"""No "cat" can be synthesised? Classes of ImageNet synthesised from noise in several ways, shown to other networks.

    python -m overgen.run synthesise_classes --dataset imagenet_demo --model efficientnet_lite0

The lecture's claim is that what maximises a class shows parts of it, never the thing. The rule by which it is judged
stands in params.yaml beside `recognised`. Writes the cell: a row an image, and images to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen.attacks import synthesis
from overgen.data.photographs import photograph
from overgen.models.features import seen
from overgen.models.probes import Probe, last_linear
from overgen.models.witnesses import class_names, in_8_bits, log_scores, ready, resized
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.synthesise_classes import summary

ENGINE = "imagenet"  # the section that holds `threads`
Arrays = dict[str, np.ndarray]
CROPS = 3  # along each side, of half of the image's side


def main(stage: Stage) -> None:
    """Write the cell."""
    settings, demo = stage.params("synthesise_classes"), stage.params("imagenet")
    work = Work(stage)
    ways = list(settings.ways)
    made = stage.members(ways, lambda i, run: work.of_way(ways[i]))
    if stage.rank != 0:
        return
    names = class_names(work.network)
    images = pd.concat([summary.table(way, arrays, names) for way, arrays in zip(ways, made, strict=True)])
    results.write(
        stage.cell,
        budget={"synthesise_classes.steps": settings.steps, "synthesise_classes.starts": settings.starts},
        metrics=summary.rows(images, settings, demo),
        tables={"images": images},
        examples=summary.shown(dict(zip(ways, made, strict=True)), settings, names),
    )


class Work:
    """Images of one network, and what the witnesses say of them."""

    def __init__(self, stage: Stage) -> None:
        self.settings, self.demo = stage.params("synthesise_classes"), stage.params("imagenet")
        self.chunk: int = stage.params("imagenet").chunk
        self.network = ready(stage.item["model"], self.demo)
        self.witnesses = {name: ready(name, self.demo) for name in self.demo.witnesses}
        self.logits = Probe(self.network, last_linear(self.network))
        drawn = torch.randperm(self.network.classes, generator=generator("synthesise_classes")).tolist()
        others = [number for number in drawn if number != self.settings.cat][: self.settings.classes]
        self.targets = [number for number in [self.settings.cat, *others] for _ in range(self.settings.starts)]

    def of_way(self, name: str) -> Arrays:
        """The images of all classes in one way, (I, C, H, W) uint8, and a column, (I,), of each thing said of them."""
        way = self.settings.ways[name].way()
        made = []
        for first in range(0, len(self.targets), self.chunk):
            targets = self.targets[first : first + self.chunk]
            numbers = range(first, first + len(targets))
            streams = [generator("synthesise_classes", name, target, i)
                       for i, target in zip(numbers, targets, strict=True)]  # fmt: skip
            start = torch.cat([synthesis.noise(self.network.shape, way, stream) for stream in streams])
            made.append(
                synthesis.synthesise(self.objective(targets), start, way, steps=self.settings.steps, streams=streams)
            )
        images = in_8_bits(torch.cat(made))
        return self.said(images) | {"image": (255 * images).round().byte().numpy()}

    def objective(self, targets: Sequence[int]) -> synthesis.Objective:
        """The logit of each image's class (Simonyan et al. 2014)."""
        wanted = torch.tensor(targets)[:, None]
        return lambda x: self.logits(x).gather(1, wanted)[:, 0]

    def said(self, images: Tensor) -> Arrays:
        """Of each network its score of the class, its answer and the place of the class among its answers; of the
        witnesses the best score over crops too; of the first witness the nearest photograph, and the cat's place."""
        wanted = torch.tensor(self.targets)[:, None]
        columns: dict[str, Any] = {"target": self.targets}
        for name, network in {"network": self.network, **self.witnesses}.items():
            log_y = log_scores(network, images, chunk=self.chunk)
            own = log_y.gather(1, wanted)
            columns |= {f"score_{name}": own[:, 0].exp(), f"answer_{name}": log_y.argmax(1)}
            columns[f"place_{name}"] = 1 + (log_y > own).sum(1)
            if name != "network":
                of_crops = torch.stack([log_scores(network, crop, chunk=self.chunk) for crop in crops(images)])
                columns[f"crop_score_{name}"] = of_crops.gather(2, wanted.expand(len(of_crops), -1, -1)).amax(0)[:, 0]
                columns[f"crop_score_{name}"] = columns[f"crop_score_{name}"].exp()
                columns[f"crop_answers_{name}"] = (of_crops.argmax(2) == wanted[:, 0]).any(0)
        similar = self.similarity(images)
        columns["nearest"] = similar.argmax(1)
        cat = similar[:, self.demo.photographs.index("cat")] if "cat" in self.demo.photographs else None
        if cat is not None:
            columns["cat_place"] = 1 + (similar > cat[:, None]).sum(1)
        return {name: np.asarray(values) for name, values in columns.items()}

    @torch.no_grad()
    def similarity(self, images: Tensor) -> Tensor:
        """Cosines between images and photographs in the first witness's features: (I, P)."""
        witness = self.witnesses[self.demo.witnesses[0]]
        side = witness.shape[1]
        photographs = np.stack([photograph(name, side) for name in self.demo.photographs])

        def features(x: Tensor) -> Tensor:
            parts = [seen(witness, part) for part in resized(x, side).split(self.chunk)]
            found = torch.cat([logits if inner is None else inner for inner, logits in parts])
            return found / found.norm(dim=1, keepdim=True)

        return features(images) @ features(torch.from_numpy(photographs).float() / 255).T


def crops(images: Tensor) -> list[Tensor]:
    """Squares of half an image's side, on a grid that covers it: CROPS² batches."""
    side = images.shape[2]
    places = [round(i * (side - side // 2) / (CROPS - 1)) for i in range(CROPS)]
    return [images[:, :, y : y + side // 2, x : x + side // 2] for y in places for x in places]
