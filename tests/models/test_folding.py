"""Folded networks answer as before, and layers are found by the end of their names."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models import Output
from overgen.models.folding import folded
from overgen.models.probes import Probe, last_linear
from overgen.run.streams import generator

from small_network import Small, small


class Answers(nn.Module):
    """What `folded` takes: a network of images to an Output."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Output:
        return Output(self.inner(x).log_softmax(1), None)


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=generator("folding"))


def test_a_folded_network_answers_as_before_without_normalisations() -> None:
    network = Answers(small()).eval()
    fast = folded(network, images(1))
    with torch.no_grad():
        torch.testing.assert_close(fast(images()).log_y, network(images()).log_y, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 3


class Twice(Small):
    """One convolution before two normalisations, and one that is used twice."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.bn0(x).relu() + self.blocks[0][1](x)
        x = self.blocks[1](self.blocks[1](x))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def test_what_cannot_be_folded_is_noticed() -> None:
    network = Twice()
    network.load_state_dict(small().state_dict())
    with pytest.raises(ValueError, match="log scores differ by up to"):
        folded(Answers(network).eval(), images(1))


def test_a_probe_gives_the_output_of_one_layer() -> None:
    network = small()
    probe = Probe(network, "blocks.1")
    seen: list[Tensor] = []
    network.blocks[1].register_forward_hook(lambda _, inputs, output: seen.append(output))
    x = images().requires_grad_()
    found = probe(x)
    torch.testing.assert_close(found, seen[0])
    assert torch.autograd.grad(found.sum(), x)[0].abs().sum() > 0
    probe.remove()
    with torch.no_grad():
        network(images(2))
    assert len(probe.output) == 4
    torch.testing.assert_close(Probe(network, last_linear(network))(images()), network(images()))


@pytest.mark.parametrize(("layer", "problem"), [("blocks.7", "no layer ends so"), ("0", "3 layers end so")])
def test_a_layer_that_is_not_there_is_named(layer: str, problem: str) -> None:
    with pytest.raises(OvergenError, match=f"layer '{layer}': {problem}"):
        Probe(small(), layer)
    with pytest.raises(OvergenError, match="no linear layer"):
        last_linear(nn.Conv2d(1, 1, 1))
