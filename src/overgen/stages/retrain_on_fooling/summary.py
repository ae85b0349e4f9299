"""From the runs of retraining to a cell: confidences and errors of each round, a row for each trial, champions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import median_interval
from overgen.run import results

Outcome = Mapping[str, np.ndarray]  # of one run, see `cell_tables`


def cell_tables(
    work: Sequence[tuple[str, int]], outcomes: Sequence[Outcome], *, test_images: int
) -> tuple[list[dict[str, Any]], pd.DataFrame, dict[str, np.ndarray]]:
    """The cell's metric rows, its table of trials, and the champions of the first run of each encoding.

    work: encoding and run of each member. outcomes, for each: confidence (K, E, C), fractions, of the K = rounds + 1
    networks after E evolutions; errors (K,), test images labelled wrongly; added (K,), fooling images that a network
    was trained on; recognised (K,), those of them that it labels as such; image (K, C, H, W) or (K, C, H, W, 3).
    """
    rows: list[dict[str, Any]] = []
    tables, champions = [], []
    for encoding in dict.fromkeys(name for name, _ in work):
        own = [i for i, (name, _) in enumerate(work) if name == encoding]
        tables.append(trials_of(encoding, [work[i][1] for i in own], [outcomes[i] for i in own]))
        rows += encoding_rows(encoding, [outcomes[i] for i in own], test_images)
        first = outcomes[own[0]]
        champions.append(
            {
                "encoding": np.array([encoding] * len(first["image"])),
                "image": first["image"],
                "round": np.arange(len(first["image"])),
                "confidence": first["confidence"][:, 0],
            }
        )
    examples = {name: np.concatenate([shown[name] for shown in champions]) for name in champions[0]}
    return rows, pd.concat(tables, ignore_index=True), examples


def trials_of(encoding: str, runs: Sequence[int], outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """A row for each run, round, evolution and target class of one encoding, with the champion's confidence."""
    confidence = np.stack([outcome["confidence"] for outcome in outcomes])  # (R, K, E, C)
    _, rounds, evolutions, classes = confidence.shape
    index = pd.MultiIndex.from_product(
        [runs, range(rounds), range(evolutions), range(classes)], names=["run", "round", "evolution", "target"]
    )
    table = pd.DataFrame({"confidence": confidence.ravel()}, index=index).reset_index()
    table.insert(0, "encoding", encoding)
    return table


def encoding_rows(encoding: str, outcomes: Sequence[Outcome], test_images: int) -> list[dict[str, Any]]:
    """The metric rows of one encoding, round after round."""
    experiment, runs, rows = f"retraining_{encoding}", len(outcomes), []
    for k in range(len(outcomes[0]["added"])):
        values = 100 * np.stack([outcome["confidence"][k] for outcome in outcomes]).reshape(runs, -1).astype(np.float64)
        errors, added, recognised = (
            [int(outcome[name][k]) for outcome in outcomes] for name in ("errors", "added", "recognised")
        )
        rows += [
            results.row(
                experiment,
                f"median_confidence@round={k}",
                float(np.median(values)),
                unit="percent",
                n=values.size,
                interval=median_interval(values, np.arange(runs)),
                kind=f"95 % percentile bootstrap of the median over {runs} runs",
            ),
            results.rate_row(experiment, f"test_error@round={k}", errors, test_images, of="test images"),
            results.row(experiment, f"fooling_images@round={k}", float(np.mean(added)), unit="images", n=runs),
        ]
        if min(added):
            share = 100 * float(np.mean(np.divide(recognised, added)))
            rows.append(results.row(experiment, f"recognised_rate@round={k}", share, unit="percent", n=sum(added)))
    return rows
