"""What `explore_dimension` makes of its clouds of points: its tables, the rows of its cell, and images to show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overgen.data.scene import PARAMETERS
from overgen.measures.dimension import ESTIMATORS
from overgen.measures.intervals import mean_interval
from overgen.run import results

Arrays = dict[str, np.ndarray]  # what `run.stacked` gives: a column of each thing said of some clouds
COLUMNS = ["size", "part", "points", "repeated", *ESTIMATORS]
POSITIVE = (0.0, math.inf)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the dimension around images
FREEDOM = len(PARAMETERS)  # degrees of freedom of the views in which all vary


def table(
    classes: Mapping[str, Arrays],
    mixed: Arrays,
    manifolds: Mapping[str, tuple[int, Arrays]],
    views: Mapping[str, tuple[int, Arrays]],
) -> pd.DataFrame:
    """A row a cloud: its kind (class, mixed, manifold or views), what it is of, the true dimension where it is known.

    Of a class the last row is of all its images.
    """
    lines = [frame("class", name, None, arrays) for name, arrays in classes.items()]
    lines.append(frame("mixed", "all classes", None, mixed))
    for kind, of in (("manifold", manifolds), ("views", views)):
        lines += [frame(kind, name, true, arrays) for name, (true, arrays) in of.items()]
    return pd.concat(lines, ignore_index=True)


def frame(kind: str, of: str, true: int | None, arrays: Arrays) -> pd.DataFrame:
    about = {"kind": kind, "of": of, "true": pd.array([true] * len(arrays["size"]), dtype="Int64")}
    return pd.DataFrame(about | {name: arrays[name] for name in COLUMNS})


def quantiles(classes: Mapping[str, Arrays]) -> pd.DataFrame:
    """Quantiles of the dimension around the images of each class."""
    lines = [
        {"class": name, "images": len(arrays["local"])}
        | {f"q{100 * q:02.0f}": float(np.quantile(arrays["local"], q)) for q in QUANTILES}
        for name, arrays in classes.items()
    ]
    return pd.DataFrame(lines)


def rows(clouds: pd.DataFrame, *, pixels: int, parts: int) -> list[dict[str, Any]]:
    """The rows of the cell. clouds: `table`; pixels: D; parts: of a size, at most."""
    of_class, mixed = (clouds[clouds["kind"] == kind] for kind in ("class", "mixed"))
    wholes = of_class.drop_duplicates("of", keep="last")  # the whole of each class
    cut = of_class.drop(wholes.index)
    sizes = [  # of which every class has all parts
        size for size in cut["size"].unique().tolist() if int((cut["size"] == size).sum()) == parts * len(wholes)
    ]
    of_size = {size: mixed[mixed["size"] == size] for size in mixed["size"].unique().tolist()}
    full = [size for size, own in of_size.items() if len(own) == parts]
    numbers: list[dict[str, Any]] = []
    for estimator in ESTIMATORS:
        of = {"estimator": estimator}
        for name, own in cut[cut["size"] == sizes[-1]].groupby("of", sort=False):
            values = own[estimator].to_numpy()
            numbers.append(of_parts("class_dimension", values, sizes[-1], "images", {"of": str(name)} | of))
        means = {
            size: cut[cut["size"] == size].groupby("of", sort=False)[estimator].mean().to_numpy() for size in sizes
        }
        whole = wholes[estimator].to_numpy()
        for size, values in [*means.items(), ("all", whole)]:
            numbers.append(over_classes("mean_dimension", values, "dimensions", {"images": str(size)} | of))
        numbers.append(over_classes("share_of_pixels", 100 * whole / pixels, "percent", of))
        numbers.append(over_classes("growth", whole / means[sizes[0]], "ratio", of))
        of_mixed = {size: own[estimator].to_numpy() for size, own in of_size.items()}
        for size, values in of_mixed.items():
            numbers.append(of_parts("mixed_dimension", values, size, "images", {"images": str(size)} | of))
        note = f"from {full[0]:,} to {full[-1]:,} images"
        numbers.append(over_parts("mixed_growth", of_mixed[full[-1]] / of_mixed[full[0]], "ratio", of, note))
        numbers += known_rows(clouds, estimator)
    return numbers


def known_rows(clouds: pd.DataFrame, estimator: str) -> list[dict[str, Any]]:
    """Of known manifolds and of views of the object, by one estimator."""
    numbers: list[dict[str, Any]] = []
    drawn, sizes = {}, {}
    for (kind, name), own in clouds[clouds["true"].notna()].groupby(["kind", "of"], sort=False):
        size = sizes[name] = int(own["size"].min())
        drawn[name] = own[own["size"] == size][estimator].to_numpy()
        metric, what = ("known_dimension", "points") if kind == "manifold" else ("views_dimension", "views")
        of = {"of": str(name), "estimator": estimator}
        numbers.append(of_parts(metric, drawn[name], size, what, of))
        for together in own[own["size"] > size].to_dict("records"):
            numbers.append(of_parts("views_dimension_together", np.array([together[estimator]]), together["size"],
                                    what, of))  # fmt: skip
    off = 100 * np.abs(drawn["all"] / FREEDOM - 1)
    note = f"of {sizes['all']:,} views in each draw"
    return [*numbers, over_parts("views_off", off, "percent", {"estimator": estimator}, note)]


def of_parts(metric: str, values: np.ndarray, size: int, what: str, of: Mapping[str, str]) -> dict[str, Any]:
    """The mean of the estimates of disjoint parts, or of draws, of one size. n: how many of `what` in all."""
    return results.row(
        "dimension", results.metric(metric, **of), float(values.mean()), unit="dimensions", n=len(values) * int(size),
        interval=mean_interval(values, bounds=POSITIVE), kind=f"95 % t interval of the mean over {len(values)} parts",
        note=f"{len(values)} × {int(size):,} {what}",
    )  # fmt: skip


def over_parts(metric: str, values: np.ndarray, unit: str, of: Mapping[str, str], note: str) -> dict[str, Any]:
    """A mean over parts. n: their number."""
    return results.row(
        "dimension", results.metric(metric, **of), float(values.mean()), unit=unit, n=len(values), note=note,
        interval=mean_interval(values, bounds=POSITIVE), kind=f"95 % t interval of the mean over {len(values)} parts",
    )  # fmt: skip


def over_classes(metric: str, values: np.ndarray, unit: str, of: Mapping[str, str]) -> dict[str, Any]:
    """A mean over classes. n: their number."""
    return results.row(
        "dimension", results.metric(metric, **of), float(values.mean()), unit=unit, n=len(values),
        interval=mean_interval(values, bounds=POSITIVE), kind=f"95 % t interval of the mean over {len(values)} classes",
    )  # fmt: skip


def shown(classes: Mapping[str, Arrays], views: np.ndarray) -> Arrays:
    """Images with the lowest and the highest dimension around them, (K, 2, S, ...), with it, and some views."""
    return {
        "class": np.array(list(classes)),
        "image": np.stack([arrays["image"] for arrays in classes.values()]),
        "local": np.stack([arrays["image_local"] for arrays in classes.values()]).astype(np.float32),
        "view": views,
    }
