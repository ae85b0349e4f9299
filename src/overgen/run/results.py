"""A cell's results, written and read: `metrics.json` (the summary), tables (the evidence, a row a trial) and examples.

Each measured number is a row: experiment, metric, tau, unit, reproduced, low, high, n, interval, note. `reproduced` is
None where no number exists (a mean over no fooled trial); `interval` says of what kind [low, high] is. A row may have a
`model` of its own, where the number is not of the cell's: of one of several networks in the cell, or of the network
that the cell's model is a variant of. What a metric is of stands behind its name: `fooling_rate@start=noise@alpha=2`
(`metric` writes such a text, `parts` takes it apart).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError
from overgen.measures.intervals import bootstrap_over_seeds, mean_interval, prediction_interval, wilson
from overgen.run.files import directory_md5, read_json, read_npz, replace_directory, write_csv, write_json, write_npz

# Keys of metrics that several stages' numbers have, or that only some numbers of a stage have.
KEYS = ("on", "start", "known", "alpha", "score", "rms")
SAME_IMAGES = ("test images", "noise images")  # of which a rate is, where the networks of all seeds are shown the same


def metric(name: str, *, on: str = "", **keys: str | float | None) -> str:
    """A metric with what it is of, in the order given: metric("fooling_rate", start="noise", alpha=2).

    on: what kind of images or points, which stands without a key ("noise_accepted@uniform-noise"). A key that is None
    is left out, a number is written in its shortest form.
    """
    parts = [name, *([on] if on else [])]
    parts += [f"{key}={value if isinstance(value, str) else format(value, 'g')}"
              for key, value in keys.items() if value is not None]  # fmt: skip
    return "@".join(parts)


def parts(text: str) -> dict[str, str]:
    """What a metric is of, by key, as text; its own name under "metric", what stands without a key under "on"."""
    name, *suffixes = text.split("@")
    pairs = [suffix.partition("=") for suffix in suffixes]
    return {"metric": name} | {key if equals else "on": value if equals else key for key, equals, value in pairs}


def row(
    experiment: str,
    metric: str,
    value: float | None,
    *,
    unit: str,
    n: int,
    tau: float | None = None,
    interval: tuple[float, float] | None = None,
    kind: str = "",
    note: str = "",
    model: str | None = None,
) -> dict[str, Any]:
    """One measured number. interval: (low, high) in the number's unit, of the given kind. model: unless the cell's."""
    low, high = interval or (None, None)
    of_model = {} if model is None else {"model": model}
    return of_model | {
        "experiment": experiment,
        "metric": metric,
        "tau": tau,
        "unit": unit,
        "reproduced": value,
        "low": low,
        "high": high,
        "n": n,
        "interval": kind if interval else "none",
        "note": note,
    }


def rate_row(
    experiment: str,
    metric: str,
    hits: list[int],
    n: int,
    *,
    of: str,
    tau: float | None = None,
    note: str = "",
    model: str | None = None,
) -> dict[str, Any]:
    """A rate in percent from the hits of each seed, out of n each.

    One seed: Wilson interval over what was tried, and 'seed spread not measured'. Several seeds (protocol §8): for
    accuracies, and what else is of `SAME_IMAGES`, the t prediction interval, where one more seed would fall, but never
    narrower than the Wilson interval of one network; for anything that was made for a network, such as trials, which
    share it, a bootstrap over seeds, but never narrower than the Wilson interval of all: few seeds that agree say
    little.
    """
    seeds = len(hits)
    rates = [100 * k / n for k in hits]
    interval: tuple[float, float] | None
    if seeds > 1:
        alike = of in SAME_IMAGES
        over_seeds = prediction_interval(rates, bounds=(0, 100)) if alike else bootstrap_over_seeds(rates)
        low, high = wilson(round(sum(hits) / seeds), n) if alike else wilson(sum(hits), seeds * n)
        ends = [*(over_seeds or ()), 100 * low, 100 * high]
        interval = min(ends), max(ends)
        kind = f"95 % t prediction interval over {seeds} seeds, no narrower than Wilson over {n} {of}"
        if not alike:
            kind = f"95 % bootstrap over {seeds} seeds, no narrower than Wilson over all {of}"
    else:
        low, high = wilson(hits[0], n)
        interval, kind = (100 * low, 100 * high), f"95 % Wilson over {n} {of}; seed spread not measured"
    value = float(np.mean(rates))
    return row(
        experiment,
        metric,
        value,
        unit="percent",
        n=seeds * n,
        tau=tau,
        interval=interval,
        kind=kind,
        note=note,
        model=model,
    )


def over_classes_row(
    experiment: str, metric: str, hits: pd.Series, classes: pd.Series, *, tau: float | None = None
) -> dict[str, Any]:
    """The mean of the classes' rates in percent, with an interval for trials that are alike within their class.

    hits: (n,) bool, whether a trial did; classes: (n,) its target class. The Wilson interval of `rate_row` takes trials
    for independent; this is Student's over the classes, and there is none where all of them have the same rate.
    """
    rates = 100 * hits.groupby(classes).mean().to_numpy(dtype=np.float64)
    differ = rates.min() < rates.max()
    return row(
        experiment,
        metric,
        float(rates.mean()),
        unit="percent",
        n=len(rates),
        tau=tau,
        interval=mean_interval(rates, bounds=(0, 100)) if differ else None,
        kind=f"95 % t interval of the mean over {len(rates)} classes",
        note="" if differ else "the same in all classes",
    )


def write(
    path: Path,
    *,
    budget: Mapping[str, int],
    metrics: list[dict[str, Any]],
    tables: Mapping[str, pd.DataFrame] | None = None,
    examples: Mapping[str, np.ndarray] | None = None,
    successes: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a whole cell, or nothing. path: reports/cells/<dataset>/<stage>/<model>; tables by file name without .csv.

    budget: what was spent, upstream too, by params.yaml path; lists as their length. examples: images to show;
    successes: every image that fooled.
    """
    dataset, stage, model = path.parts[-3:]
    with replace_directory(path) as directory:
        write_json(
            directory / "metrics.json",
            {"dataset": dataset, "stage": stage, "model": model, "budget": dict(budget), "metrics": metrics},
        )
        for name, table in (tables or {}).items():
            write_csv(directory / f"{name}.csv", table)
        for name, arrays in (("examples", examples), ("successes", successes)):
            if arrays is not None:
                write_npz(directory / f"{name}.npz", **arrays)


