"""Networks of ImageNet as they are attacked, and as they are asked about pictures made for another of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from overgen import OvergenError
from overgen.models.adopted import open_network
from overgen.models.folding import folded
from overgen.models.imagenet import Imagenet
from overgen.run.streams import generator


def ready(model: str, section: Imagenet) -> Any:
    """A network of the section `imagenet`, frozen and folded: x (N, C, H, W) of its `shape` to an `Output`.

    Raises OvergenError for one that the section does not name, and as `open_network` does: with what to install, where
    its package is missing.
    """
    if model not in section.networks:
        raise OvergenError(
            f"params.yaml, imagenet.networks: none is {model!r}; there are {', '.join(section.networks)}"
        )
    named = section.networks[model]
    network = open_network(named.what, module=named.module, shape=named.shape).requires_grad_(False)
    fast: Any = folded(network, torch.rand(2, *network.shape, generator=generator("folding", model)))
    return fast


def class_names(network: Any) -> Sequence[str]:
    """The names of a network's classes; "class 3" where it has none."""
    return network.class_names or [f"class {number}" for number in range(network.classes)]


@torch.no_grad()
def log_scores(network: Any, x: Tensor, *, chunk: int) -> Tensor:
    """What a network says of square images of any size, which it sees bilinearly resized to its own.

    x: (N, C, H, W) in [0, 1]; chunk: images scored together. Returns (N, K).
    """
    return torch.cat([network(resized(part, network.shape[1])).log_y for part in x.split(chunk)])


def resized(x: Tensor, side: int) -> Tensor:
    """Images (N, C, H, W) as squares of some side, bilinear, without aliasing; as they are if they have it."""
    if x.shape[2:] == (side, side):
        return x
    return torch.nn.functional.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)


def in_8_bits(x: Tensor) -> Tensor:
    """Images in [0, 1] as they are when saved as pictures: multiples of 1/255."""
    return (255 * x).round() / 255
