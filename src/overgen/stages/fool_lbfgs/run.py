"""Find the smallest change that makes each of the perceptrons see another class: Szegedy et al. 2013, Table 1.

Beside the smallest distortions: what the other networks make of the changed images, at that distortion and at one for
all; and how often noise changes the label, of the same norm, and on more and more pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.attacks import neighbours
from overgen.attacks.lbfgs import least_of_linear, smallest_change
from overgen.models import PIXELS, perceptrons, registry
from overgen.models.weights import perceptron_path
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_lbfgs import summary as fool_lbfgs_summary

FIRST_C = 1.0  # where the search on c begins; it goes by factors of 10 until it has both ends


def main(stage: Stage) -> None:
    """Write the cell: numbers of each network, a row for each image attacked, stability, the first images.

    successes.npz holds every changed image that the network sees as the target: trial (K,), the row of trials.csv, and
    image (K, 28, 28) float32, for the smallest change ends at the border, where 8 bits are too few.
    """
    dataset = stage.item["dataset"]
    names = list(stage.params("perceptrons"))
    attacked = stage.members(names, lambda i, run: attack(stage, names[i]))
    if stage.rank != 0:
        return
    settings = stage.params(key := f"fool_lbfgs.{dataset}")
    found = dict(zip(names, attacked, strict=True))
    loaded = {name: registry.load(perceptron_path(dataset, name)) for name in names}
    budget = next(iter(loaded.values()))[1]["budget"]
    budget |= {f"{key}.images": settings.images, f"{key}.draws": settings.draws}
    judges = {name: network for name, (network, _) in loaded.items()}
    source = data.load(dataset)
    shared = fool_lbfgs_summary.transfer(judges, found, source, magnified=settings.magnified)
    results.write(
        stage.cell,
        budget=budget,
        metrics=fool_lbfgs_summary.rows(found, shared, source, settings),
        tables=fool_lbfgs_summary.tables(found, shared, source, settings),
        examples=fool_lbfgs_summary.examples(found, source),
        successes=fool_lbfgs_summary.successes(found),
    )


def attack(stage: Stage, name: str) -> dict[str, np.ndarray]:
    """One network: the smallest changes of its images, and what it makes of noise. N images, K numbers of pixels.

    Returns index (of the test set), target, c, found, score (y of the target), changed and changed_magnified (how many
    of the draws of noise change the label, at the distortion found and at `magnified`), and least (the least
    distortion that there is, rms, for a linear network; else NaN), all (N,); image (N, 28, 28); and kept (M, K): where
    the label outlives noise on so many pixels.
    """
    source, settings = data.load(stage.item["dataset"]), stage.params(f"fool_lbfgs.{stage.item['dataset']}")
    loaded, _ = registry.load(perceptron_path(source.name, name))
    assert isinstance(loaded, perceptrons.Perceptron)  # what train_perceptrons writes
    network = loaded.to(stage.device)
    right = labelled_right(network, source)
    index = right[: settings.images]
    if len(index) < settings.images:
        raise OvergenError(
            f"fool_lbfgs.{source.name}.images: {settings.images}, but {name} labels only {len(index)} test images right"
        )
    images = data.floats(source.test_images[index]).to(stage.device)
    target = targets(source, index).to(stage.device)

    def log_score(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_y.gather(1, target[rows][:, None])[:, 0]

    def succeeds(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_y.argmax(1) == target[rows]

    change = smallest_change(log_score, succeeds, images, c=FIRST_C)
    with torch.no_grad():
        score = log_score(torch.arange(len(index), device=stage.device), change.image).exp()
    norm = (change.image - images).flatten(1).norm(dim=1)
    whole = torch.full_like(norm, settings.magnified * PIXELS**0.5)
    changed = {
        kind: noise_changes(network, source, index, norms, settings.draws)
        for kind, norms in (("changed", norm), ("changed_magnified", whole))
    }
    arrays = {"index": index, "target": target, "c": change.c, "found": change.found, "score": score, **changed}
    arrays["least"] = least(network, images.cpu().flatten(1).numpy(), target.tolist())
    arrays |= {
        "image": change.image[:, 0],
        "kept": kept(network, source, right[: settings.stability_images], settings.pixels),
    }
    return {k: v.cpu().numpy() for k, v in arrays.items()}


def least(network: perceptrons.Perceptron, images: np.ndarray, wanted: list[int]) -> Tensor:
    """The least distortions, rms, that make a linear network see the wanted classes, (N,); NaN for another network."""
    if len(network.layers) > 1:
        return torch.full((len(images),), torch.nan, dtype=torch.float64)
    weight, bias = (p.detach().cpu().numpy() for p in network.layers[0].parameters())
    norms = [least_of_linear(image, weight, bias, t) for image, t in zip(images, wanted, strict=True)]
    return torch.tensor(norms, dtype=torch.float64) / PIXELS**0.5


@torch.no_grad()
def labels_of(network: nn.Module, x: Tensor) -> Tensor:
    """What a network labels pixels (N, 784) as, (N,), on the CPU."""
    device = next(network.parameters()).device
    return network(x.view(-1, 1, data.SIDE, data.SIDE).to(device)).log_y.argmax(1).cpu()


def labelled_right(network: nn.Module, source: data.Dataset) -> Tensor:
    """The numbers of the test images that a network labels right, in a random order that is the same for all."""
    order = torch.randperm(len(source.test_labels), generator=generator(source.name, "lbfgs", "images"))
    seen = labels_of(network, data.floats(source.test_images[order]).flatten(1))
    return order[seen == source.test_labels[order]]


def targets(source: data.Dataset, index: Tensor) -> Tensor:
    """For each test image one of the other classes, (N,): it depends on the image alone, not on the network."""
    classes = len(source.classes)
    steps = [
        int(torch.randint(1, classes, (), generator=generator(source.name, "lbfgs", "target", i)))
        for i in index.tolist()
    ]
    return (source.test_labels[index] + torch.tensor(steps)) % classes


def noise_changes(network: nn.Module, source: data.Dataset, index: Tensor, norms: Tensor, draws: int) -> Tensor:
    """How many of the draws of Gaussian noise change the label of each image, (N,); 0 where the norm is 0."""
    found = []
    for i, norm in zip(index.tolist(), norms.tolist(), strict=True):
        if norm == 0:
            found.append(0)
            continue
        image = data.floats(source.test_images[i : i + 1]).flatten()
        draw = generator(source.name, "lbfgs", "noise", i)
        seen = labels_of(network, neighbours.noisy(image, norm, draws, draw))
        found.append(int((seen != source.test_labels[i]).sum()))
    return torch.tensor(found)


def kept(network: nn.Module, source: data.Dataset, index: Tensor, pixels: list[int]) -> Tensor:
    """Which images keep their label under noise on n pixels, for each n of `pixels`. Returns bool (M, K)."""
    changed = torch.stack(
        [
            neighbours.replaced(
                data.floats(source.test_images[i : i + 1]).flatten(),
                pixels,
                generator(source.name, "lbfgs", "pixels", i),
            )
            for i in index.tolist()
        ]
    )
    seen = labels_of(network, changed.flatten(0, 1)).view(len(index), len(pixels))
    return seen == source.test_labels[index][:, None]
