"""What each layer makes of images."""

from __future__ import annotations

import pytest
import torch

from overgen import OvergenError
from overgen.models import registry
from overgen.models.layers import layers
from overgen.run.streams import generator


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        ("cnn", {"conv1": 6272, "conv2": 3136, "fc1": 400}),
        ("dae", {"conv1": 6272, "conv2": 3136, "fc1": 400}),
        ("autoencoder", {"fc1": 400, "code": 64}),
    ],
)
def test_the_last_layer_is_what_the_network_encodes(network: str, sizes: dict[str, int]) -> None:
    net = registry.initialised(network, {}, ("layers",)).eval()
    x = torch.rand(3, 1, 28, 28, generator=generator("layers"))
    with torch.no_grad():
        found = layers(net, x)
        assert {name: values.shape for name, values in found.items()} == {name: (3, n) for name, n in sizes.items()}
        assert torch.equal(list(found.values())[-1], net.encode(x))
    assert all((values >= 0).all() and (values > 0).any() for values in found.values())  # after the ReLU


def test_another_network_is_named() -> None:
    with pytest.raises(OvergenError, match="LeNet: its layers are not known"):
        layers(registry.build("lenet"), torch.zeros(1, 1, 28, 28))
