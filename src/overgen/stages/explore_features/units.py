"""Images that single units of a layer like best."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from overgen.attacks.synthesis import Objective
from overgen.models.probes import Probe


def kinds(layers: list[str], network: Any, shape: tuple[int, int, int]) -> list[tuple[str, str, int]]:
    """What can be maximised: layer, "channel" or "unit", and how many there are of it.

    A layer of maps has both: a channel is the mean over its places, a unit is its middle place. shape: (C, H, W).
    """
    found = []
    for layer in layers:
        probe = Probe(network, layer)
        with torch.no_grad():
            given = output(probe, torch.zeros(1, *shape))
        probe.remove()
        count = given.shape[1]
        found += [(layer, "channel", count), (layer, "unit", count)] if given.dim() == 4 else [(layer, "unit", count)]
    return found


def output(probe: Probe, x: Tensor) -> Tensor:
    """What a layer of the encoder gives for images, without what comes after it where the network can tell."""
    getattr(probe.network, "encode", probe.network)(x)
    return probe.output


def activity(given: Tensor, kind: str) -> Tensor:
    """How active each channel, or unit, of a layer is, before the activation function. Returns (N, F)."""
    if given.dim() == 2:
        return given
    return given.mean((2, 3)) if kind == "channel" else given[:, :, given.shape[2] // 2, given.shape[3] // 2]


def liking(probe: Probe, kind: str, chosen: Tensor) -> Objective:
    """How active each image makes its own unit. chosen: (N,)."""

    def objective(x: Tensor) -> Tensor:
        return activity(output(probe, x), kind).gather(1, chosen[:, None])[:, 0]

    return objective
