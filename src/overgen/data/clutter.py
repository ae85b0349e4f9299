"""Images over photographs: scenes of one and of several objects, gray."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from overgen.data.photographs import photograph

SIDE = 112  # pixels to which a photograph is brought before grounds are cut from it
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601
INK = 0.1  # of white, above which a pixel belongs to the object


def grounds(names: Sequence[str], count: int, side: int, draws: torch.Generator) -> Tensor:
    """Squares cut from gray photographs at random places, (count, 1, side, side) in [0, 1].

    names: of `photographs.PHOTOGRAPHS`, each as likely; side: at most SIDE.
    """
    gray = torch.stack([torch.from_numpy(np.tensordot(LUMA, photograph(name, SIDE) / 255, 1)) for name in names])
    chosen = torch.randint(0, len(names), (count,), generator=draws).tolist()
    places = torch.randint(0, SIDE - side + 1, (count, 2), generator=draws).tolist()
    return torch.stack([gray[k, y : y + side, x : x + side] for k, (y, x) in zip(chosen, places, strict=True)])[:, None]


def over(objects: Tensor, ground: Tensor, strength: float) -> Tensor:
    """Objects over a ground that is so strong: (N, 1, H, W) uint8. An object hides the ground as far as it is white.

    objects: (N, 1, H, W) uint8, white on black; ground: as many, in [0, 1]; strength: in [0, 1], 0 for none.
    """
    ink = objects.double() / 255
    return (255 * (ink + (1 - ink) * strength * ground)).round().byte()


def masks(objects: Tensor) -> Tensor:
    """Where the objects are, (N, 1, H, W) bool."""
    return objects > 255 * INK


def canvases(objects: Tensor, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Canvases of 2 × 2 places, on each so many of the objects, in places of their own: (N, 1, 2H, 2W) uint8.

    objects: (count·N, 1, H, W) uint8, those of a canvas one after another. Returns also where these are, (N, count): of
    the four places, row by row.
    """
    total = len(objects) // count
    height, width = objects.shape[2:]
    places = torch.rand(total, 4, generator=draws).argsort(1)[:, :count]
    canvas = torch.zeros(total, 1, 2 * height, 2 * width, dtype=torch.uint8)
    for i in range(total):
        for j, place in enumerate(places[i].tolist()):
            y, x = height * (place // 2), width * (place % 2)
            canvas[i, :, y : y + height, x : x + width] = objects[i * count + j]
    return canvas, places


def windows(canvas: Tensor) -> Tensor:
    """The four places of canvases (N, 1, 2H, 2W): (N, 4, 1, H, W)."""
    height, width = canvas.shape[2] // 2, canvas.shape[3] // 2
    return torch.stack([canvas[:, :, y : y + height, x : x + width] for y in (0, height) for x in (0, width)], 1)


def halved(canvas: Tensor) -> Tensor:
    """Canvases at half their size, each pixel the mean of four: (N, 1, H, W) uint8."""
    return torch.nn.functional.avg_pool2d(canvas.float(), 2).round().byte()
