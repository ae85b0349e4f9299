"""The images that a person judges, what each is, and what can be answered: for the page, and for who reads the answers.

The order of the images hangs on the data set alone, so that the page and its answers meet again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from overgen.data.names import class_names
from overgen.run.streams import generator

NO_CLASS, CANNOT_TELL = "no class", "cannot tell"
Arrays = Mapping[str, np.ndarray]


def sheet(dataset: str, held: Mapping[str, Arrays]) -> tuple[np.ndarray, pd.DataFrame] | None:
    """The images (N, H, W[, 3]) uint8 of the page in its order, and what each is; None where nothing fooled.

    held: the examples of the cells of attack_scores, by model in the order of params.yaml.
    As many successes as there are test images, drawn from those of all networks together. Columns of the table: item,
    kind (real, fooled), model, method, target, label (the class of a test image), not_of_class (of a success: what the
    judge says). An item's name begins with a digest of all images: labels of another sheet have other items.
    """
    parts = [(model, arrays) for model, arrays in held.items() if len(arrays["sheet_image"])]
    if not parts:
        return None
    real = parts[0][1]  # the same test images in each cell
    images = np.concatenate([arrays["sheet_image"] for _, arrays in parts])
    fooled = pd.DataFrame(
        {
            "kind": "fooled",
            "model": np.repeat([model for model, _ in parts], [len(arrays["sheet_image"]) for _, arrays in parts]),
            "method": np.concatenate([arrays["sheet_method"] for _, arrays in parts]),
            "target": np.concatenate([arrays["sheet_target"] for _, arrays in parts]),
            "not_of_class": np.concatenate([arrays["sheet_not_of_class"] for _, arrays in parts]),
        }
    )
    chosen = shuffled(dataset, "successes", len(fooled))[: len(real["real_image"])]
    table = pd.concat(
        [fooled.loc[chosen], pd.DataFrame({"kind": "real", "label": real["real_label"]})], ignore_index=True
    )
    images = np.concatenate([images[chosen], real["real_image"]])
    order = shuffled(dataset, "items", len(table))
    images, table = images[order], table.loc[order].reset_index(drop=True)
    digest = hashlib.sha256(images.tobytes()).hexdigest()[:6]
    table.insert(0, "item", [f"{digest}-{number:03}" for number in range(1, 1 + len(table))])
    numbers = {name: table[name].astype("Int64") for name in ("target", "label", "not_of_class")}
    texts = {name: table[name].fillna("") for name in ("model", "method")}
    return images, table.assign(**texts, **numbers)[["item", "kind", "model", "method", *numbers]]


def shuffled(dataset: str, what: str, count: int) -> np.ndarray:
    """The numbers below `count` in an order that depends on the data set alone."""
    return torch.randperm(count, generator=generator(dataset, "labelling page", what)).numpy()


def answers(dataset: str, table: pd.DataFrame) -> list[str]:
    """What can be answered of an image of a sheet: a class, by its number in the list, then the two others.

    table: of `sheet`.
    """
    counted = 1 + int(table[["target", "label"]].max().max())
    return [*class_names(dataset, counted), NO_CLASS, CANNOT_TELL]
