"""The cells of a data set, read and checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError
from overgen.run.files import directory_md5, read_json, read_npz


@dataclass(frozen=True)
class Cell:
    """The results of one model on one data set by one stage. folder: where they lie."""

    dataset: str
    stage: str
    model: str
    folder: Path

    @property
    def path(self) -> str:
        """Its folder as dvc.yaml and dvc.lock name it."""
        return f"reports/cells/{self.dataset}/{self.stage}/{self.model}"

    @property
    def command(self) -> str:
        """What makes the cell, and all that it needs."""
        return f"dvc repro {self.stage}@{self.dataset}-{self.model}"

    def file(self, name: str) -> Path:
        """The path of one of its files. Raises OvergenError, with the command to run, if it is missing."""
        path = self.folder / name
        if not path.is_file():
            raise OvergenError(f"{self.path}/{name}: missing; `{self.command}` makes it")
        return path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """`metrics.json`, checked. Raises OvergenError if it is another cell's or has another form."""
        found = read_json(self.file("metrics.json"))
        place = f"{self.path}/metrics.json"
        again = f"delete it and run `{self.command}`"
        try:
            if (found["dataset"], found["stage"], found["model"]) != (self.dataset, self.stage, self.model):
                raise OvergenError(f"{place}: belongs to another cell ({found['stage']}/{found['model']}); {again}")
            for row in found["metrics"]:
                for name in ("reproduced", "low", "high", "tau", "n"):
                    if row[name] is not None and not math.isfinite(row[name]):
                        raise OvergenError(f"{place}: {row['metric']}, {name} is {row[name]}; {again}")
                for name in (
                    "experiment",
                    "metric",
                    "unit",
                    "interval",
                    "note",
                    *(["model"] if "model" in row else []),
                ):
                    if not isinstance(row[name], str):
                        raise OvergenError(f"{place}: {name} is {row[name]!r}, not text; {again}")
            found["budget"].items()
        except (KeyError, TypeError, AttributeError) as error:
            raise OvergenError(f"{place}: not a cell's summary ({error!r}); {again}") from error
        return found

    @property
    def budget(self) -> dict[str, int]:
        """What was spent on it, upstream too, by params.yaml path; lists as their length."""
        return self.summary["budget"]

    @cached_property
    def md5(self) -> str:
        """What DVC records for the folder."""
        return directory_md5(self.folder)

    def table(self, name: str) -> pd.DataFrame:
        """One of its tables, by file name without .csv."""
        path = self.file(f"{name}.csv")
        try:
            return pd.read_csv(path, keep_default_na=True)
        except ValueError as error:  # pandas' parser errors are ValueErrors
            raise OvergenError(f"{self.path}/{name}.csv: not CSV ({error}); run `{self.command}`") from error

    def examples(self) -> dict[str, np.ndarray]:
        """The arrays of its examples.npz."""
        return read_npz(self.file("examples.npz"))


Grid = dict[str, dict[str, Cell]]  # by stage, then by model


def read_grid(
    cells: Path,
    dataset: str,
    *,
    classifiers: Sequence[str],
    autoencoders: Sequence[str],
    attacked: Sequence[str],
    evolved: Sequence[str],
    retrained: Sequence[str],
    openset_models: Sequence[str],
    variants: Sequence[str] = (),
    perceptrons: Sequence[str] = (),
    scored: Sequence[str] = (),
    oneclass_models: Sequence[str] = (),
) -> Grid:
    """The cells of a data set that the declared lists ask for, by stage and model, in the order of the lists.

    Folders are never listed: what lies there of models that were dropped from params.yaml does not count.
    Raises OvergenError naming the first missing cell and the command that makes it.
    """
    stages = {
        "train_classifier": classifiers,
        "train_autoencoder": autoencoders,
        "train_variants": variants,
        "fool_fgn": attacked,
        "fool_variants": variants,
        "fool_gradient": attacked,
        "fool_evolution": evolved,
        "retrain_on_fooling": retrained,
        "evaluate_fooling": attacked,
        "evaluate_confidence": attacked,
        "train_openset": openset_models,
        "evaluate_openset": openset_models,
        "train_perceptrons": perceptrons,
        "fool_lbfgs": perceptrons,
        "collect_fooling": ["attacked"] if scored else [],
        "evaluate_scores": scored,
        "train_oneclass": oneclass_models,
        "evaluate_oneclass": oneclass_models,
        "evaluate_oneclass_scores": ["pixels"] if oneclass_models else [],
    }
    grid = {
        stage: {model: Cell(dataset, stage, model, cells / dataset / stage / model) for model in models}
        for stage, models in stages.items()
    }
    for models in grid.values():
        for cell in models.values():
            _ = cell.summary  # read and checked before anything is drawn
    return grid
