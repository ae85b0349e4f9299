"""What `explore_features` makes of its images: tables, the rows of its cell, and images to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.groups import share_row
from overgen.measures.intervals import median_interval
from overgen.run import results

Arrays = dict[str, np.ndarray]  # what `run.Work` gives
FAR = 0.95  # of the test images of a class are nearer to a training image than what is called far


def tables(
    of_units: Mapping[str, Arrays], of_classes: Mapping[str, Arrays], usual: Arrays, settings: Any
) -> dict[str, pd.DataFrame]:
    """units, a row an image of a unit; classes, a row an image of a class; usual, a row a test image.

    of_units: by network; of_classes: by way.
    """
    units = [pd.DataFrame({"network": name} | columns(arrays)) for name, arrays in of_units.items()]
    classes = pd.concat([pd.DataFrame({"way": way} | columns(arrays)) for way, arrays in of_classes.items()])
    at = pd.DataFrame(usual)
    limits = at.groupby("label")["distance"].quantile(FAR)
    classes["times"] = classes["distance"] / classes["target"].map(limits)
    classes["recognised"] = [
        all(line[f"answer_{name}"] == line["target"] for name in witnesses(str(line["way"]), settings))
        for line in classes.to_dict("records")
    ]
    return {"units": pd.concat(units), "classes": classes, "usual": at}


def columns(arrays: Arrays) -> Arrays:
    """What is said of each image, without the images."""
    return {name: values for name, values in arrays.items() if not name.endswith("image")}


def witnesses(way: str, settings: Any) -> list[str]:
    """The witnesses that took no part in a way: the autoencoder took it in every prior."""
    return [name for name in settings.witnesses if way not in settings.priors or name != settings.autoencoder]


def networks_of(classes: pd.DataFrame) -> list[str]:
    """The networks whose answers the table `classes` has."""
    return [name.removeprefix("answer_") for name in map(str, classes) if name.startswith("answer_")]


def rows(found: Mapping[str, pd.DataFrame], settings: Any, tau: float) -> list[dict[str, Any]]:
    """The rows of the cell, from its tables. tau: the threshold of ỹ."""
    return [*unit_rows(found["units"], tau), *class_rows(found["classes"], settings, tau)]


def unit_rows(units: pd.DataFrame, tau: float) -> list[dict[str, Any]]:
    """How often a unit likes its image better than test images, and how often the image is one of a class."""
    numbers = []
    for network, of_network in units.groupby("network", sort=False):
        for start, own in of_network.groupby("start", sort=False):
            for way, images in [(None, own), *((str(w), each) for w, each in own.groupby("way", sort=False))]:
                keys = {"start": str(start), "way": way}
                unit = images["layer"] + " " + images["kind"] + " " + images["unit"].astype(str)
                share = partial(rate, units=unit, network=str(network), keys=keys)
                numbers.append(share("likes_its_image_best", images["activity"] > images["most"]))
                numbers.append(share("accepted", images["confidence"] > tau, tau=tau))
                if start == "picture":
                    numbers.append(share("answer_changed", images["before"] != images["after"]))
    return numbers


def rate(
    metric: str, hits: pd.Series, units: pd.Series, network: str, keys: Mapping[str, Any], tau: float | None = None
) -> dict[str, Any]:
    """A share of the images of units, with an interval over units where these have several images, which are alike."""
    name = results.metric(metric, **keys)
    if units.duplicated().any():
        return share_row("units", name, hits.to_numpy(), units.to_numpy(str), over="units", model=network, tau=tau)
    return results.rate_row("units", name, [int(hits.sum())], len(hits), of="images", tau=tau, model=network)


def class_rows(classes: pd.DataFrame, settings: Any, tau: float) -> list[dict[str, Any]]:
    """Of each way how many classes are recognised by which networks, and how near the images are to the data."""
    numbers = []
    for way, own in classes.groupby("way", sort=False):
        model = settings.network
        if way in settings.priors and settings.priors[way].by == "confidence":
            model = settings.autoencoder

        def share(metric: str, hits: pd.Series, *, tau: float | None = None, way: Any = way, model: str = model,
                  **keys: str) -> dict[str, Any]:  # fmt: skip
            name = results.metric(metric, way=str(way), **keys)
            return results.rate_row("classes", name, [int(hits.sum())], len(hits), of="classes", tau=tau, model=model)

        asked = witnesses(str(way), settings)
        if asked:
            numbers.append(share("recognised", own["recognised"]))
        else:
            metric = results.metric("recognised", way=str(way))
            note = "every witness took part"
            numbers.append(results.row("classes", metric, None, unit="percent", n=0, note=note, model=model))
        for name in networks_of(own):
            numbers.append(share("answers_class", own[f"answer_{name}"] == own["target"], network=name))
        numbers.append(share("nearest_is_class", own["nearest_label"] == own["target"]))
        numbers.append(share("far_from_data", own["times"] > 1))
        numbers.append(share("accepted", own["confidence"] > tau, tau=tau))
        times = own["times"].to_numpy(dtype=np.float64)
        numbers.append(
            results.row(
                "classes", results.metric("times_as_far", way=str(way)), float(np.median(times)), unit="times",
                n=len(times), interval=median_interval(times[:, None], own["target"].to_numpy()), model=model,
                kind=f"95 % percentile bootstrap of the median over {len(times)} classes",
            )
        )  # fmt: skip
    return numbers


def shown(found: Mapping[str, Arrays], settings: Any, names: Sequence[str]) -> Arrays:
    """Images to show, uint8.

    class_name (K,); class_way (W,), class_image (W, K, …) of every way; unit_network, unit_layer, unit_kind, unit_way,
    unit_start, unit_number (U,), unit_image and unit_begin (U, …), where it began, of the first units of each kind in
    the ways that begin with a picture, too.
    """
    ways = [way for way in (*settings.ways, *settings.priors) if way in found]
    arrays: dict[str, list[Any]] = {}
    for network in (settings.network, settings.autoencoder):
        own = found[f"units-{network}"]
        keys = list(zip(*(own[name].tolist() for name in ("layer", "kind", "way", "start")), strict=True))
        for i, key in enumerate(keys):
            if key[2] in settings.from_pictures and keys[:i].count(key) < settings.shown:
                for name, value in zip(("layer", "kind", "way", "start"), key, strict=True):
                    arrays.setdefault(f"unit_{name}", []).append(value)
                arrays.setdefault("unit_network", []).append(network)
                arrays.setdefault("unit_number", []).append(own["unit"][i])
                arrays.setdefault("unit_image", []).append(picture(own["image"][i]))
                arrays.setdefault("unit_begin", []).append(picture(own["start_image"][i]))
    classes = np.stack([np.stack([picture(image) for image in found[way]["image"]]) for way in ways])
    return {name: np.array(values) for name, values in arrays.items()} | {
        "class_name": np.array(names),
        "class_way": np.array(ways),
        "class_image": classes,
    }


def picture(image: np.ndarray) -> np.ndarray:
    """(C, H, W) as (H, W) in gray and (H, W, 3) in colour."""
    return image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)
