"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.attack_scores import summary

RESTARTS, IMAGES = 4, 40
RADII = {"linf": (0.1, 0.2), "l2": (1.0, 2.0)}


def example_cell(
    path: Path, draw: np.random.Generator, *, budget: Mapping[str, int] | None = None, **options: Any
) -> None:
    """What `made_up` says. budget: of the network; options: of `made_up`."""
    rows, tables, examples = made_up(draw, **options)
    key = f"attack_scores.{path.parts[-3]}"
    own = {"fitted_images": 900, "known_images": 1000, "judge_images": 900, "attempts": 500, "ball_attempts": 100,
           "restarts": options.get("restarts", RESTARTS), "images": options.get("images", IMAGES)}  # fmt: skip
    spent = dict(budget or {}) | {f"{key}.{name}": n for name, n in own.items()}
    results.write(path, budget=spent, metrics=rows, tables=tables, examples=examples)


def made_up(
    draw: np.random.Generator,
    *,
    methods: Sequence[str] = ("softmax", "knn_normalised", "knn_pixels"),
    fooled: Mapping[str, float] | None = None,
    no_class: Mapping[str, float] | None = None,
    kept: Mapping[str, float] | None = None,
    moved: Mapping[str, float] | None = None,
    starts: Sequence[str] = ("noise", "other_data"),
    radii: Mapping[str, Sequence[float]] = RADII,
    refused: Mapping[str, str] | None = None,
    flat: Sequence[str] = (),
    black_box: Mapping[str, str] | None = None,
    restarts: int = RESTARTS,
    images: int = IMAGES,
    classes: int = 10,
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """Rows, tables and examples of a cell.

    Of each method the share of trials that are fooled (all, unless given), of these the share that the judge finds not
    of the class, the share of test images that is kept, and of the images in balls the share that the smallest ball
    moves; the next one moves half of the rest.
    """
    trials = list(product(starts, range(classes), range(restarts)))
    found: dict[str, dict[str, np.ndarray]] = {}
    judged: dict[str, dict[str, np.ndarray]] = {}
    for method in methods:
        hit = np.arange(len(trials)) % 20 < 20 * (fooled or {}).get(method, 1.0)
        found[method] = {
            "kept": np.arange(1000) < 1000 * (kept or {}).get(method, 0.95),
            "black_box": np.array((black_box or {}).get(method, "")),
            "attempt": np.where(hit, 0, summary.NEVER),
            "step": np.where(hit, 5, summary.NEVER),
            "flat": ~hit & (method in flat),
            "start": np.zeros(len(trials), dtype=bool),
            "fooled": hit,
        }
        judged[method] = {}
        for direction, norm in product(summary.DIRECTIONS, summary.NORMS):
            share = (moved or {}).get(method, 0.3)
            place = np.arange(images) / images
            at = np.select([place < share, place < (1 + share) / 2], [1, 2], summary.NEVER)
            found[method][f"{direction}.{norm}"] = np.minimum(at, len(radii[norm]))
            found[method][f"{direction}.image"] = np.arange(images)
    found |= {method: {"refused": np.array(why)} for method, why in (refused or {}).items()}
    table = summary.trial_table(trials, ["autopgd"], found, judged)
    order = table.groupby("method").cumcount() / len(trials)
    shares = table["method"].map(lambda method: (no_class or {}).get(method, 1.0)).astype(float)
    table["distance"] = np.where(table["fooled"], 8.0, np.nan)
    table["beyond"] = table["fooled"] & (order < shares)
    table["seen"] = np.where(table["fooled"], (table["target"] + table["beyond"]) % classes, -1)
    table["seen_is_target"] = table["fooled"] & ~table["beyond"]
    table["not_of_class"] = table["beyond"]
    of_radii = summary.radius_table(found, radii)
    hits = table[table["fooled"]].reset_index(drop=True)
    chosen = {
        "shown": summary.some_of_each(hits, 3, torch.Generator().manual_seed(0)),
        "sheet": np.arange(min(10, len(hits))),
    }
    examples = {f"{kind}_image": as_bytes(blobs(draw, len(rows))) for kind, rows in chosen.items()} | {
        f"{kind}_{column}": hits.loc[rows, column].to_numpy(str if column == "method" else int)
        for kind, rows in chosen.items()
        for column in ("method", "target", "not_of_class")
    }
    examples |= {"real_image": as_bytes(blobs(draw, 10)), "real_label": np.arange(10) % classes}
    return summary.rows(table, of_radii, found, radii), {"trials": table, "radii": of_radii}, examples
