"""What `synthesise_classes` makes of its images: the rows of its cell, and images to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import median_interval
from overgen.run import results

Arrays = dict[str, np.ndarray]  # what `run.Work.of_way` gives


def table(way: str, arrays: Arrays, names: Sequence[str]) -> pd.DataFrame:
    """A row an image of one way."""
    columns = {name: values for name, values in arrays.items() if name != "image"}
    return pd.DataFrame({"way": way, "class": [names[int(t)] for t in arrays["target"]]} | columns)


def rows(images: pd.DataFrame, settings: Any, demo: Any) -> list[dict[str, Any]]:
    """The rows of the cell. settings, demo: the sections `synthesise_classes` and `imagenet`."""
    numbers: list[dict[str, Any]] = []
    for way, own in images.groupby("way", sort=False):
        answers = {name: own[f"answer_{name}"] == own["target"] for name in ("network", *demo.witnesses)}
        every = np.logical_and.reduce([answers[name] for name in demo.witnesses])
        numbers.append(rate("recognised", way, every, own) | {"note": verdict(every, settings.recognised)})
        numbers.append(rate("answers_class", way, answers["network"], own, network="itself"))
        for witness in demo.witnesses:
            at = {"network": witness}
            numbers.append(rate("answers_class", way, answers[witness], own, **at))
            numbers.append(rate("class_in_five", way, own[f"place_{witness}"] <= 5, own, **at))
            numbers.append(rate("crop_answers_class", way, own[f"crop_answers_{witness}"], own, **at))
            for metric, column in (("median_score", "score"), ("median_best_crop_score", "crop_score")):
                values = own[f"{column}_{witness}"].to_numpy(dtype=np.float64)
                numbers.append(
                    results.row(
                        "synthesis", results.metric(metric, way=str(way), **at), float(np.median(values)),
                        unit="fraction", n=len(values),
                        interval=median_interval(values[:, None], own["target"].to_numpy()),
                        kind=f"95 % percentile bootstrap of the median over {own['target'].nunique()} classes",
                    )
                )  # fmt: skip
        if "cat_place" in own:
            cats = own[own["target"] == settings.cat]
            numbers.append(rate("nearest_photograph_is_the_cat", way, cats["cat_place"] == 1, cats, of="cat"))
            others = own[own["target"] != settings.cat]
            numbers.append(rate("nearest_photograph_is_the_cat", way, others["cat_place"] == 1, others, of="others"))
    return numbers


def rate(metric: str, way: Any, hits: Any, own: pd.DataFrame, **of: str) -> dict[str, Any]:
    """A share of the images of a way."""
    name = results.metric(metric, way=str(way), **of)
    return results.rate_row("synthesis", name, [int(np.sum(hits))], len(own), of="images")


def verdict(hits: np.ndarray, percent: float) -> str:
    """What the rule of params.yaml says of the claim that no object can be synthesised in this way."""
    row = results.rate_row("synthesis", "recognised", [int(hits.sum())], len(hits), of="images")
    if row["high"] < percent:
        return "the claim holds"
    return "the claim is contradicted" if row["low"] > percent else "cannot tell"


def shown(made: Mapping[str, Arrays], settings: Any, names: Sequence[str]) -> Arrays:
    """The first image of the cat in every way, and of each class in the ways of `settings.shown`.

    image: (I, H, W, 3) uint8; way, class: (I,) names.
    """
    kept: list[tuple[str, str, np.ndarray]] = []
    for way, arrays in made.items():
        first = {int(t): i for i, t in reversed(list(enumerate(arrays["target"])))}
        wanted = first if way in settings.shown else {settings.cat: first[settings.cat]}
        order = sorted(wanted.values())
        kept += [(way, names[int(arrays["target"][i])], np.moveaxis(arrays["image"][i], 0, 2)) for i in order]
    ways, classes, images = zip(*kept, strict=True)
    return {"way": np.array(ways), "class": np.array(classes), "image": np.stack(images)}
