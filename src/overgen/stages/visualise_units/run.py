"""Inceptionism: images that units of a network like best, and photographs in which its layers see more than there is.

    python -m overgen.run visualise_units --dataset imagenet_demo --model efficientnet_lite0

Writes the cell: a row a unit and a dream, and all images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen.attacks import synthesis
from overgen.data.photographs import photograph
from overgen.models.probes import Probe
from overgen.models.witnesses import class_names, in_8_bits, log_scores, ready
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.visualise_units import summary

ENGINE = "imagenet"  # the section that holds `threads`
Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell."""
    settings, demo = stage.params("visualise_units"), stage.params("imagenet")
    network = ready(stage.item["model"], demo)
    layers = settings.layers
    dreams = [(name, layer) for name in settings.dream.photographs for layer in settings.dream.layers]
    members = [f"layer{i}" for i in range(len(layers))] + [f"dream{i}" for i in range(len(dreams))]

    def compute(i: int, _: Any) -> Arrays:
        if i < len(layers):
            return units(network, layers[i], settings, demo)
        return dream(network, *dreams[i - len(layers)], settings.dream)

    made = stage.members(members, compute)
    if stage.rank != 0:
        return
    of_units, of_dreams = made[: len(layers)], made[len(layers) :]
    tables = summary.tables(of_units, of_dreams, layers, dreams, class_names(network))
    results.write(
        stage.cell,
        budget={"visualise_units.steps": settings.steps},
        metrics=summary.rows(tables, layers),
        tables=tables,
        examples=summary.shown(of_units, of_dreams, dreams),
    )


def liking(probe: Probe, units: Tensor) -> synthesis.Objective:
    """How much each image excites its own unit: the mean over places of that channel of the layer. units: (N,)."""

    def objective(x: Tensor) -> Tensor:
        output = probe(x)
        own = output[torch.arange(len(x)), units]
        return own.flatten(1).mean(1) if own.dim() > 1 else own

    return objective


def units(network: Any, layer: str, settings: Any, demo: Any) -> Arrays:
    """Drawn units of a layer: unit (U,), their images (U, C, H, W) uint8, activation (U,) of each on its own image,
    photograph (U,): the highest of its activations on photographs."""
    probe = Probe(network, layer)
    with torch.no_grad():
        channels = probe(torch.zeros(1, *network.shape)).shape[1]
    chosen = torch.randperm(channels, generator=generator("visualise_units", layer))[: settings.units]
    streams = [generator("visualise_units", layer, int(unit)) for unit in chosen]
    way = settings.way.way()
    start = torch.cat([synthesis.noise(network.shape, way, stream) for stream in streams])
    made = synthesis.synthesise(liking(probe, chosen), start, way, steps=settings.steps, streams=streams)
    made = in_8_bits(made)
    photographs = torch.from_numpy(np.stack([photograph(name, network.shape[1]) for name in demo.photographs]))
    with torch.no_grad():
        activation = liking(probe, chosen)(made)
        of_photographs = torch.stack([
            liking(probe, chosen)((picture.float() / 255).expand(len(chosen), -1, -1, -1)) for picture in photographs
        ])  # fmt: skip
    probe.remove()
    return {
        "unit": chosen.numpy(),
        "image": (255 * made).round().byte().numpy(),
        "activation": activation.numpy(),
        "photograph": of_photographs.amax(0).numpy(),
    }


def dream(network: Any, name: str, layer: str, settings: Any) -> Arrays:
    """A photograph in which the mean square of a layer's output rises: image and start, (C, side, side) uint8; before
    and after: the network's answers, and activation (2,): the mean square, before and after."""
    probe, side = Probe(network, layer), settings.sides[-1]
    start = torch.from_numpy(photograph(name, side)).float() / 255

    def objective(x: Tensor) -> Tensor:
        return probe(x).square().flatten(1).mean(1)

    stream = generator("visualise_units", "dream", name, layer)
    made = in_8_bits(
        synthesis.dream(objective, start, settings.way.way(), sides=settings.sides, steps=settings.steps, stream=stream)
    )
    both = torch.stack([start, made])
    with torch.no_grad():
        activation = objective(both)
    probe.remove()
    answers = log_scores(network, both, chunk=2)
    return {
        "image": (255 * made).round().byte().numpy(),
        "start": (255 * start).round().byte().numpy(),
        "answer": answers.argmax(1).numpy(),
        "score": answers.amax(1).exp().numpy(),
        "activation": activation.numpy(),
    }
