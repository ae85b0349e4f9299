"""What `explore_transfer` makes of accuracies and answers: its tables, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.means import mean_row
from overgen.measures.outputs import part
from overgen.run import results

Arrays = Mapping[str, np.ndarray]
CODE = "code"  # the features of the autoencoders that have seen no label
DRAWS = "draws of labelled images, each with the next seed's autoencoder"


def cell(
    draws: Sequence[Arrays], searched: Arrays, settings: Any, classes: int
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame]]:
    """The rows and the tables of the cell. draws, searched: of `run.Work`; settings: the section."""
    tables = {"accuracy": accuracies(draws, settings.labels), "layers": of_layers(draws),
              "search": of_search(searched, settings.at, classes)}  # fmt: skip
    rows = accuracy_rows(tables["accuracy"]) + layer_rows(tables["layers"])
    return rows + search_rows(tables["search"]), tables


def accuracies(draws: Sequence[Arrays], labels: Sequence[int]) -> pd.DataFrame:
    """A row a draw, features and number of labels; accuracy in percent."""
    return pd.DataFrame(
        [
            {"draw": d, "features": name, "labels": count, "accuracy": 100 * float(value)}
            for d, arrays in enumerate(draws)
            for name, values in part(arrays, "features").items()
            for count, value in zip(labels, values, strict=True)
        ]
    )


def of_layers(draws: Sequence[Arrays]) -> pd.DataFrame:
    """A row a draw and layer, from the lowest up; accuracy in percent."""
    return pd.DataFrame(
        [
            {"draw": d, "network": name.split(".")[0], "layer": name.split(".")[1], "accuracy": 100 * float(values[0])}
            for d, arrays in enumerate(draws)
            for name, values in part(arrays, "layer").items()
        ]
    )


def of_search(searched: Arrays, at: Sequence[int], classes: int) -> pd.DataFrame:
    """A row a class of queries, features and number of answers; precision in percent. Classes without queries lack."""
    labels = searched["label"]
    return pd.DataFrame(
        [
            {"features": name, "class": c, "at": k, "queries": int((labels == c).sum()),
             "precision": 100 * float(values[labels == c, i].mean())}
            for name, values in part(searched, "precision").items()
            for c in range(classes) if (labels == c).any()
            for i, k in enumerate(at)
        ]
    )  # fmt: skip


def accuracy_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean accuracies, and what the code gains over everything else on the same draw."""
    rows = []
    for count, alike in table.groupby("labels", sort=False):
        of = {str(name): own["accuracy"].to_numpy() for name, own in alike.groupby("features", sort=False)}
        for name, values in of.items():
            metric = results.metric("accuracy", features=name, labels=str(count))
            rows.append(over_draws(metric, values, "percent", (0, 100)))
            if name != CODE:
                metric = results.metric("accuracy_gain", over=name, labels=str(count))
                rows.append(over_draws(metric, of[CODE] - values, "percentage points", (-100, 100)))
    return rows


def layer_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean accuracies of a linear decoder of each layer, and what the last layer gains over the first."""
    rows = []
    for network, own in table.groupby("network", sort=False):
        found = own.pivot(index="draw", columns="layer", values="accuracy")
        names = list(dict.fromkeys(own["layer"]))
        for layer in names:
            name = results.metric("layer_accuracy", network=str(network), layer=layer)
            rows.append(over_draws(name, found[layer].to_numpy(), "percent", (0, 100)))
        gains = (found[names[-1]] - found[names[0]]).to_numpy()
        rows.append(
            over_draws(results.metric("layer_gain", network=str(network)), gains, "percentage points", (-100, 100))
        )
    return rows


def search_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean precisions over the classes of the queries, and what the code gains over everything else."""
    rows = []
    for k, alike in table.groupby("at", sort=False):
        of = {str(name): own["precision"].to_numpy() for name, own in alike.groupby("features", sort=False)}
        for name, values in of.items():
            metric = results.metric("precision", features=name, at=str(k))
            rows.append(over_classes(metric, values, "percent", (0, 100)))
            if name != CODE:
                metric = results.metric("precision_gain", over=name, at=str(k))
                rows.append(over_classes(metric, of[CODE] - values, "percentage points", (-100, 100)))
    return rows


def over_draws(name: str, values: np.ndarray, unit: str, bounds: tuple[float, float]) -> dict[str, Any]:
    return mean_row("transfer_learning", name, values, unit=unit, over=DRAWS, bounds=bounds)


def over_classes(name: str, values: np.ndarray, unit: str, bounds: tuple[float, float]) -> dict[str, Any]:
    return mean_row("transfer_learning", name, values, unit=unit, over="classes", bounds=bounds)
