"""Retraining on fooling images (Nguyen, Yosinski & Clune 2015, Section 3): they become a class of their own.

A network of n classes is fooled by evolved images; these join the training set as class n, a fresh network with n + 1
outputs is trained, and images are evolved against it that it takes for one of the n classes; and so on. The paper finds
that on MNIST this does not help, however often it is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from overgen.attacks.evolution import Evolution
from overgen.run import results
from overgen.stages.fool_evolution.summary import median_interval

FOOLING = 0.5  # an image with a higher score is labelled as that class, whatever the others' scores are


class KnownClasses(nn.Module):
    """The scores of a network's first classes, as what an evolution attacks: log y of class 0 to `classes` − 1."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network, self.classes = network, classes

    def upper_bound(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns (N, classes)."""
        return self.network(x).log_y[:, : self.classes]

    def log_curvature(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))


class Collecting(Evolution):
    """An evolution that keeps every image that took a cell with a score above FOOLING, in 8 bits as training images."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.found: list[Tensor] = []

    def training_step(self, generation: int) -> None:
        before = self.scores.clone()
        super().training_step(generation)
        taken = (self.scores > before.to(self.scores)) & (self.scores.exp() > FOOLING)
        self.found.append((255 * self.champions[taken]).round().to(torch.uint8).cpu())

    def fooling_images(self) -> Tensor:
        """The distinct images kept so far, (N, 28, 28) uint8, in an order that depends on them alone."""
        return torch.unique(torch.cat(self.found), dim=0).view(-1, 28, 28)


def drawn(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """At most so many of the images, each equally likely. images: (N, 28, 28)."""
    return images[torch.randperm(len(images), generator=generator)[:count]]


def with_fooling_class(images: Tensor, labels: Tensor, added: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """A training set with images of one class more. images: (N, 28, 28) uint8; labels: (N,); added: (M, 28, 28)."""
    return torch.cat([images, added]), torch.cat([labels, labels.new_full((len(added),), classes)])


@torch.no_grad()
def labels_of(network: nn.Module, images: Tensor, *, chunk: int) -> Tensor:
    """The class with the highest score of each image, (N,) on the CPU. images: (N, 28, 28) uint8, on its device."""
    from overgen.data import floats

    outputs: Any = [network(floats(block)) for block in images.split(chunk)]
    return torch.cat([output.log_y.argmax(1) for output in outputs]).cpu() if outputs else torch.zeros(0)


def cell_tables(
    work: Sequence[tuple[str, int]], found: Sequence[dict[str, np.ndarray]], *, test_images: int
) -> tuple[list[dict[str, Any]], pd.DataFrame, dict[str, np.ndarray]]:
    """The cell's metric rows, its table of trials, and the champions of the first run of each encoding.

    work: encoding and run of each member; found, for each: confidence (K, E, C), fractions, of the K = rounds + 1
    networks after E evolutions; errors (K,), test images labelled wrongly; added (K,), fooling images that a network
    was trained on; recognised (K,), those of them that it labels as such; image (K, C, 28, 28).
    """
    rows: list[dict[str, Any]] = []
    tables, pictures, names = [], [], []
    for encoding in dict.fromkeys(name for name, _ in work):
        mine = [i for i, (name, _) in enumerate(work) if name == encoding]
        confidence = np.stack([found[i]["confidence"] for i in mine])  # (R, K, E, C)
        runs, rounds, evolutions, classes = confidence.shape
        pictures.append(found[mine[0]]["image"])
        names += [encoding] * rounds
        index = pd.MultiIndex.from_product(
            [[work[i][1] for i in mine], range(rounds), range(evolutions), range(classes)],
            names=["run", "round", "evolution", "target"],
        )
        table = pd.DataFrame({"confidence": confidence.ravel()}, index=index).reset_index()
        table.insert(0, "encoding", encoding)
        tables.append(table)
        experiment = f"retraining_{encoding}"
        for k in range(rounds):
            values = 100 * confidence[:, k].reshape(runs, -1).astype(np.float64)
            kind = f"95 % percentile bootstrap of the median over {runs} runs"
            rows.append(
                results.row(
                    experiment,
                    f"median_confidence@round={k}",
                    float(np.median(values)),
                    unit="percent",
                    n=values.size,
                    interval=median_interval(values, np.arange(runs)),
                    kind=kind,
                )
            )
            errors, added, recognised = ([int(found[i][name][k]) for i in mine] for name in COUNTS)
            rows.append(results.rate_row(experiment, f"test_error@round={k}", errors, test_images, of="test images"))
            rows.append(
                results.row(experiment, f"fooling_images@round={k}", float(np.mean(added)), unit="images", n=runs)
            )
            if min(added):
                share = 100 * float(np.mean(np.divide(recognised, added)))
                name = f"recognised_rate@round={k}"
                rows.append(results.row(experiment, name, share, unit="percent", n=sum(added)))
    examples = {"encoding": np.array(names), "image": np.concatenate(pictures)}
    examples["round"] = np.concatenate([np.arange(len(images)) for images in pictures])
    examples["confidence"] = np.concatenate(
        [found[next(i for i, (name, _) in enumerate(work) if name == encoding)]["confidence"][:, 0]
         for encoding in dict.fromkeys(names)]
    )  # fmt: skip
    return rows, pd.concat(tables, ignore_index=True), examples


COUNTS = ("errors", "added", "recognised")
