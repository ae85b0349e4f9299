"""What each layer of a network makes of images."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models.autoencoders import Autoencoder
from overgen.models.cnn import CNN
from overgen.models.codes import DeepCode, VariationalCode


def layers(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The outputs of a network's layers after pooling and activation, from the lowest up, the last being `encode(x)`.

    network: the CNN, COOL or a denoising autoencoder ("conv1", "conv2", "fc1"), or the encoder of a plain autoencoder
    or of a deep one of `models.codes` ("fc1", "code"); x: (N, C, H, W) in [0, 1].
    Returns (N, features of the layer) each. Raises OvergenError for another network.
    """
    if isinstance(network, CNN):
        first = network.activate(F.max_pool2d(network.conv1(x), 2))  # (N, 32, 14, 14)
        second = network.activate(F.max_pool2d(network.conv2(first), 2))  # (N, 64, 7, 7)
        top = network.activate(network.fc1(second.flatten(1)))
        return {"conv1": first.flatten(1), "conv2": second.flatten(1), "fc1": top}
    if isinstance(network, Autoencoder | DeepCode) and not isinstance(network, VariationalCode):
        assert isinstance(network.encoder, nn.Sequential)
        inner = network.encoder[:2](x.flatten(1))
        return {"fc1": inner, "code": network.encoder[2:](inner)}
    raise OvergenError(f"{type(network).__name__}: its layers are not known here; overgen.models.layers names those")
