"""What `evaluate_openset` makes of stored outputs: its tables, and the rows of its cell.

The paper's F-measure favours the network whose scores happen to fit τ. Beside it stands what does not depend on τ: how
well the largest ỹ tells known images from unknown ones (AUROC, AUPR, FPR at 95 % TPR), and known classes too (OSCR).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import metrics, separation
from overgen.measures.histograms import histograms
from overgen.measures.intervals import deviation_interval
from overgen.measures.outputs import scaled_scores
from overgen.measures.thresholds import alpha_suffix
from overgen.run import results

BINS = 60  # of the histograms of distances
MEASURES = (*separation.AT_THRESHOLD, "thresholded_accuracy", *separation.WITHOUT_THRESHOLD)
OVER_KNOWN = (*separation.AT_THRESHOLD, *separation.WITHOUT_THRESHOLD)  # measures with means over all known classes
TABLE = ("known", "subset", "classes", "tau", "alpha", "openness", "openness_scheirer", *MEASURES)

Outputs = dict[str, np.ndarray]  # of `train_openset`: labels (N,), known (M, C) bool, and arrays (M, N, ...)
Pairs = Sequence[tuple[float, float]]  # (τ, α)


def trial(outputs: Outputs, member: int, pair: tuple[float, float], beta: float) -> dict[str, Any]:
    """One member at one (τ, α): the columns of `TABLE` but `subset`."""
    tau, alpha = pair
    labels, known = outputs["labels"], np.flatnonzero(outputs["known"][member])
    scores = scaled_scores(outputs, member, alpha=alpha, beta=beta)
    is_known, classes = np.isin(labels, known), outputs["known"].shape[1]
    return {
        "known": len(known),
        "classes": " ".join(map(str, known)),
        "tau": tau,
        "alpha": alpha,
        "openness": metrics.openness(len(known), classes),
        "openness_scheirer": metrics.openness_scheirer(len(known), len(known), classes),
        **separation.at_threshold(scores, labels, known, tau),
        "thresholded_accuracy": metrics.thresholded_accuracy(scores[is_known], labels[is_known], tau),
        **separation.without_threshold(scores.max(1), is_known, scores.argmax(1) == labels),
    }


def trials(outputs: Outputs, pairs: Pairs, beta: float) -> pd.DataFrame:
    """A row for each member and (τ, α), sorted by the number of known classes and the subset."""
    members = range(len(outputs["known"]))
    table = pd.DataFrame([trial(outputs, member, pair, beta) for member in members for pair in pairs])
    table["subset"] = table.groupby(["known", "tau", "alpha"]).cumcount()
    return table[list(TABLE)].sort_values(["known", "subset"], kind="stable")


def mean_rows(trials: pd.DataFrame, pairs: Pairs) -> list[dict[str, Any]]:
    """Means over the subsets of each number of known classes, at each (τ, α).

    Where all classes are known there is one subset, and the F-measure is one of `one_subset_rows`.
    """
    rows = []
    for tau, alpha in pairs:
        at_pair = trials[(trials["tau"] == tau) & (trials["alpha"] == alpha)]
        for known, problems in at_pair.groupby("known"):
            measures = [name for name in MEASURES if name != "f_measure" or (problems["openness"] > 0).any()]
            suffix = f"@known={known}{alpha_suffix(pairs, (tau, alpha))}"
            rows += separation.mean_rows("open_set", problems, measures, over="subsets", suffix=suffix, tau=tau)
    return rows


def deviation_rows(trials: pd.DataFrame, pairs: Pairs) -> list[dict[str, Any]]:
    """The deviation of the F-measure over the subsets of each number of known classes: the error bars of Figure 4."""
    rows = []
    for tau, alpha in pairs:
        at_pair = trials[(trials["tau"] == tau) & (trials["alpha"] == alpha) & (trials["openness"] > 0)]
        for known, problems in at_pair.groupby("known"):
            values = problems["f_measure"].to_numpy()
            deviation = float(values.std(ddof=1)) if len(values) > 1 else None
            rows.append(
                results.row(
                    "open_set",
                    f"f_measure_deviation@known={known}{alpha_suffix(pairs, (tau, alpha))}",
                    deviation,
                    unit="fraction",
                    n=len(values),
                    tau=tau,
                    interval=deviation_interval(deviation, len(values)) if deviation else None,
                    kind="95 % χ² interval of the deviation over subsets",
                )
            )
    return rows


def over_known_rows(trials: pd.DataFrame, pairs: Pairs) -> list[dict[str, Any]]:
    """Means over the numbers of known classes with an unknown one, from 1 and from 2 on, at each (τ, α).

    A softmax that knows one class has nothing to compare and says 1 of everything, which drags its means down.
    """
    rows = []
    for (tau, alpha), first in product(pairs, (1, 2)):
        at_pair = trials[(trials["tau"] == tau) & (trials["alpha"] == alpha) & (trials["openness"] > 0)]
        at_pair = at_pair[at_pair["known"] >= first]
        for name in OVER_KNOWN if len(at_pair) else ():
            strata = [group[name].to_numpy() for _, group in at_pair.groupby("known")]
            suffix = f"@from_known={first}{alpha_suffix(pairs, (tau, alpha))}"
            over = "numbers of known classes and subsets"
            row = separation.stratified_row("open_set_mean", name, strata, over=over, suffix=suffix)
            rows.append(row | {"tau": tau})
    return rows


def one_subset_rows(outputs: Outputs, pairs: Pairs, beta: float, resamples: int) -> list[dict[str, Any]]:
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


def paired(outputs: Outputs, longer: Outputs, pairs: Pairs, beta: float) -> pd.DataFrame:
    """A row for each member that was trained longer too, and (τ, α): the columns of `TABLE` without `subset`.

    longer: as `outputs`, of the longer training. <measure>_longer has what a measure came to with it.
    """
    rows = []
    for j, known in enumerate(longer["known"]):
        (i,) = np.flatnonzero((outputs["known"] == known).all(1))
        for pair in pairs:
            after = trial(longer, j, pair, beta)
            rows.append(trial(outputs, int(i), pair, beta) | {f"{name}_longer": after[name] for name in MEASURES})
    return pd.DataFrame(rows)


def longer_rows(paired: pd.DataFrame, pairs: Pairs, budget: dict[str, int]) -> list[dict[str, Any]]:
    """The means with the longer training, and what it adds, over the same subsets.

    paired: of `paired`; budget: what the longer training spent, by params.yaml path.
    """
    rows = []
    for tau, alpha in pairs:
        problems = paired[(paired["tau"] == tau) & (paired["alpha"] == alpha)]
        at = f"@known={problems['known'].iloc[0]}{alpha_suffix(pairs, (tau, alpha))}"
        after = pd.DataFrame({name: problems[f"{name}_longer"] for name in MEASURES})
        for name in MEASURES:
            for suffix, before in (("_longer", None), ("_gain", problems)):
                rows += separation.mean_rows(
                    "open_set_longer", after, [name], over="subsets", suffix=suffix + at, tau=tau, minus=before
                )
    return [row | {"budget": budget} for row in rows]


def distances(outputs: Outputs) -> pd.DataFrame:
    """Histograms of ‖r − x‖₂ over the test images of known and of unknown classes, for each number of known classes."""
    is_known = outputs["known"][:, outputs["labels"]]  # (M, N): whether an image's class is known to a member
    counts = outputs["known"].sum(1)
    parts = []
    for count in np.unique(counts):
        members = counts == count
        gaps, known = outputs["distance"][members], is_known[members]
        kinds = {"known classes": gaps[known], "unknown classes": gaps[~known]}
        parts.append(histograms({kind: d for kind, d in kinds.items() if d.size}, BINS).assign(known=count))
    return pd.concat(parts, ignore_index=True)
