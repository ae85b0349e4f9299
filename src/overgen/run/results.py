"""A cell's results: `metrics.json` (the summary), tables (the evidence, a row a trial) and examples.

Each measured number is a row: experiment, metric, tau, unit, reproduced, low, high, n, interval, note. `reproduced` is
None where no number exists (a mean over no fooled trial); `interval` says of what kind [low, high] is. A row may have a
`model` of its own, where the number is not of the cell's: of one of several networks in the cell, or of the network
that the cell's model is a variant of.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import bootstrap_over_seeds, mean_interval, prediction_interval, wilson
from overgen.run.files import replace_directory, write_csv, write_json, write_npz


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
    accuracies the t prediction interval, where one more seed would fall; for trials, which share a network, a
    bootstrap over seeds, but never narrower than the Wilson interval of all trials: few seeds that agree say little.
    """
    seeds = len(hits)
    rates = [100 * k / n for k in hits]
    found: tuple[float, float] | None
    if seeds > 1 and of == "trials":
        low, high = wilson(sum(hits), seeds * n)
        ends = [*(bootstrap_over_seeds(rates) or ()), 100 * low, 100 * high]
        found = min(ends), max(ends)
        kind = f"95 % bootstrap over {seeds} seeds, no narrower than Wilson over all trials"
    elif seeds > 1:
        found = prediction_interval(rates, bounds=(0, 100))
        kind = f"95 % t prediction interval over {seeds} seeds"
    else:
        low, high = wilson(hits[0], n)
        found, kind = (100 * low, 100 * high), f"95 % Wilson over {n} {of}; seed spread not measured"
    value = float(np.mean(rates))
    return row(
        experiment,
        metric,
        value,
        unit="percent",
        n=seeds * n,
        tau=tau,
        interval=found,
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
