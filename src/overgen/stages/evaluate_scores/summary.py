"""What `evaluate_scores` makes of scores: its tables, its examples, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import metrics, separation
from overgen.measures.histograms import histogram
from overgen.measures.outputs import part
from overgen.run import results

BINS = 30  # of the histograms of scores
SHOWN = 10  # images of each kind among the examples
KINDS = {  # what unknown images are besides those of other classes
    "uniform": "uniform noise",
    "normal": "normal noise",
    "shuffled": "shuffled pixels",  # of images of the known classes, the pixels of each in an order of its own
    "other_data": "other data",  # images of another data set
    "fooling": "fooling images",  # images that fooled the study's networks
}
MEASURES = (
    *separation.WITHOUT_THRESHOLD,
    *separation.AT_THRESHOLD,
    "known_accepted",
    *(f"auroc_{kind}" for kind in KINDS),
)
OVER_SEVERAL = ("auroc", "oscr", "f_measure")  # measures whose means are given without one known class, too
SEVERAL = 2  # known classes, with which a softmax has something to compare
PER_KNOWN = ("auroc", "f_measure")  # measures that get a row for each number of known classes

Arrays = Mapping[str, np.ndarray]


def trial(scores: Arrays, labels: np.ndarray, known: np.ndarray, keep: float, classes: int) -> dict[str, float]:
    """One method on one member: `MEASURES` as fractions, and the threshold.

    scores: by part, (N,) each: held_out, test, and those of `KINDS` that there are; and the `predicted` classes (N,) of
        the test images.
    labels: (N,) of the test images; known: numbers of the known classes; classes: how many there are.
    keep: the share of held-out images that the threshold keeps, in (0, 1).
    What tells known from unknown is NaN where all classes are known, and of a kind of which there is no image.
    """
    is_known, test, predicted = np.isin(labels, known), scores["test"], scores["predicted"]
    threshold = separation.threshold(scores["held_out"], keep)
    answers = separation.decisions(predicted, test >= threshold, classes)
    return {
        **separation.without_threshold(test, is_known, predicted == labels),
        **separation.at_threshold(answers, labels, known, 0.5),
        **{
            f"auroc_{kind}": metrics.auroc(test[is_known], scores[kind]) if kind in scores else np.nan
            for kind in KINDS
        },
        "threshold": threshold,
        "known_accepted": float(np.mean(test[is_known] >= threshold)),
    }  # fmt: skip


def trials(outputs: Arrays, scores: Sequence[Arrays], keep: float) -> pd.DataFrame:
    """A row for each member and method: known, subset, classes, method, and what `trial` gives.

    outputs: of `train_openset`: labels (N,) and known (M, C) bool; scores: `<method>.<part>` of each member.
    """
    counts, rows = outputs["known"].sum(1), []
    for i, by_part in enumerate(scores):
        known = np.flatnonzero(outputs["known"][i])
        member = {"known": len(known), "subset": int((counts[:i] == counts[i]).sum())}
        for method in methods_of(scores):
            measures = trial(part(by_part, method), outputs["labels"], known, keep, outputs["known"].shape[1])
            rows.append(member | {"classes": " ".join(map(str, known)), "method": method} | measures)
    return pd.DataFrame(rows)


def methods_of(scores: Sequence[Arrays]) -> list[str]:
    """The methods that members have scores of, in order."""
    return list(dict.fromkeys(name.partition(".")[0] for name in scores[0]))


def tables(
    outputs: Arrays, scores: Sequence[Arrays], keep: float, images: np.ndarray
) -> tuple[dict[str, pd.DataFrame], dict[str, np.ndarray] | None]:
    """The tables of the cell, and its examples; of these there are none where all classes are known to all members.

    outputs, scores, keep: as in `trials`; images: (N, H, W) or (N, H, W, 3) uint8, of the test.
    Histograms, confusion and examples are of one number of known classes, about half of all.
    """
    table = trials(outputs, scores, keep)
    labels, classes = outputs["labels"], outputs["known"].shape[1]
    counts = outputs["known"].sum(1)
    open_counts = counts[counts < classes]
    if not len(open_counts):
        return {"trials": table}, None
    shown = int(max((k for k in open_counts if k <= classes // 2), default=open_counts.min()))
    members = np.flatnonzero(counts == shown).tolist()
    first, known = scores[members[0]], np.flatnonzero(outputs["known"][members[0]])
    threshold = table[(table["known"] == shown) & (table["subset"] == 0)].set_index("method")["threshold"]
    spread, confusion = [], []
    for method in methods_of(scores):
        parts = [(outputs["known"][i, labels], part(scores[i], method)) for i in members]
        spread.append(histograms(parts).assign(method=method, known=shown))
        accepted, predicted = first[f"{method}.test"] >= threshold[method], first[f"{method}.predicted"]
        confusion.append(separation.confusion(predicted, accepted, labels, known).assign(method=method))
    whole = {"trials": table, "histograms": pd.concat(spread), "confusion": pd.concat(confusion)}
    return whole, extremes(first, methods_of(scores), labels, known, images)


def histograms(members: Sequence[tuple[np.ndarray, Arrays]]) -> pd.DataFrame:
    """Histograms of a method's scores over some members: test images of known and unknown classes, and other images.

    members: of each, (N,) bool, whether a test image's class is known, and its scores by part.
    """
    kinds: dict[str, list[np.ndarray]] = {}
    for is_known, scores in members:
        values = {"known classes": scores["test"][is_known], "unknown classes": scores["test"][~is_known]}
        values |= {name: scores[kind] for kind, name in KINDS.items() if kind in scores}
        for kind, array in values.items():
            kinds.setdefault(kind, []).append(array)
    whole = {kind: np.concatenate(parts) for kind, parts in kinds.items()}
    return histogram(whole, BINS, span=("known classes", "unknown classes"))


def extremes(
    scores: Arrays, methods: list[str], labels: np.ndarray, known: np.ndarray, images: np.ndarray
) -> dict[str, np.ndarray]:
    """The unknown images that score highest and the known ones that score lowest: (methods, kinds, images) each.

    scores: `<method>.<part>` of a member; labels: (N,); known: numbers of the known classes; images: as in `tables`.
    """
    is_known = np.isin(labels, known)
    chosen = np.zeros((len(methods), 2, min(SHOWN, int(is_known.sum()), int((~is_known).sum()))), int)
    for m, method in enumerate(methods):
        order = np.argsort(scores[f"{method}.test"], kind="stable")
        chosen[m, 0] = order[~is_known[order]][::-1][: chosen.shape[2]]
        chosen[m, 1] = order[is_known[order]][: chosen.shape[2]]
    return {
        "method": np.array(methods),
        "kind": np.array(["unknown, most confident", "known, least confident"]),
        "known": known,
        "image": images[chosen],
        "label": labels[chosen],
        "score": np.stack([scores[f"{method}.test"][places] for method, places in zip(methods, chosen, strict=True)]),
        "predicted": np.stack(
            [scores[f"{method}.predicted"][places] for method, places in zip(methods, chosen, strict=True)]
        ),
    }


def mean_rows(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over the subsets of each number of known classes, and over all numbers where some class is unknown.

    A softmax that knows one class has nothing to compare and says 1 of everything, which drags such scores down. So the
    means over two known classes and more stand apart, as the experiment `scores_mean`.
    """
    rows = []
    for method, problems in trials[trials["auroc"].notna()].groupby("method", sort=False):
        suffix = f"@method={method}"
        for name in MEASURES:
            if problems[name].isna().all():
                rows.append(results.row("scores", name + suffix, None, unit="fraction", n=0,
                                        note="there is no such image"))  # fmt: skip
                continue
            strata = [group[name].to_numpy() for _, group in problems.groupby("known")]
            over = "numbers of known classes and subsets"
            rows.append(separation.stratified_row("scores", name, strata, over=over, suffix=suffix))
            of_several = problems[problems["known"] >= SEVERAL].groupby("known")
            several = [group[name].to_numpy() for _, group in of_several]
            if name in OVER_SEVERAL and 0 < len(several) < len(strata):
                at = f"{suffix}@from_known={SEVERAL}"
                rows.append(separation.stratified_row("scores_mean", name, several, over=over, suffix=at))
            for known, group in problems.groupby("known") if name in PER_KNOWN else ():
                rows += separation.mean_rows("scores", group, [name], over="subsets", suffix=f"{suffix}@known={known}")
    return rows
