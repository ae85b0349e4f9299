"""Open-set recognition (Figure 4): every member at each threshold, from the stored outputs.

Beside the paper's F-measure, which favours the network whose scores happen to fit τ, what does not depend on it: how
well the largest ỹ tells known images from unknown ones (AUROC, AUPR, FPR at 95 % TPR), and known classes too (OSCR).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import metrics
from overgen.measures.histograms import histograms
from overgen.measures.intervals import mean_interval
from overgen.measures.outputs import scaled_scores
from overgen.measures.thresholds import alpha_suffix, threshold_pairs
from overgen.run import results
from overgen.run.files import read_json, read_npz
from overgen.run.stage import Stage

BINS = 60  # of the histograms of distances
TABLE = [
    "known",
    "subset",
    "classes",
    "tau",
    "alpha",
    "openness",
    "openness_scheirer",
    "f_measure",
    "balanced_accuracy",
    "thresholded_accuracy",
    "auroc",
    "aupr",
    "fpr_at_95_tpr",
    "oscr",
]
MEANS = {  # of the table's columns: unit, and what a fraction is multiplied with
    "f_measure": ("fraction", 1),
    "balanced_accuracy": ("fraction", 1),
    "thresholded_accuracy": ("percent", 100),
    "auroc": ("fraction", 1),
    "aupr": ("fraction", 1),
    "fpr_at_95_tpr": ("percent", 100),
    "oscr": ("fraction", 1),
}
COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write the cell: a row for each member and threshold, and the means over subsets."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    confidence = stage.params(f"confidence.{dataset}")
    outputs = read_npz(f"models/{dataset}/{model}/openset/outputs.npz")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
    table = pd.DataFrame(
        [trial(outputs, member, pair, confidence.beta) for member in range(len(outputs["known"])) for pair in pairs]
    )
    table["subset"] = table.groupby(["known", "tau", "alpha"]).cumcount()
    tables = {"trials": table[TABLE].sort_values(["known", "subset"], kind="stable")}
    if "distance" in outputs:
        tables["distances"] = distances(outputs)
    training = read_json(f"reports/cells/{dataset}/train_openset/{model}/metrics.json")
    rows = means(table, pairs)
    rows += only_subset(outputs, pairs, confidence.beta, stage.params("evaluate_openset").resamples)
    longer = Path(f"models/{dataset}/{model}/openset/longer.npz")
    if longer.exists():
        again = read_npz(longer)
        tables["longer"] = paired(outputs, again, pairs, confidence.beta)
        key = f"train_openset.{dataset}"  # one number of known classes
        spent = {f"{key}.epochs": int(again["epochs"]), f"{key}.subsets": len(again["known"])}
        rows += gains(tables["longer"], pairs, spent)
    results.write(stage.cell, budget=training["budget"], metrics=rows, tables=tables)


def trial(outputs: dict[str, np.ndarray], member: int, pair: tuple[float, float], beta: float) -> dict[str, Any]:
    """One member at one (τ, α): the columns of `TABLE`; what tells known from unknown is NaN where all are known."""
    tau, alpha = pair
    labels, known = outputs["labels"], np.flatnonzero(outputs["known"][member])
    scores = scaled_scores(outputs, member, alpha=alpha, beta=beta)
    mine, best, classes = np.isin(labels, known), scores.max(1), outputs["known"].shape[1]
    apart = dict.fromkeys(("auroc", "aupr", "fpr_at_95_tpr", "oscr"), np.nan)
    if not mine.all():
        right = scores.argmax(1)[mine] == labels[mine]
        apart = {
            "auroc": metrics.auroc(best[mine], best[~mine]),
            "aupr": metrics.aupr(best[mine], best[~mine]),
            "fpr_at_95_tpr": metrics.fpr_at_tpr(best[mine], best[~mine], 0.95),
            "oscr": metrics.oscr(best[mine], right, best[~mine]),
        }
    return {
        "known": len(known),
        "classes": " ".join(map(str, known)),
        "tau": tau,
        "alpha": alpha,
        "openness": metrics.openness(len(known), classes),
        "openness_scheirer": metrics.openness_scheirer(len(known), len(known), classes),
        "f_measure": metrics.f_measure(scores, labels, known.tolist(), tau),
        "balanced_accuracy": metrics.balanced_accuracy(scores, labels, known.tolist(), tau),
        "thresholded_accuracy": metrics.thresholded_accuracy(scores[mine], labels[mine], tau),
        **apart,
    }


def distances(outputs: dict[str, np.ndarray]) -> pd.DataFrame:
    """Histograms of ‖r − x‖₂ over the test images of known and of unknown classes, for each number of known classes."""
    known = outputs["known"][:, outputs["labels"]]  # (M, N): whether an image's class is known to a member
    counts = outputs["known"].sum(1)
    parts = []
    for count in np.unique(counts):
        mine = counts == count
        found, of_known = outputs["distance"][mine], known[mine]
        kinds = {"known classes": found[of_known], "unknown classes": found[~of_known]}
        parts.append(histograms({kind: d for kind, d in kinds.items() if d.size}, BINS).assign(known=count))
    return pd.concat(parts, ignore_index=True)


def only_subset(
    outputs: dict[str, np.ndarray], pairs: list[tuple[float, float]], beta: float, resamples: int
) -> list[dict[str, Any]]:
    """The F-measures where all classes are known: there is one subset, so the interval is one over test images."""
    labels, rows = outputs["labels"], []
    for member in map(int, np.flatnonzero(outputs["known"].all(1))):
        known = list(range(outputs["known"].shape[1]))
        for tau, alpha in pairs:
            scores = scaled_scores(outputs, member, alpha=alpha, beta=beta)
            rows.append(
                results.row(
                    "open_set",
                    f"f_measure@known={len(known)}{alpha_suffix(pairs, (tau, alpha))}",
                    metrics.f_measure(scores, labels, known, tau),
                    unit="fraction",
                    n=1,
                    tau=tau,
                    interval=metrics.f_measure_interval(scores, labels, known, tau, resamples=resamples),
                    kind=f"95 % bootstrap over {len(labels)} test images: there is one subset of all classes",
                )
            )
    return rows


def paired(
    outputs: dict[str, np.ndarray], longer: dict[str, np.ndarray], pairs: list[tuple[float, float]], beta: float
) -> pd.DataFrame:
    """A row for each member that was trained longer too, and threshold: the columns of `TABLE` without `subset`.

    <column>_longer has what the measures of `MEANS` came to with the longer training.
    """
    rows = []
    for j, known in enumerate(longer["known"]):
        (i,) = np.flatnonzero((outputs["known"] == known).all(1))
        for pair in pairs:
            after = trial(longer, j, pair, beta)
            rows.append(trial(outputs, int(i), pair, beta) | {f"{name}_longer": after[name] for name in MEANS})
    return pd.DataFrame(rows)


def gains(table: pd.DataFrame, pairs: list[tuple[float, float]], budget: dict[str, int]) -> list[dict[str, Any]]:
    """The means with the longer training, and what it adds, over the same subsets. table: of `paired`."""
    rows = []
    for tau, alpha in pairs:
        mine = table[(table["tau"] == tau) & (table["alpha"] == alpha)]
        for name, (unit, scale) in MEANS.items():
            after = scale * mine[f"{name}_longer"].to_numpy()
            gain = after - scale * mine[name].to_numpy()
            metric = f"@known={mine['known'].iloc[0]}{alpha_suffix(pairs, (tau, alpha))}"
            for prefix, values, bounds in (("longer", after, (0, scale)), ("gain", gain, (-scale, scale))):
                rows.append(
                    results.row(
                        "open_set_longer", f"{name}_{prefix}{metric}", float(values.mean()), unit=unit, n=len(values),
                        tau=tau, interval=mean_interval(values, bounds=bounds),
                        kind="95 % t interval of the mean over subsets",
                    )
                    | {"budget": budget}
                )  # fmt: skip
    return rows


def means(table: pd.DataFrame, pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Means over the subsets of each number of known classes, with their t intervals."""
    rows = []
    for tau, alpha in pairs:
        suffix = alpha_suffix(pairs, (tau, alpha))
        for known, group in table[(table["tau"] == tau) & (table["alpha"] == alpha)].groupby("known"):
            for name, (unit, scale) in MEANS.items():
                values = scale * group[name].dropna().to_numpy()
                if not len(values):  # no class is unknown: there is nothing to tell apart
                    continue
                if name == "f_measure" and (group["openness"] == 0).all():
                    continue  # see `only_subset`
                rows.append(
                    results.row(
                        "open_set",
                        f"{name}@known={known}{suffix}",
                        float(values.mean()),
                        unit=unit,
                        n=len(values),
                        tau=tau,
                        interval=mean_interval(values, bounds=(0, scale)),
                        kind="95 % t interval of the mean over subsets",
                    )
                )
    return rows
