"""What `visualise_units` makes of its images: tables, rows, and images to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.run import results

Arrays = dict[str, np.ndarray]
SHOWN = 4  # units of each layer, at most


def tables(
    of_units: Sequence[Arrays],
    of_dreams: Sequence[Arrays],
    layers: Sequence[str],
    dreams: Sequence[tuple[str, str]],
    names: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """A row a unit, and a row a dream."""
    units = [
        pd.DataFrame({"layer": layer} | {name: arrays[name] for name in ("unit", "activation", "photograph")})
        for layer, arrays in zip(layers, of_units, strict=True)
    ]
    dreamt = [
        {"photograph": name, "layer": layer, "answer_before": names[int(arrays["answer"][0])],
         "score_before": arrays["score"][0], "answer_after": names[int(arrays["answer"][1])],
         "score_after": arrays["score"][1], "times": arrays["activation"][1] / arrays["activation"][0]}
        for (name, layer), arrays in zip(dreams, of_dreams, strict=True)
    ]  # fmt: skip
    return {"units": pd.concat(units), "dreams": pd.DataFrame(dreamt)}


def rows(tables: dict[str, pd.DataFrame], layers: Sequence[str]) -> list[dict[str, Any]]:
    """How many units like their own image better than every photograph, and what dreams change."""
    units, dreams = tables["units"], tables["dreams"]
    own = units["activation"] > units["photograph"]
    numbers = [results.rate_row("units", "likes_its_image_best", [int(own.sum())], len(own), of="units")]
    for layer in layers:
        hits = own[units["layer"] == layer]
        name = results.metric("likes_its_image_best", layer=layer)
        numbers.append(results.rate_row("units", name, [int(hits.sum())], len(hits), of="units"))
    changed = dreams["answer_before"] != dreams["answer_after"]
    numbers.append(results.rate_row("dreams", "answer_changed", [int(changed.sum())], len(changed), of="dreams"))
    times = float(dreams["times"].median())
    return [*numbers, results.row("dreams", "median_gain", times, unit="times", n=len(dreams))]


def shown(of_units: Sequence[Arrays], of_dreams: Sequence[Arrays], dreams: Sequence[tuple[str, str]]) -> Arrays:
    """unit (L, U) and image (L, U, H, W, 3) of the first units; start and dream, each once a photograph or a dream."""
    first = {name: arrays["start"] for (name, _), arrays in reversed(list(zip(dreams, of_dreams, strict=True)))}
    names = list(dict.fromkeys(name for name, _ in dreams))
    return {
        "unit": np.stack([arrays["unit"][:SHOWN] for arrays in of_units]),
        "image": np.stack([np.moveaxis(arrays["image"][:SHOWN], 1, 3) for arrays in of_units]),
        "photograph": np.array(names),
        "start": np.stack([np.moveaxis(first[name], 0, 2) for name in names]),
        "dream": np.stack([np.moveaxis(arrays["image"], 0, 2) for arrays in of_dreams]),
    }
