"""What the code of an autoencoder is good for besides copying: few labels, image search, linear decoders of layers.

    python -m overgen.run explore_transfer --dataset digits --model networks

The plain autoencoder has seen the training images and no label; the other networks have seen all labels and stand
beside it for reference.

Reads: data/<dataset>; the networks of its section, models/<dataset>/networks/<model>/.
Writes the cell: accuracy.csv, a row a draw of labelled images, features and number of labels; layers.csv, a row a draw
and layer; search.csv, a row a class of queries; examples.npz, queries with their first answers.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.measures.retrieval import nearest, precision
from overgen.models import registry
from overgen.models.layers import layers
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_transfer import heads, summary

SEARCH = "search"  # the member that searches; the others are draws


def main(stage: Stage) -> None:
    """Write the cell."""
    work = Work(stage)
    names = [*(f"draw{d}" for d in range(work.settings.draws)), SEARCH]
    found = stage.members(names, lambda i, run: work.search() if names[i] == SEARCH else work.draw(i))
    if stage.rank == 0:
        *draws, searched = found
        rows, tables = summary.cell(draws, searched, work.settings, len(work.source.classes))
        prefix = f"explore_transfer.{work.source.name}"
        own = {f"{prefix}.{key}": getattr(work.settings, key) for key in ("draws", "scratch_updates", "queries")}
        results.write(stage.cell, budget=work.budget | own, metrics=rows, tables=tables, examples=work.shown(searched))


class Work:
    """What all members share: the images and the networks."""

    def __init__(self, stage: Stage) -> None:
        self.source = data.load(stage.item["dataset"])
        name = self.source.name
        self.settings: Any = stage.params(f"explore_transfer.{name}")
        self.device, self.chunk = stage.device, stage.params(f"engine.{name}.chunk")
        self.networks, self.budget = {}, dict[str, int]()
        for model in (self.settings.encoder, *self.settings.labelled):
            self.networks[model], about = registry.trained(name, model, device=self.device)
            self.budget |= about["budget"]
        self.pool = self.balanced()
        order = torch.randperm(len(self.source.test_images), generator=generator("transfer", name, "tests"))
        self.tests = order[: self.settings.tests]
        self.queries = order[: self.settings.queries]
        self.test_labels = self.source.test_labels[self.tests].numpy()

    def balanced(self) -> Tensor:
        """Training images of the pool: (K, pool / K), those of each class in an order of their own."""
        labels, classes, key = (
            self.source.train_labels,
            len(self.source.classes),
            f"explore_transfer.{self.source.name}",
        )
        least = int(labels[labels >= 0].bincount(minlength=classes).min())
        wanted = {
            "pool": [self.settings.pool],
            "labels": self.settings.labels,
            "layer_labels": [self.settings.layer_labels],
        }
        for name, counts in wanted.items():
            limit = least * classes if name == "pool" else self.settings.pool
            if wrong := [count for count in counts if count % classes or count > limit]:
                raise OvergenError(
                    f"params.yaml, {key}.{name}: {wrong[0]} must be a multiple of the {classes} classes, and at most "
                    f"{limit}"
                )
        draws = generator("transfer", self.source.name, "pool")
        of_class = [torch.nonzero(labels == c)[:, 0] for c in range(classes)]
        each = self.settings.pool // classes
        return torch.stack([places[torch.randperm(len(places), generator=draws)[:each]] for places in of_class])

    @cached_property
    def features(self) -> dict[str, list[np.ndarray]]:
        """By name, features of the pool (P, D), class by class, and of the test images (T, D), both `heads.scaled`."""
        from sklearn.decomposition import PCA

        pool, tests = self.source.train_images[self.pool.flatten()], self.source.test_images[self.tests]
        views = {"pixels": [data.floats(images).flatten(1).numpy() for images in (pool, tests)]}
        coded = [self.code(self.settings.encoder, images) for images in (pool, tests)]
        components = PCA(coded[0].shape[1], svd_solver="covariance_eigh")
        components.fit(data.floats(self.source.train_images).flatten(1).numpy())
        views["pca"] = [components.transform(values) for values in views["pixels"]]
        views[self.settings.encoder] = coded
        for model in self.settings.labelled:
            views[model] = [self.code(model, images) for images in (pool, tests)]
        return {name: heads.scaled(*both) for name, both in views.items()}

    @torch.no_grad()
    def code(self, model: str, images: Tensor) -> np.ndarray:
        """The last hidden layer of a network for images, (N, F)."""
        encode: Any = self.networks[model].encode
        codes = [encode(data.floats(block.to(self.device))) for block in images.split(self.chunk)]
        return torch.cat(codes).float().cpu().numpy()

    @torch.no_grad()
    def layers(self, model: str, images: Tensor) -> dict[str, np.ndarray]:
        """The outputs of each layer of a network for images, (N, F) each."""
        parts = [layers(self.networks[model], data.floats(x.to(self.device))) for x in images.split(self.chunk)]
        return {name: torch.cat([part[name] for part in parts]).float().cpu().numpy() for name in parts[0]}

    @cached_property
    def tested_layers(self) -> dict[str, dict[str, np.ndarray]]:
        """By network, its layers for the first test images."""
        images = self.source.test_images[self.tests[: self.settings.layer_tests]]
        return {model: self.layers(model, images) for model in self.networks}

    def places(self, draw: int, count: int) -> np.ndarray:
        """Rows of the pool that one draw takes for labelled, (count,): the more, the further in the same order."""
        classes, each = self.pool.shape
        draws = generator("transfer", self.source.name, "draw", draw)
        order = torch.stack([torch.randperm(each, generator=draws) for _ in range(classes)])
        return (order[:, : count // classes] + each * torch.arange(classes)[:, None]).flatten().numpy()

    def draw(self, number: int) -> dict[str, np.ndarray]:
        """The accuracies, fractions, of heads on one draw of labelled images.

        `features.<name>` (L,) by number of labels, `layer.<network>.<layer>` (1,).
        """
        settings, labels = self.settings, np.repeat(np.arange(len(self.pool)), self.pool.shape[1])
        found: dict[str, list[float]] = {f"features.{name}": [] for name in [*self.features, "scratch"]}
        for count in settings.labels:
            rows = self.places(number, count)
            for name, (pool, tests) in self.features.items():
                answers = heads.linear(pool[rows], labels[rows], tests, inverse_decay=settings.inverse_decay)
                found[f"features.{name}"].append(self.right(answers))
            found["features.scratch"].append(self.right(self.from_scratch(number, rows, labels[rows])))
        rows = self.places(number, settings.layer_labels)
        images = self.source.train_images[self.pool.flatten()[torch.from_numpy(rows)]]
        for model in self.networks:
            for layer, fitted in self.layers(model, images).items():
                train, tests = heads.scaled(fitted, self.tested_layers[model][layer])
                answers = heads.linear(train, labels[rows], tests, inverse_decay=settings.inverse_decay)
                found[f"layer.{model}.{layer}"] = [self.right(answers)]
        return {name: np.array(values) for name, values in found.items()}

    def from_scratch(self, number: int, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The classes that a network with the layers of the encoder gives to the test images; rows: of the pool."""
        key = ("transfer", self.source.name, "scratch", number, len(rows))
        size = self.features[self.settings.encoder][0].shape[1]
        encoder: Any = registry.initialised("autoencoder", {"hidden": size}, key)
        head = nn.Linear(size, len(self.pool))
        nn.init.xavier_uniform_(head.weight, generator=generator(*key, "head"))
        nn.init.zeros_(head.bias)
        network = nn.Sequential(nn.Flatten(), encoder.encoder, head)
        images = data.floats(self.source.train_images[self.pool.flatten()[torch.from_numpy(rows)]])
        return heads.from_scratch(
            images, torch.from_numpy(labels), data.floats(self.source.test_images[self.tests]),
            network=network, updates=self.settings.scratch_updates, draws=generator(*key, "batches"),
        )  # fmt: skip

    def right(self, answers: np.ndarray) -> float:
        return float(np.mean(answers == self.test_labels[: len(answers)]))

    def search(self) -> dict[str, np.ndarray]:
        """Of each query its label, and by features `precision.<name>` (Q, at) and `answer.<name>` (Q, shown): rows of
        the pool."""
        labels = np.repeat(np.arange(len(self.pool)), self.pool.shape[1])
        queries = self.source.test_labels[self.queries].numpy()
        found = {"label": queries}
        for name, (pool, tests) in self.features.items():
            answers = nearest(pool, tests[: len(queries)], max(*self.settings.at, self.settings.shown))
            found[f"precision.{name}"] = precision(answers, labels, queries, self.settings.at)
            found[f"answer.{name}"] = answers[:, : self.settings.shown]
        return found

    def shown(self, searched: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The first query of each class and its first answers by pixels and by the code, to look at.

        query: (K, H, W) uint8; answer: (2, K, shown, H, W); right: (2, K, shown) bool, of the query's class.
        """
        first = [int(np.flatnonzero(searched["label"] == c)[0]) for c in np.unique(searched["label"])]
        answers = np.stack([searched[f"answer.{name}"][first] for name in ("pixels", self.settings.encoder)])
        images = self.source.train_images[self.pool.flatten()[torch.from_numpy(answers)]]
        right = answers // self.pool.shape[1] == searched["label"][first][:, None]
        queries = self.source.test_images[self.queries[torch.tensor(first)]]
        return {"query": data.pictures(queries), "answer": data.pictures(images), "right": right}