@dataclass(frozen=True)
class Cell:
    """The results of one model on one data set by one stage. folder: where they lie.

    joint: whether one stage of DVC's makes the cells of all models.
    """

    dataset: str
    stage: str
    model: str
    folder: Path
    joint: bool = False

    @property
    def path(self) -> str:
        """Its folder as dvc.yaml and dvc.lock name it."""
        return f"reports/cells/{self.dataset}/{self.stage}/{self.model}"

    @property
    def command(self) -> str:
        """What makes the cell, and all that it needs."""
        return f"dvc repro {self.stage}@{self.dataset}" + ("" if self.joint else f"-{self.model}")

    def file(self, name: str) -> Path:
        """The path of one of its files. Raises OvergenError, with the command to run, if it is missing."""
        path = self.folder / name
        if not path.is_file():
            raise OvergenError(f"{self.path}/{name}: missing; `{self.command}` makes it")
        return path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """`metrics.json`, checked. Raises OvergenError if it is another cell's or has another form."""
        summary = read_json(self.file("metrics.json"))
        place = f"{self.path}/metrics.json"
        again = f"delete it and run `{self.command}`"
        try:
            if (summary["dataset"], summary["stage"], summary["model"]) != (self.dataset, self.stage, self.model):
                raise OvergenError(f"{place}: belongs to another cell ({summary['stage']}/{summary['model']}); {again}")
            for row in summary["metrics"]:
                for name in ("reproduced", "low", "high", "tau", "n"):
                    if row[name] is not None and not math.isfinite(row[name]):
                        raise OvergenError(f"{place}: {row['metric']}, {name} is {row[name]}; {again}")
                for name in ("experiment", "metric", "unit", "interval", "note", *(["model"] * ("model" in row))):
                    if not isinstance(row[name], str):
                        raise OvergenError(f"{place}: {name} is {row[name]!r}, not text; {again}")
            summary["budget"].items()
        except (KeyError, TypeError, AttributeError) as error:
            raise OvergenError(f"{place}: not a cell's summary ({error!r}); {again}") from error
        return summary

    @property
    def budget(self) -> dict[str, int]:
        """What was spent on it, upstream too, by params.yaml path; lists as their length."""
        return self.summary["budget"]

    @cached_property
    def md5(self) -> str:
        """The MD5 of the folder, as DVC computes it."""
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


def read(cell: Cell) -> pd.DataFrame:
    """The measured numbers of a cell, a row each, what they are of in columns.

    Columns: experiment, model, metric (its name alone), text (the metric as written), tau ("" for none), unit,
    reproduced, low, high, n, interval, note, budget (what the row spent, the cell's with its own on top), then one for
    each of `KEYS` and each further key that a metric of the cell has, "" where a row has none. Keys are text.
    Raises OvergenError if the cell is missing or broken.
    """
    rows = [
        {"model": cell.model} | row | parts(row["metric"])
        | {"text": row["metric"], "tau": "" if row["tau"] is None else f"{row['tau']:g}",
           "budget": cell.budget | row.get("budget", {})}
        for row in cell.summary["metrics"]
    ]  # fmt: skip
    first = ["experiment", "model", "metric", "text", "tau", "unit", "reproduced", "low", "high", "n", "interval",
             "note", "budget"]  # fmt: skip
    keys = dict.fromkeys([*KEYS, *(key for row in rows for key in row if key not in first)], "")
    types: dict[str, Any] = {"reproduced": "float64", "low": "float64", "high": "float64", "n": "Int64"}
    return pd.DataFrame([keys | row for row in rows], columns=[*first, *keys]).astype(types)
