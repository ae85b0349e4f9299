"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from overgen.run import results
from overgen.run.example import blobs
from overgen.stages.explore_features import summary

WAYS = ["plain", "decay", "blur", "total_variation", "jitter", "fourier", "all"]
NETWORKS = ("cnn", "dae_sym")
TAU = 0.9
SETTINGS = SimpleNamespace(
    network="cnn", autoencoder="dae_sym", witnesses=["lenet", "dae_sym"], ways=dict.fromkeys(WAYS),
    priors={"projection": SimpleNamespace(by="projection"), "confidence": SimpleNamespace(by="confidence")},
    from_pictures=["plain", "all"], shown=2,
)  # fmt: skip
UNITS = 2


def example_cell(
    path: Path, draw: np.random.Generator, *, classes: int = 10, witnesses: list[str] | None = None,
    budget: Mapping[str, int] | None = None,
) -> None:  # fmt: skip
    """Units that like their images, and classes that others recognise more often with a prior."""
    settings = SimpleNamespace(**vars(SETTINGS) | ({"witnesses": witnesses} if witnesses else {}))
    found = {f"units-{name}": units(draw) for name in NETWORKS}
    of_classes = {}
    for way in (*WAYS, *settings.priors):
        of_classes[way] = of_way(draw, classes, 0.9 if way in settings.priors else 0.2, settings)
    usual = {"label": np.repeat(np.arange(classes), 5), "distance": draw.uniform(3, 6, 5 * classes)}
    tables = summary.tables({name: found[f"units-{name}"] for name in NETWORKS}, of_classes, usual, settings)
    own = {"explore_features.steps": 10, "explore_features.unit_steps": 10, "explore_features.units": UNITS}
    results.write(
        path,
        budget=dict(budget or {}) | own,
        metrics=summary.rows(tables, settings, TAU),
        tables=tables,
        examples=summary.shown(found | of_classes, settings, [f"class {c}" for c in range(classes)]),
    )


def units(draw: np.random.Generator) -> dict[str, Any]:
    """What `run.Work.units` gives."""
    kinds = [("conv1", "channel"), ("conv1", "unit"), ("fc1", "unit")]
    runs = [(way, "noise") for way in WAYS] + [(way, "picture") for way in SETTINGS.from_pictures]
    columns = [(*kind, *run, unit) for kind in kinds for run in runs for unit in range(UNITS)]
    layer, kind, way, start, unit = map(np.array, zip(*columns, strict=True))
    count = len(columns)
    image = np.round(255 * blobs(draw, count)).astype(np.uint8)[:, None]
    return {
        "activity": draw.uniform(1, 3, count),
        "most": draw.uniform(0, 2, count),
        "unit": unit,
        "layer": layer,
        "kind": kind,
        "way": way,
        "start": start,
        "before": draw.integers(0, 10, count),
        "after": draw.integers(0, 10, count),
        "confidence": draw.uniform(0, 1, count),
        "image": image,
        "start_image": image,
    }


def of_way(draw: np.random.Generator, classes: int, share: float, settings: Any) -> dict[str, Any]:
    """What `run.Work.classes` gives."""
    target = np.arange(classes)
    arrays: dict[str, Any] = {}
    for name in dict.fromkeys([*NETWORKS, *settings.witnesses]):
        right = draw.random(classes) < (1 if name == "cnn" else share)
        arrays[f"answer_{name}"] = np.where(right, target, (target + 1) % classes)
    arrays |= {
        "confidence": draw.uniform(0, 1, classes),
        "distance": draw.uniform(4, 9, classes),
        "nearest": draw.integers(0, 1000, classes),
        "nearest_label": draw.integers(0, classes, classes),
        "target": target,
        "image": np.round(255 * blobs(draw, classes)).astype(np.uint8)[:, None],
    }
    return arrays
