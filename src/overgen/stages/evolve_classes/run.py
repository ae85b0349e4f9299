"""Evolution on a thousand classes: MAP-Elites in both encodings against a network of ImageNet.

    python -m overgen.run evolve_classes --dataset imagenet_demo --model efficientnet_lite0

Writes the cell: quantiles over all classes after each generation, a row a class, and champions of classes drawn before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from overgen.attacks.cppn import Genome
from overgen.attacks.encodings import encoding_of
from overgen.attacks.evolution import Evolution
from overgen.confidence import ScaledOutput
from overgen.models.witnesses import class_names, ready
from overgen.run import progress, results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.evolve_classes import summary

ENGINE = "imagenet"  # the section that holds `threads`
Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell."""
    settings, demo = stage.params("evolve_classes"), stage.params("imagenet")
    network = ready(stage.item["model"], demo)
    chosen = torch.randperm(network.classes, generator=generator("evolve_classes"))[: settings.shown].tolist()
    work = [
        (encoding, range(first, min(first + settings.block, settings.generations[encoding] + 1)))
        for first in range(0, max(settings.generations.values()) + 1, settings.block)
        for encoding in settings.encodings
        if first <= settings.generations[encoding]
    ]
    names = [f"{encoding}-from{generations[0]}" for encoding, generations in work]

    def block(i: int) -> Arrays:
        encoding, generations = work[i]
        before = stage.progress / f"{encoding}-from{generations[0] - settings.block}.npz"
        state = read_npz(before) if generations[0] else {}
        return evolve(network, encoding, generations, chosen, state, stage)

    # One chunk: each block goes on from an earlier one.
    made = stage.chunks(names, [range(len(names))], lambda chunk, _: [partial(block, i) for i in chunk])
    if stage.rank != 0:
        return
    by_encoding = {
        encoding: [arrays for (name, _), arrays in zip(work, made, strict=True) if name == encoding]
        for encoding in settings.encodings
    }
    results.write(
        stage.cell,
        budget={f"evolve_classes.generations.{name}": count for name, count in settings.generations.items()},
        metrics=summary.rows(by_encoding, settings),
        tables=summary.tables(by_encoding, class_names(network)),
        examples=summary.shown(by_encoding, chosen, class_names(network), settings),
    )


def evolve(
    network: Any, encoding: str, generations: range, chosen: Sequence[int], state: Arrays, stage: Stage
) -> Arrays:
    """Some generations of an evolution, from the state at the end of those before; empty for the first.

    Returns confidence (G, K) after each of these generations, picture (S, C, H, W) uint8, the last champions of the
    chosen classes, and what the next generations go on from.
    """
    settings = stage.params("evolve_classes")
    chunk: int = stage.params("imagenet").chunk
    stream = generator("evolve_classes", encoding)
    how = encoding_of(encoding, settings, in_8_bits=True)  # a quarter of the memory of 1,000 champions
    evolution = Evolution(
        ScaledOutput(network, alpha=0, beta=0), [stream], encoding=how, shape=network.shape, classes=network.classes,
        kept=chosen, population=settings.population, stored_generations=(), batch_size=chunk,
    )  # fmt: skip
    if state:
        stream.set_state(torch.from_numpy(state["stream"]))
        evolution.scores = torch.from_numpy(state["scores"])
        genomes = read(state["genomes"], encoding)
        evolution.genomes = [[genomes[i] for i in state["genome"]]]
        kept = [evolution.genomes[0][k] for k in chosen]
        population: Any = torch.stack(kept) if encoding == "direct" else kept
        evolution.champions = how.images(population, network.shape, evolution.champions).flatten(1)[None]
    for generation in progress.steps(generations, "generation"):
        evolution.training_step(generation)
    different = {id(genome): genome for genome in evolution.genomes[0]}  # many classes share one
    places = {key: i for i, key in enumerate(different)}
    return {
        "confidence": np.stack(evolution.history)[:, 0],
        "picture": (255 * evolution.champions[0]).round().byte().view(-1, *network.shape).numpy(),
        "stream": stream.get_state().numpy(),
        "scores": evolution.scores.numpy(),
        "genomes": written(list(different.values()), encoding),
        "genome": np.array([places[id(genome)] for genome in evolution.genomes[0]]),
    }


def written(genomes: Sequence[Any], encoding: str) -> np.ndarray:
    """Genomes as an array: of images these, (G, C·H·W) uint8; of CPPNs their text."""
    if encoding == "direct":
        return torch.stack(list(genomes)).numpy()
    text = json.dumps([
        [list(genome.activations.items()), [[*pair, weight] for pair, weight in genome.weights.items()], genome.outputs]
        for genome in genomes
    ])  # fmt: skip
    return np.frombuffer(text.encode(), np.uint8)


def read(array: np.ndarray, encoding: str) -> list[Any]:
    """The inverse of `written`."""
    if encoding == "direct":
        return list(torch.from_numpy(array))
    return [
        Genome(dict(activations), {(s, t): w for s, t, w in weights}, outputs)
        for activations, weights, outputs in json.loads(array.tobytes())
    ]
