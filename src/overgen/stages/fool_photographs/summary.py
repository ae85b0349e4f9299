"""What `fool_photographs` makes of its trials: the rows of its cell, and pictures to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import median_interval
from overgen.run import results

Arrays = dict[str, np.ndarray]  # what `run.Attack.of_start` gives
SHOWN = 2  # targets of each start


def table(start: str, arrays: Arrays, kind: str) -> pd.DataFrame:
    """The trials of one kind from one start, a row each: "ascent" or "smallest"."""
    columns = {
        name.removeprefix(f"{kind}_"): values
        for name, values in arrays.items()
        if name.startswith(f"{kind}_") and values.ndim == 1
    }
    return pd.DataFrame({"start": start, "label": int(arrays["label"])} | columns)


def rows(ascents: pd.DataFrame, smallest: pd.DataFrame, settings: Any, demo: Any) -> list[dict[str, Any]]:
    """The rows of the cell. settings, demo: the sections `fool_photographs` and `imagenet`."""
    numbers: list[dict[str, Any]] = []
    photographs = ascents["start"].isin(demo.photographs)
    for start, own in (("photograph", ascents[photographs]), ("noise", ascents[~photographs])):
        numbers += rates("photographs", f"fooling_rate@start={start}", own["score"] > settings.tau, own, settings.tau)
        for name, column, unit in (
            ("updates_to_fool", "updates", "updates"),
            ("mean_change", "mean_change", "of 255"),
            ("max_change", "max_change", "of 255"),
            ("psnr", "psnr", "dB"),
        ):
            reached = own.assign(value=own[column].where(own["score"] > settings.tau, never(name)))
            numbers.append(median_row("photographs", f"median_{name}@start={start}", reached, unit))
        numbers += transfer("photographs_transfer", "ascent", own, demo, at=f"start={start}")
    numbers += rates("smallest_change", "reached", smallest["reached"], smallest)
    numbers += rates("smallest_change", "reached_in_8_bits", smallest["target_in_8_bits"], smallest)
    for column, unit in (("l2", "pixels in [0, 1]"), ("mean_change", "of 255"), ("max_change", "of 255")):
        reached = smallest.assign(value=smallest[column].where(smallest["reached"], np.inf))
        numbers.append(median_row("smallest_change", f"median_{column}", reached, unit))
    return numbers + transfer("smallest_change_transfer", "smallest", smallest, demo)


def never(name: str) -> float:
    """What stands for a trial that never fooled: the worst."""
    return -np.inf if name == "psnr" else np.inf


def transfer(experiment: str, kind: str, own: pd.DataFrame, demo: Any, at: str = "") -> list[dict[str, Any]]:
    """How often each witness changes its answer and how often it answers the target; beside noise of equal norm."""
    numbers: list[dict[str, Any]] = []
    for witness in demo.witnesses:
        end = f"@{at}@network={witness}" if at else f"@network={witness}"
        numbers += rates(experiment, f"answer_changed{end}", own[f"changed_{witness}"], own)
        numbers += rates(experiment, f"answers_target{end}", own[f"target_{witness}"], own)
        if kind == "smallest":
            numbers += rates(experiment, f"answer_changed_by_noise{end}", own[f"noise_changed_{witness}"], own)
    if kind == "smallest":
        hits = own["noise_changed_network"]
        numbers += rates(experiment, "answer_changed_by_noise@network=itself", hits, own)
    return numbers


def rates(
    experiment: str, metric: str, hits: pd.Series, own: pd.DataFrame, tau: float | None = None
) -> list[dict[str, Any]]:
    """A rate over pairs of a start and a target, and the same over the starts, whose pairs are alike."""
    name, _, rest = metric.partition("@")
    over = f"{name}_over_starts" + (f"@{rest}" if rest else "")
    of = "pairs of a picture and a target"
    over_starts = results.over_classes_row(experiment, over, hits, own["start"], tau=tau)
    over_starts["interval"] = over_starts["interval"].replace("classes", "pictures")
    over_starts["note"] = over_starts["note"].replace("classes", "pictures")
    return [results.rate_row(experiment, metric, [int(hits.sum())], len(hits), of=of, tau=tau), over_starts]


def median_row(experiment: str, metric: str, own: pd.DataFrame, unit: str) -> dict[str, Any]:
    """The median of `value` with an interval over the starts; None where half of the trials never got there."""
    values = own["value"].to_numpy(dtype=np.float64)
    median = float(np.median(values))
    starts = own["start"].to_numpy()
    interval = median_interval(values[:, None], starts)
    finite = bool(np.isfinite(median)) and interval is not None and bool(np.isfinite(interval).all())
    return results.row(
        experiment, metric, median if np.isfinite(median) else None, unit=unit, n=len(values),
        interval=interval if finite else None,
        kind=f"95 % percentile bootstrap of the median over {len(set(starts))} pictures",
        note="" if np.isfinite(values).all() else f"{int((~np.isfinite(values)).sum())} of {len(values)} never fooled",
    )  # fmt: skip


def elsewhere_rows(arrays: Arrays | None, note: str) -> list[dict[str, Any]]:
    """The rows of the picture that is not published. arrays: of its one ascent; None where it was not at hand."""
    columns = (("score", "fraction"), ("updates", "updates"), ("mean_change", "of 255"), ("max_change", "of 255"))
    return [
        results.row("picture_elsewhere", name, None if arrays is None else float(arrays[f"ascent_{name}"][0]),
                    unit=unit, n=1, note=note)
        for name, unit in columns
    ]  # fmt: skip


def shown(starts: Sequence[tuple[str, Arrays]], names: Sequence[str]) -> Arrays:
    """Some starts with what they became: start (S, H, W, 3), picture (S, T, H, W, 3), and names and scores of both."""
    return {
        "name": np.array([name for name, _ in starts]),
        "label": np.array([names[int(arrays["label"])] for _, arrays in starts]),
        "start": np.stack([np.moveaxis(arrays["start"], 0, 2) for _, arrays in starts]),
        "picture": np.stack([np.moveaxis(arrays["ascent_picture"][:SHOWN], 1, 3) for _, arrays in starts]),
        "target": np.array([[names[int(t)] for t in arrays["ascent_target"][:SHOWN]] for _, arrays in starts]),
        "score": np.stack([arrays["ascent_score"][:SHOWN] for _, arrays in starts]),
        "mean_change": np.stack([arrays["ascent_mean_change"][:SHOWN] for _, arrays in starts]),
    }
