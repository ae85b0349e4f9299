"""What each layer makes of images."""

from __future__ import annotations

import pytest
import torch

from overgen import OvergenError
from overgen.models import codes, registry
from overgen.models.layers import layers
from overgen.run.streams import generator


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        ("cnn", {"conv1": 6272, "conv2": 3136, "fc1": 400}),
        ("dae", {"conv1": 6272, "conv2": 3136, "fc1": 400}),
        ("autoencoder", {"fc1": 400, "code": 64}),
        ("deep", {"fc1": 400, "code": 64}),
    ],
)
def test_the_last_layer_is_what_the_network_encodes(network: str, sizes: dict[str, int]) -> None:
    net = codes.build({"network": "deep", "pixels": 784, "size": 64}) if network == "deep" else registry.build(network)
    net.initialise(generator("layers", network))
    net.eval()
    x = torch.rand(3, 1, 28, 28, generator=generator("layers"))
    with torch.no_grad():
        found = layers(net, x)
        assert {name: values.shape for name, values in found.items()} == {name: (3, n) for name, n in sizes.items()}
        assert torch.equal(list(found.values())[-1], net.encode(x))
    rectified = [values for name, values in found.items() if (network, name) != ("deep", "code")]
    assert all((values >= 0).all() and (values > 0).any() for values in rectified)


def test_another_network_is_named() -> None:
    for name, net in (
        ("LeNet", registry.build("lenet")),
        ("VariationalCode", codes.build({"network": "variational", "pixels": 784, "size": 2})),
    ):
        with pytest.raises(OvergenError, match=f"{name}: its layers are not known"):
            layers(net, torch.zeros(1, 1, 28, 28))
