"""Images with noise of several kinds, which depends on the kind and the data set alone."""

from __future__ import annotations

import torch
from torch import Tensor

from overgen.run.streams import generator

KINDS = ("gaussian", "salt_and_pepper", "occlusion")


def corrupted(images: Tensor, kind: str, level: float, *key: object) -> Tensor:
    """Images under noise; level 0 leaves them as they are.

    images: (N, C, H, W) in [0, 1]. kind, and what level is:
        gaussian: the standard deviation σ of what is added to each value, without a cut at 0 and 1;
        salt_and_pepper: the share of pixels that become 0 or 1, either with chance ½, in all channels alike;
        occlusion: the share of the image that a gray (½) square covers, anywhere that it fits.
    key: of the random stream. At every level the noise is of the same draws: the same field of Gaussian values times σ,
    and pixels that a low level replaces are replaced by higher ones, too.
    Raises ValueError for another kind, and for a level that is none (a share above 1).
    """
    if kind not in KINDS or not level >= 0 or (level > 1 and kind != "gaussian"):
        raise ValueError(f"noise {kind!r} of level {level}: must be one of {KINDS}; a level is at least 0, a share ≤ 1")
    draws = generator(*key, "noise", kind)
    n, _, height, width = images.shape
    if kind == "gaussian":
        return images + level * torch.randn(images.shape, generator=draws)
    if kind == "salt_and_pepper":
        replaced = torch.rand(n, 1, height, width, generator=draws) < level
        white = (torch.rand(n, 1, height, width, generator=draws) < 0.5).to(images.dtype)
        return torch.where(replaced, white, images)
    side = round((level * height * width) ** 0.5)
    tall, wide = min(side, height), min(side, width)
    top, left = (
        (torch.rand(n, generator=draws) * (room + 1)).long().view(-1, 1, 1, 1) for room in (height - tall, width - wide)
    )
    y, x = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    covered = (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide)
    return torch.where(covered, 0.5, images)
