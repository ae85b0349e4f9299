"""The papers' networks as plain modules: image in [0, 1] to log class scores and, for autoencoders, a reconstruction.

Every network maps x (N, 1, 28, 28) to an `Output`. Networks that reconstruct also have `encode` (to the top hidden
layer h) and `decode` (from h to pixels), between which the curvature of Eq. 5 is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # parameters of networks are checked without torch
    from torch import Tensor

SHAPE = (1, 28, 28)  # (C, H, W) of the images that the networks of the papers take
PIXELS = 28 * 28


class Output(NamedTuple):
    """What a network says of N images."""

    log_y: Tensor | None  # (N, C) log class scores; None for a network that does not classify
    reconstruction: Tensor | None  # (N, 784); None for a network that does not reconstruct
