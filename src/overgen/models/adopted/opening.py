"""What is known of a network as it comes out of its files, before it is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overgen.models.adopted.inputs import Input


@dataclass(frozen=True)
class Opened:
    """A network as it came. function: see `Adopted.of`; kind: what it is, such as "module" or "torchvision/resnet18".

    input, shape, batch, outputs, output, class_names: what its files or its package say of it; None where they do not.
    shape is that of the images that the network gets, (C, H, W). files: all that it was read from, the weights first.
    any_size: whether it takes images of other sizes too.
    resize, interpolation: how its own pictures were made smaller, before the middle was cut out.
    """

    function: Callable[..., Any]
    kind: str
    input: Input = field(default_factory=Input)
    shape: tuple[int, int, int] | None = None
    batch: int | None = None
    outputs: str | None = None
    output: str | int | None = None
    class_names: tuple[str, ...] | None = None
    files: tuple[Path, ...] = ()
    any_size: bool = False
    resize: int | None = None
    interpolation: str | None = None
