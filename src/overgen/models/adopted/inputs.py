"""What a network from elsewhere takes, and how images in [0, 1] become that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen import OvergenError

LAYOUTS = ("NCHW", "NHWC", "flat")
TYPES = ("float32", "uint8")
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in a gray value (ITU-R BT.601), as Pillow has it


@dataclass(frozen=True)
class Input:
    """What a network takes in place of x (N, C, H, W) in [0, 1]; by default just that.

    In this order: channels, 1 or 3, gives gray images three equal channels and makes colour gray; size (H, W) resizes,
    bilinearly; pixels are multiplied by `scale`, such as 255; `mean` is subtracted and `std` divided by, one number or
    one for each channel, in the unit that `scale` gives; `layout` is NCHW, NHWC, or flat, (N, C·H·W); dtype "uint8"
    rounds to 0..255, has no gradient, and goes without the three of scale, mean and std.
    Raises OvergenError, with the name of the option, for values that cannot be meant.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float = 1.0
    layout: str = "NCHW"
    channels: int | None = None
    size: tuple[int, int] | None = None
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name in ("mean", "std", "size"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(value) if isinstance(value, Sequence) else (value,))
        wrong = {
            "layout": self.layout not in LAYOUTS and f"must be one of {', '.join(LAYOUTS)}",
            "dtype": self.dtype not in TYPES and f"must be one of {', '.join(TYPES)}",
            "scale": not 0 < self.scale < math.inf and "must be above 0: 1 for pixels in [0, 1], 255 for 0 to 255",
            "channels": self.channels not in (None, 1, 3) and "must be 1 (gray) or 3 (red, green, blue)",
            "size": self.size is not None
            and (len(self.size) != 2 or any(side < 1 for side in self.size))
            and "must be height and width in pixels",
            "std": self.std is not None and any(not value > 0 for value in self.std) and "must be above 0",
        }
        for name, problem in wrong.items():
            if problem:
                raise OvergenError(f"{name} (--{name}): {getattr(self, name)}: {problem}")
        if self.dtype == "uint8" and (self.mean or self.std or self.scale != 1):
            raise OvergenError(
                "dtype (--dtype): uint8: goes without --scale, --mean and --std: the network gets bytes, 0 to 255"
            )

    def of(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The (C, H, W) that the network gets of images of that shape."""
        return (self.channels or shape[0], *(self.size or shape[1:]))

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise OvergenError for a mean or std of another number of channels than the network gets."""
        channels = self.of(shape)[0]
        for name in ("mean", "std"):
            if (values := getattr(self, name)) is not None and len(values) not in (1, channels):
                raise OvergenError(
                    f"{name} (--{name}): {list(values)}: the network gets {channels} channels; give one or that many"
                )

    def __call__(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W) in [0, 1]. Returns what the network takes."""
        if self.channels == 3 and x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        elif self.channels == 1 and x.shape[1] == 3:
            x = (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        if self.size is not None and self.size != tuple(x.shape[2:]):
            x = F.interpolate(x, self.size, mode="bilinear", antialias=True, align_corners=False)
        if self.dtype == "uint8":
            x = (x * 255).round().clamp(0, 255).to(torch.uint8)
        elif self.scale != 1:
            x = x * self.scale
        if self.mean is not None:
            x = x - x.new_tensor(self.mean).view(1, -1, 1, 1)
        if self.std is not None:
            x = x / x.new_tensor(self.std).view(1, -1, 1, 1)
        if self.layout == "flat":
            return x.flatten(1)
        return x.permute(0, 2, 3, 1) if self.layout == "NHWC" else x

    def described(self) -> dict[str, Any]:
        """The values as JSON has them, by name; `Input(**described)` is the same again."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def changed(self, **values: Any) -> Input:
        """The same with other values."""
        return replace(self, **values)
