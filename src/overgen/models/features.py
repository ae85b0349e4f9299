"""What any network sees of images before its answer: its top features and its logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from overgen import OvergenError


def seen(network: nn.Module, x: Tensor) -> tuple[Tensor | None, Tensor]:
    """The top features of images and the logits that the network makes of them.

    network: in evaluation mode, gives an `Output`; x: (N, C, H, W) in [0, 1].
    Returns features (N, F) and logits (N, L), L being the number of classes, or of units in a last layer of more:
    of a network with the methods `encode` and `fc2`, these; else what goes into the last linear layer of the forward
    pass, and what comes out of it. Where the network has the text `features_layer`, the path of one of its modules,
    the features are the output of that one, flattened.
    Where there are no such layers to look into, as in an exported program or a black box, the features are None and the
    logits log y. Raises OvergenError for a `features_layer` that there is not, or that the forward pass leaves out.
    """
    path = getattr(network, "features_layer", None)
    named = _module(network, path) if isinstance(path, str) else None
    if named is None and hasattr(network, "encode") and hasattr(network, "fc2"):
        h = network.encode(x)  # type: ignore[operator]
        return h, network.fc2(h)  # type: ignore[operator]
    linear: list[tuple[Tensor, Tensor]] = []
    outputs: list[Any] = []

    def note(_: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 2 and isinstance(inputs[0], Tensor) and len(output) == len(x):
            linear[:] = [(inputs[0], output)]

    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_hook(note) for module in layers]
    if named is not None:
        hooks.append(named.register_forward_hook(lambda _, inputs, output: outputs.append(output)))
    try:
        log_y = network(x).log_y
    finally:
        for hook in hooks:
            hook.remove()
    if log_y is None:
        raise OvergenError(f"{_name(network)}: does not classify, so it has no logits")
    features, logits = linear[0] if linear and _last(network, linear[0][1], log_y) else (None, log_y)
    if named is not None:
        if not outputs or not isinstance(outputs[-1], Tensor) or len(outputs[-1]) != len(x):
            raise OvergenError(f"{_name(network)}: features: {_plain(path)!r} gives no tensor of these images")
        features = outputs[-1].flatten(1)
    return features, logits


def _last(network: nn.Module, logits: Tensor, log_y: Tensor) -> bool:
    """Whether what a linear layer gave are the network's logits, and no step on the way to a later layer.

    The softmax of logits is y; where scores do not sum to 1, as COOL's, each class has as many units as any other.
    """
    count = log_y.shape[1]
    if logits.shape[1] not in (1, count):
        return logits.shape[1] % count == 0
    both = torch.cat([-logits / 2, logits / 2], 1) if logits.shape[1] == 1 else logits
    gap = (both.log_softmax(1) - log_y.log_softmax(1)).abs().max() if len(log_y) else log_y.new_zeros(())
    return bool(gap <= 1e-3 * (1 + log_y.abs().amax() if len(log_y) else 1))


def _module(network: nn.Module, path: str) -> nn.Module:
    try:
        return network.get_submodule(path)
    except AttributeError as error:
        known = [_plain(name) for name, _ in network.named_modules() if name]
        shown = ", ".join(known[-10:]) or "none"
        raise OvergenError(
            f"{_name(network)}: features: has no layer {_plain(path)!r}; its last ones are {shown}"
        ) from error


def _plain(path: Any) -> str:
    """The path of a layer as the user knows it, who does not see what an adopted network is wrapped in."""
    return str(path).removeprefix("function.")


def _name(network: nn.Module) -> str:
    return str(getattr(network, "name", type(network).__name__))
