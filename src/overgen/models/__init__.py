"""The papers' networks as plain modules: image in [0, 1] to log class scores and, for autoencoders, a reconstruction.

Every network maps x (N, C, H, W) to an `Output`; those of the papers take 1 × 28 × 28. Networks that reconstruct also
have `encode` (to the top hidden layer h) and `decode` (from h to pixels), between which the curvature of Eq. 5 is
computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from overgen import OvergenError

if TYPE_CHECKING:  # parameters of networks are checked without torch
    from torch import Tensor

SHAPE = (1, 28, 28)  # (C, H, W) of the images that the networks of the papers take
PIXELS = 28 * 28


class Output(NamedTuple):
    """What a network says of N images."""

    log_y: Tensor | None  # (N, K) log class scores; None for a network that does not classify
    reconstruction: Tensor | None  # (N, C·H·W); None for a network that does not reconstruct


def sized(shape: Sequence[int]) -> str:
    """A shape (C, H, W) in words."""
    return " × ".join(map(str, shape))


def check_shape(network: str, shape: Sequence[int], dataset: str) -> None:
    """Raises OvergenError if a network of the papers is to take images of another shape than `SHAPE`."""
    if tuple(shape) != SHAPE:
        raise OvergenError(
            f"network {network!r} takes images of {sized(SHAPE)}, and those of data set {dataset} are of "
            f"{sized(shape)}: train a network of your own on them, adopt one that is trained (docs/extending.md shows "
            f"both), or let params.yaml, download.{dataset}, read the pictures with shape: {list(SHAPE)}"
        )
