"""One-class recognition (Figure 5): ROC of every problem and score, from the stored outputs, and their means.

A problem is to tell the test images of the one class that was trained on from all others. The paper does not say which
score it sweeps. Taken for its number: c̃ of a network that reconstructs, since a softmax that has met one class only has
nothing to tell apart; y of one that does not (for COOL ỹ = y); the decision function of a one-class SVM.

The paper averages ROC curves over the problems. At each false positive rate the mean of the true ones is a curve whose
area is the mean of the areas: the mean AUROC is its number, however the figure was averaged so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.confidence import log_gate, log_reconstruction
from overgen.measures import metrics
from overgen.measures.intervals import mean_interval
from overgen.measures.thresholds import threshold_pairs
from overgen.models import PIXELS
from overgen.run import results
from overgen.run.files import read_json, read_npz
from overgen.run.stage import Stage

MEASURES = {  # of a problem and score: unit, and what a fraction is multiplied with
    "auroc": ("fraction", 1),
    "aupr": ("fraction", 1),
    "fpr_at_95_tpr": ("percent", 100),
}
KIND = "95 % t interval of the mean over classes"
NOTE = "the paper's problems are these too: what makes a class easy or hard is in this interval, but not between papers"
COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write the cell: a row for each problem and score, the averaged ROC curves, and the means over problems."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    confidence = stage.params(f"confidence.{dataset}")
    outputs = read_npz(f"models/{dataset}/{model}/oneclass/outputs.npz")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
    alphas = list(dict.fromkeys(alpha for _, alpha in pairs))
    fpr = np.linspace(0, 1, stage.params("evaluate_oneclass").grid + 1)
    problems = [scores(outputs, i, alphas, confidence.beta) for i in range(len(outputs["classes"]))]
    table = pd.DataFrame([row for i, swept in enumerate(problems) for row in trials(outputs, i, swept)])
    curves = pd.concat([averaged_roc(outputs, problems, name, fpr) for name in problems[0]], ignore_index=True)
    training = read_json(f"reports/cells/{dataset}/train_oneclass/{model}/metrics.json")
    rows = means(table) + [row for name in ("elsewhere", "gamma_positive") for row in shares(outputs, name)]
    results.write(stage.cell, budget=training["budget"], metrics=rows, tables={"trials": table, "roc": curves})


def scores(outputs: dict[str, np.ndarray], member: int, alphas: Sequence[float], beta: float) -> dict[str, np.ndarray]:
    """What may be swept, by the suffix of its metrics; the first, without one, is taken for the paper's. (N,) each.

    outputs: of `train_oneclass`. alphas: α of the scaled output; c̃ is at the first, which the names of ỹ leave out.
    Beside c̃: ỹ of the class that was trained, and −‖r(x) − x‖₂. **Larger = more in-distribution.**
    """
    if "score" in outputs:
        return {"": outputs["score"][member]}
    arrays = {k: outputs[k][member].astype(np.float64) for k in ("log_y", "distance", "gamma") if k in outputs}
    if "distance" not in arrays:
        return {"": arrays["log_y"][:, outputs["classes"][member]]}
    gate = log_gate(arrays["gamma"], beta=beta)
    confidence = [log_reconstruction(arrays["distance"], alpha=a, pixels=PIXELS) + gate for a in alphas]
    found = {"": confidence[0]}
    if "log_y" in arrays:
        mine = arrays["log_y"][:, outputs["classes"][member]]
        suffixes = ["", *(f"@alpha={alpha:g}" for alpha in alphas[1:])]
        found |= {f"@score=scaled{s}": c + mine for s, c in zip(suffixes, confidence, strict=True)}
    found["@score=distance"] = -arrays["distance"]
    return found


def trials(outputs: dict[str, np.ndarray], member: int, swept: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """A row for each score of one problem: class, its name, the score's suffix, and `MEASURES` as fractions."""
    mine = outputs["labels"] == outputs["classes"][member]
    return [
        {
            "class": int(outputs["classes"][member]),
            "name": str(outputs["names"][member]),
            "score": suffix,
            "auroc": metrics.auroc(values[mine], values[~mine]),
            "aupr": metrics.aupr(values[mine], values[~mine]),
            "fpr_at_95_tpr": metrics.fpr_at_tpr(values[mine], values[~mine], 0.95),
        }
        for suffix, values in swept.items()
    ]


def averaged_roc(
    outputs: dict[str, np.ndarray], problems: Sequence[dict[str, np.ndarray]], name: str, fpr: np.ndarray
) -> pd.DataFrame:
    """The mean true positive rate over problems at each false positive rate, with its 95 % t interval at each."""
    curves = []
    for chosen, swept in zip(outputs["classes"], problems, strict=True):
        mine = outputs["labels"] == chosen
        curves.append(metrics.roc(swept[name][mine], swept[name][~mine], fpr))
    heights = np.stack(curves)  # (M, K)
    band = [mean_interval(at, bounds=(0, 1)) or (np.nan, np.nan) for at in heights.T]
    low, high = zip(*band, strict=True)
    return pd.DataFrame({"score": name, "fpr": fpr, "tpr": heights.mean(0), "low": low, "high": high})


def means(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over the problems, with their t intervals."""
    return [
        results.row(
            "one_class",
            f"{name}{suffix}",
            float(scale * group[name].mean()),
            unit=unit,
            n=len(group),
            interval=mean_interval(scale * group[name].to_numpy(), bounds=(0, scale)),
            kind=KIND,
            note=NOTE if (name, suffix) == ("auroc", "") else "",
        )
        for suffix, group in table.groupby("score", sort=False)
        for name, (unit, scale) in MEASURES.items()
    ]


def shares(outputs: dict[str, np.ndarray], of: str) -> list[dict[str, Any]]:
    """How often scores could differ, over test images and problems; nothing for a network that has no such output.

    of: "elsewhere", the largest output is not of the class that was trained: else the largest ỹ is ỹ of the class;
    "gamma_positive", γ > 0: else c̃ ranks images as −‖r(x) − x‖₂ does, at every α.
    """
    if of == "elsewhere" and "log_y" in outputs:
        hits = outputs["log_y"].argmax(2) != outputs["classes"][:, None]
    elif of == "gamma_positive" and "gamma" in outputs:
        hits = outputs["gamma"] > 0
    else:
        return []
    rates = 100 * hits.mean(1)
    return [
        results.row(
            "one_class",
            f"{of}_rate",
            float(rates.mean()),
            unit="percent",
            n=len(rates),
            interval=mean_interval(rates, bounds=(0, 100)),
            kind=KIND,
        )
    ]
