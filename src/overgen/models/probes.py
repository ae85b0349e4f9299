"""What a network computes inside, by the name of a layer."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from overgen import OvergenError


class Probe:
    """The output of a layer, whatever else a network computes: x (N, C, H, W) → (N, ...), differentiable.

    layer: as `named_modules` calls it, or the end of that name ("_blocks.3"). Raises OvergenError, naming those like
    it, if none or several end so.
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        names = [name for name, _ in network.named_modules() if f".{name}".endswith(f".{layer}")]
        if len(names) != 1:
            near = [name for name, _ in network.named_modules() if layer in name]
            problem = f"{len(names)} layers end so" if names else "no layer ends so"
            raise OvergenError(f"layer {layer!r}: {problem}; there are {', '.join(near or ['none like it'])[:500]}")
        self.network, self.output = network, Tensor()
        self.hook = network.get_submodule(names[0]).register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.output = output

    def remove(self) -> None:
        """Leave the network as it was."""
        self.hook.remove()

    def __call__(self, x: Tensor) -> Tensor:
        self.network(x)
        return self.output


def last_linear(network: nn.Module) -> str:
    """The name of a network's last linear layer, whose output is its logits. Raises OvergenError if it has none."""
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise OvergenError("the network has no linear layer, so no logits to maximise")
    return names[-1]
