"""The paper's Figure 1: a linear classifier of two classes, and what it says of images of neither.

    python -m overgen.run explore_linear --dataset mnist --model images

Logistic regression on raw pixels (scikit-learn) tells two classes of training images apart. Then it is shown the test
images of all other classes, and noise. Reads: data/<dataset>. Writes the cell: images.csv, how often y lies above τ, a
row a class or kind of noise; points.csv, images in the plane of the direction that it looks at and the one across it in
which images differ most; plane.csv, what its scale is; examples.npz, one picture of each kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from overgen import OvergenError, data
from overgen.data import unknowns
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_linear import summary
from overgen.stages.explore_linear.classifier import across, logistic_regression

KINDS = ("uniform", "normal", "shuffled", "phase")


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset = data.load(stage.item["dataset"])
    settings = stage.params(key := f"explore_linear.{dataset.name}")
    for label in (*settings.classes, settings.third):
        if label >= len(dataset.classes):
            raise OvergenError(
                f"params.yaml, {key}: class {label} of {len(dataset.classes)}, which are numbered from 0"
            )

    kinds = kinds_of(dataset, settings)

    def fit(i: int, _: Any) -> dict[str, np.ndarray]:
        return fitted(dataset, kinds, settings.classes, settings.inverse_decays[i])

    found = stage.members([f"c{decay:g}" for decay in settings.inverse_decays], fit)
    if stage.rank == 0:
        taus = sorted({threshold.tau for threshold in stage.params(f"confidence.{dataset.name}").thresholds})
        decays = dict(zip(settings.inverse_decays, found, strict=True))
        rows, tables, examples = summary.cell(decays, kinds, dataset, settings, taus)
        budget = {f"{key}.noise_images": settings.noise_images}
        results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples)


def fitted(
    dataset: data.Dataset, kinds: Mapping[str, Tensor], classes: Sequence[int], inverse_decay: float
) -> dict[str, np.ndarray]:
    """One classifier: its weight (D,); of each kind of images distance from the boundary, height along it, and score.

    kinds: of `kinds_of`; classes: the two that it tells apart.
    """
    images, labels = data.select(dataset.train_images, dataset.train_labels, classes)
    x = flat(images)
    classifier = logistic_regression(x, (labels == classes[1]).numpy(), inverse_decay)
    direction = across(classifier, x)
    arrays = {"weight": classifier.weight}
    for kind, of in kinds.items():
        pixels = flat(of)
        arrays |= {
            f"{kind}.distance": classifier.distance(pixels),
            f"{kind}.height": (pixels - x.mean(0)) @ direction,
            f"{kind}.score": classifier.score(pixels),
        }
    return arrays


def kinds_of(dataset: data.Dataset, settings: Any) -> dict[str, Tensor]:
    """What the classifiers are shown, (N, C, H, W) uint8: test images by the class's number, and noise by its kind."""
    kinds = {
        str(label): dataset.test_images[dataset.test_labels == label]
        for label in range(len(dataset.classes))
        if bool((dataset.test_labels == label).any())
    }
    streams = {kind: generator(dataset.name, "linear", kind) for kind in KINDS}
    return kinds | unknowns.generated(dataset.test_images, settings.noise_images, streams)


def flat(images: Tensor) -> np.ndarray:
    """Pixels in [0, 1], (N, D) float64."""
    return data.floats(images).flatten(1).double().numpy()
