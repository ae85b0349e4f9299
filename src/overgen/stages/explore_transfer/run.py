"""What the code of an autoencoder is good for besides copying: few labels, image search, linear decoders of layers.

    python -m overgen.run explore_transfer --dataset digits --model networks

Autoencoders of `train_codes`, one for each seed, have seen no label. Each draw of labelled images takes the next one's
code, so that draws differ by labels and by seeds. Other networks stand beside them.

Reads: data/<dataset>; the autoencoders, models/<dataset>/codes/; the networks, models/<dataset>/networks/<model>/.
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
from overgen.measures.neighbours import nearest
from overgen.measures.retrieval import precision
from overgen.models import codes, registry
from overgen.models.layers import layers
from overgen.run import results
from overgen.run.devices import limited_to
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_transfer import heads, summary

SEARCH = "search"  # the member that searches; the others are draws


def main(stage: Stage) -> None:
    """Write the cell."""
    work = Work(stage)
    names = [*(f"draw{d}" for d in range(work.settings.draws)), SEARCH]
    with limited_to(1):  # matrices are small: two threads wait for each other for longer than they compute
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
        self.networks, self.encoders, self.budget = dict[str, Any](), list[Any](), dict[str, int]()
        for model in self.settings.networks:
            self.networks[model], about = registry.trained(name, model, device=self.device)
            self.budget |= about["budget"]
        for each in self.settings.encoders:
            encoder, about = codes.load(name, each, device=self.device)
            self.encoders.append(encoder)
            self.described = about["network"]
            self.budget |= about["budget"]
        if self.settings.tests > len(self.source.test_images):
            raise OvergenError(
                f"params.yaml, explore_transfer.{name}.tests: {self.settings.tests}, but {name} has "
                f"{len(self.source.test_images)} test images"
            )
        self.pool = self.balanced()
        order = torch.randperm(len(self.source.test_images), generator=generator("transfer", name, "tests"))
        self.tests = order[: self.settings.tests]
        self.queries = order[: self.settings.queries]
        self.test_labels = self.source.test_labels[self.tests].numpy()

    def balanced(self) -> Tensor:
        """Training images of the pool: (K, pool / K), those of each class in an order of their own."""
        settings, labels, classes = self.settings, self.source.train_labels, len(self.source.classes)
        least = int(labels[labels >= 0].bincount(minlength=classes).min())
        wanted = {"pool": [settings.pool], "labels": settings.labels, "layer_labels": [settings.layer_labels]}
        for name, counts in wanted.items():
            limit = least * classes if name == "pool" else settings.pool
            if wrong := [count for count in counts if count % classes or count > limit]:
                raise OvergenError(
                    f"params.yaml, explore_transfer.{self.source.name}.{name}: {wrong[0]} must be a multiple of the "
                    f"{classes} classes, and at most {limit}"
                )
        draws = generator("transfer", self.source.name, "pool")
        of_class = [torch.nonzero(labels == c)[:, 0] for c in range(classes)]
        each = settings.pool // classes
        return torch.stack([places[torch.randperm(len(places), generator=draws)[:each]] for places in of_class])

    @cached_property
    def coded(self) -> list[list[np.ndarray]]:
        """Of each encoder the codes of the pool (P, k), class by class, and of the tests (T, k), `heads.scaled`."""
        return [heads.scaled(*(self.encoded(encoder, images) for images in self.images)) for encoder in self.encoders]

    @cached_property
    def features(self) -> dict[str, list[np.ndarray]]:
        """The same, by name, of all that has no seeds: pixels, principal components and the networks' features."""
        from sklearn.decomposition import PCA

        pixels = [data.floats(images).flatten(1).numpy() for images in self.images]
        components = PCA(self.coded[0][0].shape[1], svd_solver="covariance_eigh")
        components.fit(data.floats(self.source.train_images).flatten(1).numpy())
        views = {"pixels": pixels, "pca": [components.transform(values) for values in pixels]}
        views |= {model: [self.encoded(net, images) for images in self.images] for model, net in self.networks.items()}
        return {name: heads.scaled(*both) for name, both in views.items()}

    @cached_property
    def images(self) -> tuple[Tensor, Tensor]:
        """Those of the pool, class by class, and the test images."""
        return self.source.train_images[self.pool.flatten()], self.source.test_images[self.tests]

    @torch.no_grad()
    def encoded(self, network: Any, images: Tensor) -> np.ndarray:
        """The code, or the last hidden layer, of a network for images, (N, F)."""
        blocks = [network.encode(data.floats(block.to(self.device))) for block in images.split(self.chunk)]
        return torch.cat(blocks).float().cpu().numpy()

    @torch.no_grad()
    def layers(self, network: Any, images: Tensor) -> dict[str, np.ndarray]:
        """The outputs of each layer of a network for images, (N, F) each."""
        parts = [layers(network, data.floats(block.to(self.device))) for block in images.split(self.chunk)]
        return {name: torch.cat([part[name] for part in parts]).float().cpu().numpy() for name in parts[0]}

    @cached_property
    def tested_layers(self) -> dict[str, dict[str, np.ndarray]]:
        """By network, its layers for the first test images."""
        images = self.images[1][: self.settings.layer_tests]
        return {model: self.layers(network, images) for model, network in self.networks.items()}

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
        seed = number % len(self.encoders)
        features = {"code": self.coded[seed]} | self.features
        found: dict[str, list[float]] = {f"features.{name}": [] for name in [*features, "scratch"]}
        for count in settings.labels:
            rows = self.places(number, count)
            for name, (pool, tests) in features.items():
                answers = heads.linear(pool[rows], labels[rows], tests, inverse_decay=settings.inverse_decay)
                found[f"features.{name}"].append(self.right(answers))
            found["features.scratch"].append(self.right(self.from_scratch(number, rows, labels[rows])))
        rows = self.places(number, settings.layer_labels)
        images = self.images[0][torch.from_numpy(rows)]
        encoder = self.encoders[seed]
        tested = {"code": self.layers(encoder, self.images[1][: settings.layer_tests])} | self.tested_layers
        for name, network in {"code": encoder, **self.networks}.items():
            for layer, values in self.layers(network, images).items():
                train, tests = heads.scaled(values, tested[name][layer])
                answers = heads.linear(train, labels[rows], tests, inverse_decay=settings.inverse_decay)
                found[f"layer.{name}.{layer}"] = [self.right(answers)]
        return {name: np.array(values) for name, values in found.items()}

    def from_scratch(self, number: int, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The classes that a network with the layers of the encoders gives to the test images; rows: of the pool."""
        key = ("transfer", self.source.name, "scratch", number, len(rows))
        encoder = codes.build(self.described)
        encoder.initialise(generator(*key, "encoder"))
        head = nn.Linear(encoder.size, len(self.pool))
        nn.init.xavier_uniform_(head.weight, generator=generator(*key, "head"))
        nn.init.zeros_(head.bias)
        return heads.from_scratch(
            data.floats(self.images[0][torch.from_numpy(rows)]), torch.from_numpy(labels), data.floats(self.images[1]),
            network=nn.Sequential(nn.Flatten(), encoder.encoder, head), updates=self.settings.scratch_updates,
            draws=generator(*key, "batches"),
        )  # fmt: skip

    def right(self, answers: np.ndarray) -> float:
        return float(np.mean(answers == self.test_labels[: len(answers)]))

    def search(self) -> dict[str, np.ndarray]:
        """Of each query its label, and by features `precision.<name>` (Q, at) and `answer.<name>` (Q, shown): rows of
        the pool. Of the code, the mean precision over the encoders, and the first one's answers.
        """
        settings, labels = self.settings, np.repeat(np.arange(len(self.pool)), self.pool.shape[1])
        queries = self.source.test_labels[self.queries].numpy()
        found = {"label": queries}
        for name, views in {"code": self.coded, **{name: [both] for name, both in self.features.items()}}.items():
            count = max(*settings.at, settings.shown)
            answers = [nearest(pool, count, tests[: len(queries)]).places for pool, tests in views]
            found[f"precision.{name}"] = np.mean([precision(a, labels, queries, settings.at) for a in answers], axis=0)
            found[f"answer.{name}"] = answers[0][:, : settings.shown]
        return found

    def shown(self, searched: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The first query of each class and its first answers by pixels and by the code, to look at.

        query: (K, H, W) uint8; answer: (2, K, shown, H, W); right: (2, K, shown) bool, of the query's class.
        """
        first = [int(np.flatnonzero(searched["label"] == c)[0]) for c in np.unique(searched["label"])]
        answers = np.stack([searched[f"answer.{name}"][first] for name in ("pixels", "code")])
        images = self.images[0][torch.from_numpy(answers)]
        right = answers // self.pool.shape[1] == searched["label"][first][:, None]
        queries = self.source.test_images[self.queries[torch.tensor(first)]]
        return {"query": data.pictures(queries), "answer": data.pictures(images), "right": right}
