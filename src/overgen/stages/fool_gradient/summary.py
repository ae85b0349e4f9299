"""From the trials of gradient attacks to a cell: the table of trials, rates and distances, images to show.

A trial is a start image and a target class, attacked in turn with every objective and learning rate until one passes
the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import mean_interval
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results


def groups(
    table: pd.DataFrame, pairs: list[tuple[float, float]]
) -> Iterator[tuple[tuple[float, float], str, pd.DataFrame]]:
    """The trials of each pair (τ, α) and start, in order."""
    for pair in pairs:
        judged = table[(table["tau"] == pair[0]) & (table["alpha"] == pair[1])]
        for start in dict.fromkeys(judged["start"]):
            yield pair, start, judged[judged["start"] == start]


def rows(table: pd.DataFrame, pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Fooling rate, that of the images in 8 bits, mean updates, and what the images lie near to, by pair and start."""
    found = []
    for pair, start, trials in groups(table, pairs):
        name = f"@start={start}{alpha_suffix(pairs, pair)}"
        hits = [int(k) for k in trials["step"].notna().groupby(trials["seed"]).sum()]
        n = len(trials) // len(hits)
        found.append(results.rate_row("gradient", f"fooling_rate{name}", hits, n, of="trials", tau=pair[0]))
        over = f"fooling_rate_over_classes{name}"
        found.append(results.over_classes_row("gradient", over, trials["step"].notna(), trials["target"], tau=pair[0]))
        survived = [int(k) for k in (trials["score_in_8_bits"] > pair[0]).groupby(trials["seed"]).sum()]
        metric = f"fooling_rate_in_8_bits{name}"
        found.append(results.rate_row("gradient", metric, survived, n, of="trials", tau=pair[0]))
        fooled = trials[trials["step"].notna()]
        note = "" if len(fooled) else "no trial was fooled"
        for metric, column, unit in (
            ("mean_steps_to_fool", "step", "updates"),
            ("mean_distance_to_target_class", "target_distance", "L2, pixels in [0,1]"),
            ("mean_change", "change", "L2, pixels in [0,1]"),
        ):
            values = fooled[column].to_numpy(dtype=np.float64)
            found.append(
                results.row(
                    "gradient",
                    metric + name,
                    float(values.mean()) if len(values) else None,
                    unit=unit,
                    n=len(values),
                    tau=pair[0],
                    interval=mean_interval(values, bounds=(0, math.inf)) if len(values) > 1 else None,
                    kind="95 % t interval of the mean over fooled trials",
                    note=note,
                )
            )
        alike = int((fooled["nearest_label"] == fooled["target"]).sum())
        metric = f"nearest_is_target_rate{name}"
        if len(fooled):
            found.append(results.rate_row("gradient", metric, [alike], len(fooled), of="fooled trials", tau=pair[0]))
        else:
            found.append(results.row("gradient", metric, None, unit="percent", n=0, tau=pair[0], note=note))
    return found


def examples(
    table: pd.DataFrame, images: np.ndarray, pairs: list[tuple[float, float]], classes: int
) -> dict[str, np.ndarray]:
    """For each pair and start, one trial of each class, of the first seed: the first that fooled, else trial 0.

    images: (rows of the table, 784).
    """
    first = table[table["seed"] == table["seed"].iloc[0]]
    found = list(groups(first, pairs))
    shape = (len(found), classes)
    shown: dict[str, np.ndarray] = {
        "tau": np.array([pair[0] for pair, _, _ in found]),
        "alpha": np.array([pair[1] for pair, _, _ in found]),
        "start": np.array([start for _, start, _ in found]),
        "image": np.zeros((*shape, 28, 28), np.float32),
        "score": np.zeros(shape),
        "fooled": np.zeros(shape, bool),
    }
    for i, (_, _, trials) in enumerate(found):
        for target in range(classes):
            mine = trials[trials["target"] == target]
            if mine.empty:
                continue
            fooled = mine[mine["step"].notna()]
            index = (fooled if len(fooled) else mine).index[0]
            shown["image"][i, target] = images[index].reshape(28, 28)
            shown["score"][i, target] = table.loc[index, "score"]
            shown["fooled"][i, target] = bool(len(fooled))
    return shown
