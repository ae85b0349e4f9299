"""Colours of evolved images: hue, saturation and value to red, green and blue (Smith 1978, the hexcone)."""

from __future__ import annotations

import torch
from torch import Tensor


def rgb_of_hsv(images: Tensor) -> Tensor:
    """Images in RGB from hue, saturation and value, all in [0, 1]; a hue of 0 and of 1 is red.

    images: (..., 3, H, W). Returns (..., 3, H, W) in [0, 1]: with the chroma vs and k_c = (n_c + 6h) mod 6 for n = 5, 3
    and 1 of red, green and blue, v − vs·max(0, min(k_c, 4 − k_c, 1)).
    """
    hue, saturation, value = images.unbind(-3)
    chroma = value * saturation
    turned, colours = 6 * hue, torch.empty_like(images)
    for channel, shift in enumerate((5, 3, 1)):
        k = (turned + shift).remainder_(6)
        share = torch.minimum(k, 4 - k).clamp_(0, 1)
        torch.sub(value, share.mul_(chroma), out=colours.select(-3, channel))
    return colours
