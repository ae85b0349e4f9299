"""What open-set scores see of images, and the images that they are fitted and tried on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.data.unknowns import shuffled, uniform_images
from overgen.models import features


def views(network: nn.Module, images: Tensor, wanted: set[str], *, chunk: int) -> dict[str, np.ndarray]:
    """What scores see of images, each computed once.

    network: trained, on the images' device; images: (N, C, H, W) uint8; chunk: images evaluated together.
    wanted: of the names below, which the arrays that are returned have, float32:
        pixels: (N, C·H·W) in [0, 1]; features: the top hidden layer, (N, H); logits: what the last layer `fc2` makes of
        them before the softmax, (N, C), or (N, C·ω) for COOL.
    Raises OvergenError if the network has no such layer.
    """
    seen: dict[str, list[Tensor]] = {name: [] for name in sorted(wanted)}
    for block in images.split(chunk):
        x = data.floats(block)
        if "pixels" in wanted:
            seen["pixels"].append(x.flatten(1))
        if wanted - {"pixels"}:
            with torch.no_grad():
                h, logits = features.seen(network, x)
            if h is None and "features" in wanted:
                name = getattr(network, "name", type(network).__name__)
                raise OvergenError(
                    f"{name}: has no features: it is a program or a black box without layers to look into; name "
                    "methods of pixels or logits for it"
                )
            for name, values in (("features", h), ("logits", logits)):
                if name in wanted and values is not None:
                    seen[name].append(values)
    return {name: torch.cat(parts).cpu().numpy() for name, parts in seen.items()}


def held_out(labels: Tensor, known: Sequence[int], draws: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Training images of the known classes, in random order: those to fit on, and those to choose a threshold on.

    labels: (N,) integers; known: numbers of the known classes; draws: the random stream.
    count: how many to choose a threshold on, at most a fifth of all.
    Returns the indices of both, (K,) and (count,).
    """
    order = torch.isin(labels, torch.tensor(list(known))).nonzero()[:, 0]
    order = order[torch.randperm(len(order), generator=draws)]
    count = min(count, len(order) // 5)
    return order[count:], order[:count]


def negatives(pool: str, images: Tensor, draws: torch.Generator) -> Tensor:
    """As many negatives as there are images that a score is fitted on.

    pool: "uniform", noise, or "shuffled", these images with their pixels in another order; images: (N, C, H, W) uint8.
    Returns (N, C, H, W) uint8.
    """
    return uniform_images(len(images), images.shape[1:], draws) if pool == "uniform" else shuffled(images, draws)
