"""A page on which a person judges what fooled, among as many real test images, without knowing which are which.

`label.html` holds pixels, numbers and the names of the classes alone. What each item is stands in `label_key.csv`
beside it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen.report.html import ENVIRONMENT
from overgen.report.names import class_names
from overgen.report.study import Study
from overgen.run.streams import generator

STAGE = "attack_scores"
NO_CLASS, CANNOT_TELL = "no class", "cannot tell"
TEMPLATE = f"stages/{STAGE}/label.html.j2"


def sheet(study: Study) -> tuple[np.ndarray, pd.DataFrame] | None:
    """The images (N, H, W[, 3]) uint8 of the page in its order, and what each is; None where nothing fooled.

    As many successes as there are test images, drawn from those of all networks together. Columns of the table: item,
    kind (real, fooled), model, method, target, label (the class of a test image), not_of_class (of a success: what the
    judge says). An item's name begins with a digest of all images: labels of another sheet have other items.
    """
    held = {model: cell.examples() for model, cell in study.cells(STAGE).items()}
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
    chosen = shuffled(study, "successes", len(fooled))[: len(real["real_image"])]
    table = pd.concat(
        [fooled.loc[chosen], pd.DataFrame({"kind": "real", "label": real["real_label"]})], ignore_index=True
    )
    images = np.concatenate([images[chosen], real["real_image"]])
    order = shuffled(study, "items", len(table))
    images, table = images[order], table.loc[order].reset_index(drop=True)
    digest = hashlib.sha256(images.tobytes()).hexdigest()[:6]
    table.insert(0, "item", [f"{digest}-{number:03}" for number in range(1, 1 + len(table))])
    numbers = {name: table[name].astype("Int64") for name in ("target", "label", "not_of_class")}
    texts = {name: table[name].fillna("") for name in ("model", "method")}
    return images, table.assign(**texts, **numbers)[["item", "kind", "model", "method", *numbers]]


def shuffled(study: Study, what: str, count: int) -> np.ndarray:
    """The numbers below `count` in an order that depends on the data set alone."""
    return torch.randperm(count, generator=generator(study.dataset, "labelling page", what)).numpy()


def pages(study: Study) -> dict[str, str]:
    """The files of the labelling page by name; none where nothing fooled."""
    found = sheet(study)
    if found is None:
        return {}
    images, table = found
    counted = 1 + int(table[["target", "label"]].max().max())
    held: dict[str, Any] = {
        "dataset": study.dataset,
        "items": list(table["item"]),
        "height": images.shape[1],
        "width": images.shape[2],
        "channels": 1 if images.ndim == 3 else images.shape[3],
        "answers": [*class_names(study.dataset, counted), NO_CLASS, CANNOT_TELL],
        "pixels": base64.b64encode(images.tobytes()).decode("ascii"),
    }
    text = json.dumps(held, ensure_ascii=False).replace("<", "\\u003c")
    key = io.StringIO()
    table.to_csv(key, index=False, lineterminator="\n")
    html = ENVIRONMENT.get_template(TEMPLATE).render(name=study.name, held=text, count=len(table))
    return {"label.html": html + "\n", "label_key.csv": key.getvalue()}
