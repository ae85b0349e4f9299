"""What `evaluate_unknowns` makes of scores: its table, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import separation
from overgen.measures.means import mean_row
from overgen.measures.outputs import part
from overgen.run import results

EXPERIMENT = "unknowns"
LABELLED = "labelled test images"
SHOWN = 8  # images of each kind among the examples
LARGE = 64 * 64  # pixels of an image, beyond which two are shown

Arrays = Mapping[str, np.ndarray]


def cell(
    scores: Arrays, labels: np.ndarray, kinds: Sequence[str], refused: Mapping[str, str], keep: float
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """The rows and the table of the cell.

    scores: `<method>.<part>`, (N,) each, as `run.scores_of` gives them; labels: (N,) of the test images, −1 for none.
    kinds: of unknown images; refused: why a method was not tried, by method; keep: share of held-out images accepted.
    """
    labelled = labels >= 0
    rows, trials = [share("accuracy", (scores["network.predicted"] == labels)[labelled], LABELLED)], []
    for method in dict.fromkeys(name.rpartition(".")[0] for name in scores):
        if method == "network":
            continue
        by_part = part(scores, method)
        threshold = separation.threshold(by_part["held_out"], keep) if "held_out" in by_part else None
        of_method = [trial(by_part["test"], by_part[kind], threshold) | {"method": method, "kind": kind}
                     for kind in kinds]  # fmt: skip
        rows += method_rows(method, of_method)
        if threshold is not None:
            accepted = by_part["test"] >= threshold
            rows.append(share(f"known_accepted@method={method}", accepted, "test images"))
            right = (by_part["predicted"] == labels)[accepted & labelled]
            rows.append(share(f"accuracy_accepted@method={method}", right, f"{LABELLED} that are accepted"))
        trials += of_method
    for method, why in refused.items():
        rows.append(results.row(EXPERIMENT, f"auroc_mean@method={method}", None, unit="fraction", n=0,
                                note=f"not testable: {why}"))  # fmt: skip
    columns = ["method", "kind", "known", "unknown", "auroc", "auroc_low", "auroc_high", "fpr95", "fpr95_low",
               "fpr95_high", "accepted"]  # fmt: skip
    return rows, pd.DataFrame(trials, columns=columns)


def trial(known: np.ndarray, unknown: np.ndarray, threshold: float | None) -> dict[str, Any]:
    """One method on one kind: fractions, with their intervals over images.

    known, unknown: scores of test images and of those of the kind; threshold: above which an image is accepted.
    """
    numbers: dict[str, Any] = {"known": len(known), "unknown": len(unknown)}
    for name, (value, interval) in (
        ("auroc", separation.area(known, unknown)), ("fpr95", separation.fpr_at_tpr(known, unknown))
    ):  # fmt: skip
        low, high = interval or (None, None)
        numbers |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return numbers | {"accepted": None if threshold is None else float(np.mean(unknown >= threshold))}


def method_rows(method: str, trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of a method AUROC and FPR95 on each kind, their means over the kinds, and its worst kind."""
    rows, over, names = [], "kinds of unknown images", ", ".join(trial["kind"] for trial in trials)
    for trial in trials:
        known, n = trial["known"], trial["unknown"]
        suffix = f"@kind={trial['kind']}@method={method}"
        rows.append(number("auroc" + suffix, trial, "auroc", f"95 % DeLong over {known} known and {n} unknown images"))
        kind = f"95 % Wilson over {n} unknown images, with the threshold's over {known} known ones"
        rows.append(number("fpr95" + suffix, trial, "fpr95", kind))
    for name, scale, unit in (("auroc", 1, "fraction"), ("fpr95", 100, "percent")):
        values = scale * np.array([trial[name] for trial in trials])
        mean = mean_row(EXPERIMENT, f"{name}_mean@method={method}", values, unit=unit, over=over, bounds=(0, scale),
                        note=f"over {names}")  # fmt: skip
        rows.append(mean if np.ptp(values) or len(values) < 2 else mean | within_kinds(trials, name, scale))
    worst = min(trials, key=lambda trial: trial["auroc"])
    rows.append(number(f"auroc_worst@method={method}", worst, "auroc", "95 % DeLong of that kind", note=worst["kind"]))
    return rows


def within_kinds(trials: Sequence[Mapping[str, Any]], name: str, scale: float) -> dict[str, Any]:
    """The interval of a mean over kinds that do not differ, where Student's would have no width: from the lowest to the
    highest end of the kinds' own intervals, over images.
    """
    ends = [scale * end for trial in trials for end in (trial[f"{name}_low"], trial[f"{name}_high"]) if end is not None]
    if not ends:
        return {"low": None, "high": None, "interval": "none"}
    return {"low": min(ends), "high": max(ends), "interval": "95 % of each kind over its images: all kinds are alike"}


def number(metric: str, trial: Mapping[str, Any], name: str, kind: str, note: str = "") -> dict[str, Any]:
    """A row of one kind: AUROC as a fraction, FPR95 in percent."""
    scale, unit = (1, "fraction") if name == "auroc" else (100, "percent")
    low, high = trial[f"{name}_low"], trial[f"{name}_high"]
    interval = None if low is None else (scale * low, scale * high)
    return results.row(EXPERIMENT, metric, scale * trial[name], unit=unit, n=trial["unknown"], interval=interval,
                       kind=kind, note=note)  # fmt: skip


def share(metric: str, hits: np.ndarray, of: str) -> dict[str, Any]:
    """A share in percent with Wilson's interval; hits: (N,) bool, of N = 0 images "not testable"."""
    if not len(hits):
        return results.row(EXPERIMENT, metric, None, unit="percent", n=0, note=f"not testable: no {of}")
    return results.rate_row(EXPERIMENT, metric, [int(hits.sum())], len(hits), of=of)


def examples(pictures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The first images of each kind: (kinds, images, ...). pictures: (N, H, W) or (N, H, W, 3) uint8, by kind."""
    first = next(iter(pictures.values()))
    count = min(
        SHOWN if first.shape[1] * first.shape[2] <= LARGE else 2, *(len(images) for images in pictures.values())
    )
    return {"kind": np.array(list(pictures)), "image": np.stack([images[:count] for images in pictures.values()])}
