"""The skeleton of the stages that attack a model's trained networks, one network a seed.

Such a stage says in what blocks its trials come, how one block attacks one network, and what its cell tells of the
trials. All else is here: `Attacked` loads what is attacked, runs the blocks as the members of the cell, scores the
images that fooled as the pictures that they are saved as, and writes the cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen import OvergenError, data
from overgen.attacks import pictures
from overgen.attacks.params import TARGETS
from overgen.measures.outputs import scores_of_images
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.models.weights import network_folder
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator

LARGE = 2**14  # numbers of an image, beyond which a cell shows it in 8 bits
PIXELS_OF_BLOCK = 2**21  # numbers of the images that an attack moves together: 13 images of 3 × 224 × 224
Trial = TypeVar("Trial")
Arrays = dict[str, np.ndarray]


class Block(NamedTuple):
    """Trials that attack one network together, side by side: a member of the cell.

    name: of the member. seed: of the network. attack: what tells the cell's attacks apart, such as an objective, a
    (τ, α) pair or an encoding. trials: of any form that the stage gives them.
    """

    name: str
    seed: int
    attack: Any
    trials: Sequence[Any]


def sampled(classes: int, count: int, *key: object) -> list[int]:
    """The classes that are attacked, in order: all, or `count` that depend on the key alone if there are more."""
    if classes <= count:
        return list(range(classes))
    return sorted(torch.randperm(classes, generator=generator("sampled classes", *key))[:count].tolist())


def in_blocks(trials: Sequence[Trial], size: int) -> list[Sequence[Trial]]:
    """The trials in blocks of that size, in order; the last one may be smaller."""
    return [trials[i : i + size] for i in range(0, len(trials), size)]


class Attacked:
    """What a cell of an attack stage is about: a model's networks, what they say of test images, and how ỹ is judged.

    source: the data set, of K classes and images of a shape (C, H, W). outputs: the stored arrays of `image_outputs` on
    its test images, stacked over seeds, with labels and seeds.
    pairs: the (τ, α) that ỹ is judged at, α = 0 where the model does not reconstruct. beta, probes: of ỹ.
    Raises OvergenError if the outputs are missing or broken.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.dataset, self.model = stage.item["dataset"], stage.item["model"]
        confidence = stage.params(f"confidence.{self.dataset}")
        self.outputs = read_npz(network_folder(self.dataset, self.model) / "outputs.npz")
        self.seeds: list[int] = self.outputs["seeds"].tolist()
        self.reconstructs = "distance" in self.outputs
        self.thresholds = confidence.thresholds
        self.pairs = threshold_pairs(confidence.thresholds, reconstructs=self.reconstructs)
        self.beta = confidence.beta
        self.probes, self.chunk = (stage.params(f"engine.{self.dataset}.{name}") for name in ("probes", "chunk"))
        self.source = data.load(self.dataset)
        self.classes = len(self.source.classes)
        self.shape = self.source.shape

    def network(self, seed: int) -> nn.Module:
        """The trained network of a seed, on the stage's device."""
        return registry.trained(self.dataset, self.model, seed, device=self.stage.device)[0]

    def targets(self, count: int = TARGETS) -> list[int]:
        """The classes that are attacked: all, or `count` of them, the same for every model and attack."""
        return sampled(self.classes, count, self.dataset)

    def side_by_side(self, most: int) -> int:
        """How many trials a block has: at most so many, and no more than have `PIXELS_OF_BLOCK` pixels together."""
        return max(1, min(most, PIXELS_OF_BLOCK // math.prod(self.shape)))

    def refuse_black_box(self) -> None:
        """OvergenError if the model's networks have no gradient, which the stage's attack follows."""
        if not getattr(self.network(self.seeds[0]), "differentiable", True):
            raise OvergenError(
                f"{self.stage.name}: {self.model} is a black box, whose output has no gradient that this attack could "
                "follow; fool_evolution needs only its scores"
            )

    def run(self, blocks: Sequence[Block], attack: Callable[[nn.Module, Block], Arrays]) -> list[Arrays]:
        """What the attack came to on each block, in order; an empty list on ranks but 0, which have no more to do."""
        names = [block.name for block in blocks]
        return self.stage.members(names, lambda i, _: attack(self.network(blocks[i].seed), blocks[i]))

    def scores(self, saved: np.ndarray, trials: pd.DataFrame) -> np.ndarray:
        """ỹ_t of pictures by the networks that they fooled, (K,) float64.

        saved: (K, H, W) or (K, H, W, 3), integers. trials: a row for each, with the columns seed (of the network),
        alpha and target.
        """
        scores = np.zeros(len(saved))
        for seed in trials["seed"].unique().tolist():
            rows = (trials["seed"] == seed).to_numpy()
            alphas, targets = (trials.loc[rows, name].to_numpy() for name in ("alpha", "target"))
            of_classes = scores_of_images(
                self.network(seed), pictures.images(saved[rows]), alphas, beta=self.beta, probes=self.probes,
                device=self.stage.device,
            )  # fmt: skip
            scores[rows] = of_classes[np.arange(len(targets)), targets]
        return scores

    def successes(self, images: np.ndarray, hits: pd.DataFrame) -> tuple[Arrays, pd.DataFrame]:
        """What a cell keeps of the images that fooled, its successes.npz; and the hits with the scores of the pictures.

        images: (K, D) in [0, 1], flat. hits: a row for each, with the columns trial (its row of trials.csv), seed, tau,
        alpha and target. An attack that ends at the first image above τ ends barely above it, so the rounding puts some
        of the images back to τ or below: many of them in 8 bits a pixel, few in 16.
        Returns trial, tau, alpha and score (K,) and image, (K, H, W) or (K, H, W, 3) uint16, score being that of the
        image in these 16 bits; and the hits with the columns score_in_8_bits and score_in_16_bits.
        """
        saved = pictures.rounded(images, self.shape, np.uint16)
        hits = hits.assign(
            score_in_8_bits=self.scores(pictures.rounded(images, self.shape), hits),
            score_in_16_bits=self.scores(saved, hits),
        )
        columns = {"trial": "trial", "tau": "tau", "alpha": "alpha", "score": "score_in_16_bits"}
        return {name: hits[column].to_numpy() for name, column in columns.items()} | {"image": saved}, hits

    def shown(self, examples: Arrays, alphas: np.ndarray, score: str = "score") -> Arrays:
        """Examples as the cell keeps them: of large images pictures in 8 bits, with the scores of these.

        examples: image (G, C, ...) in [0, 1] of networks of the first seed, their scores (G, C) under the name `score`,
        and what tells their targets; alphas: (G,) of these scores. Small images stay as they are, in float32.
        """
        if math.prod(self.shape) <= LARGE:
            return examples
        saved = np.rint(255 * examples["image"]).astype(np.uint8)
        groups, classes = saved.shape[:2]
        targets = examples.get("target", np.arange(classes))
        trials = pd.DataFrame({"alpha": np.repeat(alphas, classes), "target": np.tile(targets, groups)})
        scores = self.scores(saved.reshape(-1, *saved.shape[2:]), trials.assign(seed=self.seeds[0]))
        shown = examples | {"image": saved, score: scores.reshape(groups, classes)}
        if "fooled" in examples:
            shown["fooled"] = examples["fooled"] & (shown[score] > examples["tau"][:, None])
        return shown

    def write(
        self,
        rows: list[dict[str, Any]],
        *,
        spent: Mapping[str, int],
        tables: Mapping[str, pd.DataFrame],
        examples: Arrays,
        successes: Arrays,
    ) -> None:
        """Write the cell. rows: of metrics.json. spent: the stage's own budget by name in its section of params.yaml;
        that of the training joins it. Other arguments: see `results.write`."""
        _, metadata = registry.trained(self.dataset, self.model)
        own = {f"{self.stage.name}.{self.dataset}.{name}": count for name, count in spent.items()}
        results.write(self.stage.cell, budget=metadata["budget"] | own, metrics=rows, tables=tables,
                      examples=examples, successes=successes)  # fmt: skip
