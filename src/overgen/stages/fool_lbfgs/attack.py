"""The attack on one perceptron: the smallest changes of its images, and what it makes of noise beside them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.attacks.lbfgs import least_of_linear, smallest_change
from overgen.models import PIXELS, registry
from overgen.models.perceptrons import Perceptron
from overgen.run.stage import Stage
from overgen.stages.fool_lbfgs.labels import changed_by_noise, kept, labelled_right, targets

FIRST_C = 1.0  # where the search on c begins; it goes by factors of 10 until it has both ends


def attack(stage: Stage, name: str) -> dict[str, np.ndarray]:
    """One network: the smallest changes of its images, and what it makes of noise. N images, K numbers of pixels.

    Returns index (of the test set), target, c, fooled, score (y of the target), changed and changed_magnified (how many
    of the draws of noise change the label, at the distortion of the change and at `magnified`), and least (the least
    distortion that there is, rms, for a linear network; else NaN), all (N,); image (N, 28, 28); and kept (M, K): where
    the label outlives noise on so many pixels.
    Raises OvergenError if the network labels fewer test images right than are to be attacked.
    """
    source, settings = data.load(stage.item["dataset"]), stage.params(f"fool_lbfgs.{stage.item['dataset']}")
    network = registry.perceptron(source.name, name)[0].to(stage.device)
    right = labelled_right(network, source)
    index = right[: settings.images]
    if len(index) < settings.images:
        raise OvergenError(
            f"fool_lbfgs.{source.name}.images: {settings.images}, but {name} labels only {len(index)} test images right"
        )
    found = smallest(network, source, index)
    images = data.floats(source.test_images[index])[:, 0].to(stage.device)
    norm = (found["image"] - images).flatten(1).norm(dim=1)
    magnified = torch.full_like(norm, settings.magnified * PIXELS**0.5)
    arrays = found | {
        "changed": changed_by_noise(network, source, index, norm, settings.draws),
        "changed_magnified": changed_by_noise(network, source, index, magnified, settings.draws),
        "least": least(network, images.cpu().flatten(1).numpy(), found["target"].tolist()),
        "kept": kept(network, source, right[: settings.stability_images], settings.pixels),
    }
    return {name: values.cpu().numpy() for name, values in arrays.items()}


def smallest(network: nn.Module, source: data.Dataset, index: Tensor) -> dict[str, Tensor]:
    """The smallest changes of test images with which a network sees another class, one for each image.

    index: (N,) of the test set. Returns index, target, c, fooled and score (y of the target), (N,), and image
    (N, 28, 28); all but the index on the network's device.
    """
    device = next(network.parameters()).device
    images = data.floats(source.test_images[index]).to(device)
    target = targets(source, index).to(device)

    def log_score(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_y.gather(1, target[rows][:, None])[:, 0]

    def succeeds(rows: Tensor, x: Tensor) -> Tensor:
        log_y = network(x).log_y
        return (log_y.argmax(1) == target[rows]) & ~log_y.isnan().any(1)  # of which argmax takes one for the largest

    change = smallest_change(log_score, succeeds, images, c=FIRST_C)
    with torch.no_grad():
        score = log_score(torch.arange(len(images), device=device), change.image).exp()
    return {"index": index, "target": target, "c": change.c, "fooled": change.succeeded, "score": score,
            "image": change.image[:, 0]}  # fmt: skip


def least(network: Perceptron, images: np.ndarray, wanted: list[int]) -> Tensor:
    """The least distortions, rms, that make a linear network see the wanted classes, (N,); NaN for another network.

    images: (N, 784) in [0, 1].
    """
    if len(network.layers) > 1:
        return torch.full((len(images),), torch.nan, dtype=torch.float64)
    weight, bias = (p.detach().cpu().numpy() for p in network.layers[0].parameters())
    norms = [least_of_linear(image, weight, bias, target) for image, target in zip(images, wanted, strict=True)]
    return torch.tensor(norms, dtype=torch.float64) / PIXELS**0.5
