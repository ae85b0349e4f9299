"""What scores see of images, and what they are fitted on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from overgen import OvergenError
from overgen.models.autoencoders import Autoencoder
from overgen.models.cnn import CNN
from overgen.run import streams
from overgen.scores import views


def test_images_are_held_out_of_the_known_classes_only() -> None:
    labels = torch.arange(1000) % 10
    fit, held = views.held_out(labels, [1, 4], streams.generator("x"), 30)
    assert (len(fit), len(held)) == (170, 30)
    assert set(labels[fit].tolist()) == set(labels[held].tolist()) == {1, 4}
    assert not set(fit.tolist()) & set(held.tolist())
    assert len(views.held_out(labels, [1], streams.generator("x"), 30)[1]) == 20  # a fifth at most


def test_pools_of_negatives() -> None:
    images = torch.arange(784).div(784 / 255).byte().view(1, 1, 28, 28).repeat(3, 1, 1, 1)
    mixed = views.negatives("shuffled", images, streams.generator("x"))
    assert torch.equal(mixed.flatten(1).sort(1).values, images.flatten(1))  # the same pixels
    assert len({tuple(row) for row in mixed.flatten(1).tolist()}) == 3  # each in an order of its own
    noise = views.negatives("uniform", images, streams.generator("x"))
    assert (noise.shape, noise.dtype) == (images.shape, torch.uint8)
    assert 120 < noise.float().mean() < 135


def test_views_of_a_network() -> None:
    images = torch.randint(0, 256, (7, 1, 28, 28), generator=streams.generator("images")).byte()
    network = CNN(classes=4)
    network.initialise(streams.generator("weights"))
    found = views.views(network, images, {"pixels", "features", "logits"}, chunk=3)
    assert {name: a.shape for name, a in found.items()} == {"pixels": (7, 784), "features": (7, 400), "logits": (7, 4)}
    np.testing.assert_array_equal(found["pixels"], images.flatten(1).numpy() / np.float32(255))
    log_y = network(images / 255).log_y.detach().numpy()
    np.testing.assert_allclose(
        found["logits"] - np.log(np.exp(found["logits"]).sum(1, keepdims=True)), log_y, rtol=1e-5
    )
    assert set(views.views(network, images, {"pixels"}, chunk=3)) == {"pixels"}
    with pytest.raises(OvergenError, match=r"Autoencoder: does not classify"):
        views.views(Autoencoder(), images, {"logits"}, chunk=3)
