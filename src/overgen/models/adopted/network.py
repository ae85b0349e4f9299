"""A network that overgen did not train, as overgen's stages take one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models import Output
from overgen.models.adopted import checks
from overgen.models.adopted.inputs import Input
from overgen.models.outputs import log_y_of


class Adopted(nn.Module):
    """A network that overgen did not train: x (N, C, H, W) float32 in [0, 1] to `Output(log_y, None)`.

    Made by `Adopted.of` or `open_network`, which check what is said here. It stays in evaluation mode, and its weights
    stay as they are: `train` has no effect.

    shape: (C, H, W) of the images; classes: K; class_names: K of them, or None where they are not known.
    differentiable: whether log y has a gradient for x; a network without one is a black box.
    input: what becomes of the images first; outputs: what the answers are (see `OUTPUTS`).
    name: in errors. files: that it was read from; metadata: what is known of it besides, as JSON has it.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Any],
        *,
        name: str,
        shape: tuple[int, int, int],
        input: Input,
        outputs: str,
        output: str | int | None,
        features: str | None,
        batch: int | None,
        classes: int,
        class_names: tuple[str, ...] | None,
        differentiable: bool,
    ) -> None:
        super().__init__()
        self.function = function  # a module is a part of this one: it moves with it
        self.name, self.shape, self.input = name, shape, input
        self.outputs, self.output, self.batch = outputs, output, batch
        self.features_layer = None if features is None else f"function.{features}"
        self.classes, self.class_names, self.differentiable = classes, class_names, differentiable
        self.metadata: dict[str, Any] = {}
        self.files: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls,
        function: Callable[[Tensor], Any],
        *,
        shape: Sequence[int],
        name: str = "the network",
        input: Input | None = None,
        outputs: str | None = None,
        output: str | int | None = None,
        features: str | None = None,
        batch: int | None = None,
        classes: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> Adopted:
        """Any function or module that classifies images, checked.

        function: from (N, C, H, W), in the form that `input` gives it, to numbers (N, K), or (N, 1) with two classes; a
            tuple or a dictionary of such is taken apart by `output`, an index or a key.
        shape: (C, H, W) of the images; outputs: one of `OUTPUTS`, detected unless given.
        batch: the only number of images that the function takes at once, where it takes one number only.
        features: the layer of a module whose output are its features, see `features.seen`.
        classes, class_names: what they must be, if known.
        Raises OvergenError, with `name`, the value and the way out, for a function that does not take such images,
        whose answers are no such numbers, are not those declared, are not finite, change from call to call, or depend
        on the other images of the batch.
        """
        channels, height, width = (int(side) for side in shape)
        if isinstance(function, nn.Module):
            checks.put_to_evaluation(function)
        names = None if class_names is None else tuple(map(str, class_names))
        taken = input or Input()
        taken.check((channels, height, width))
        network = cls(
            function,
            name=name,
            shape=(channels, height, width),
            input=taken,
            outputs=outputs or "",
            output=output,
            features=features,
            batch=batch,
            classes=0,
            class_names=names,
            differentiable=False,
        )
        checks.settle(network, classes=len(names) if names else classes)
        return network

    def raw(self, x: Tensor) -> Tensor:
        """The network's own answers, (N, K) or (N, 1). x: (N, C, H, W) in [0, 1]."""
        x = self.input(x)
        if self.batch is None:
            return checks.numbers(self.function(x), self.output, len(x), self.name)
        # A program for one number of images gets just so many; the last are made up from the last image
        parts = []
        for part in x.split(self.batch) if len(x) else ():
            filled = torch.cat([part, part[-1:].expand(self.batch - len(part), *part.shape[1:])])
            parts.append(checks.numbers(self.function(filled), self.output, self.batch, self.name)[: len(part)])
        return torch.cat(parts) if parts else x.new_zeros(0, self.classes)

    def forward(self, x: Tensor) -> Output:
        if x.requires_grad and not self.differentiable and torch.is_grad_enabled():
            raise OvergenError(f"{self.name}: is a black box: it has no gradient, which this attack or score needs")
        return Output(log_y_of(self.raw(x), self.outputs), None)

    def train(self, mode: bool = True) -> Adopted:
        """Without effect: it stays as it was checked."""
        return self

    @property
    def parameter_count(self) -> int | None:
        """How many numbers were trained; None for a black box."""
        return sum(p.numel() for p in self.parameters()) if isinstance(self.function, nn.Module) else None
