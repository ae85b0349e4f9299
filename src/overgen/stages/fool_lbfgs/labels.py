"""What a network labels images as: which ones it gets right, and how noise changes its mind."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from overgen import data
from overgen.attacks import neighbours
from overgen.run.streams import generator


@torch.no_grad()
def labels_of(network: nn.Module, x: Tensor) -> Tensor:
    """What a network labels pixels (N, 784) as, (N,), on the CPU."""
    device = next(network.parameters()).device
    return network(x.view(-1, 1, 28, 28).to(device)).log_y.argmax(1).cpu()


def labelled_right(network: nn.Module, source: data.Dataset) -> Tensor:
    """The numbers of the test images that a network labels right, in a random order that is the same for all."""
    order = torch.randperm(len(source.test_labels), generator=generator(source.name, "lbfgs", "images"))
    labels = labels_of(network, data.floats(source.test_images[order]).flatten(1))
    return order[labels == source.test_labels[order]]


def targets(source: data.Dataset, index: Tensor) -> Tensor:
    """For each test image one of the other classes, (N,): it depends on the image alone, not on the network."""
    classes = len(source.classes)
    steps = [
        int(torch.randint(1, classes, (), generator=generator(source.name, "lbfgs", "target", i)))
        for i in index.tolist()
    ]
    return (source.test_labels[index] + torch.tensor(steps)) % classes


def changed_by_noise(network: nn.Module, source: data.Dataset, index: Tensor, norms: Tensor, draws: int) -> Tensor:
    """How many draws of Gaussian noise change the label of each image, (N,); 0 where the norm is 0.

    index: (N,) of the test set. norms: (N,) L2 of the noise, pixels in [0, 1].
    """
    counts = []
    for i, norm in zip(index.tolist(), norms.tolist(), strict=True):
        if norm == 0:
            counts.append(0)
            continue
        image = data.floats(source.test_images[i : i + 1]).flatten()
        noisy = neighbours.noisy(image, norm, draws, generator(source.name, "lbfgs", "noise", i))
        counts.append(int((labels_of(network, noisy) != source.test_labels[i]).sum()))
    return torch.tensor(counts)


def kept(network: nn.Module, source: data.Dataset, index: Tensor, pixels: Sequence[int]) -> Tensor:
    """Which images keep their label under noise on n pixels, for each n of K `pixels`.

    index: (M,) of the test set. Returns bool (M, K).
    """
    noisy = torch.stack(
        [
            neighbours.replaced(
                data.floats(source.test_images[i : i + 1]).flatten(),
                pixels,
                generator(source.name, "lbfgs", "pixels", i),
            )
            for i in index.tolist()
        ]
    )
    labels = labels_of(network, noisy.flatten(0, 1)).view(len(index), len(pixels))
    return labels == source.test_labels[index][:, None]
