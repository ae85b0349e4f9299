"""One-class recognition (Spigler 2019, Figure 5): ROC of every problem and score, from stored outputs.

    python -m overgen.run evaluate_oneclass --dataset mnist --model dae_sym

Reads: models/<dataset>/oneclass/<model>/outputs.npz, of `train_oneclass`; the budget in that stage's cell.
Writes the cell: trials.csv, a row a problem and score; roc.csv, the averaged curves; and means over the problems.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from overgen.measures.thresholds import threshold_pairs
from overgen.models.weights import member_folder
from overgen.run import results
from overgen.run.files import read_json, read_npz
from overgen.run.stage import Stage
from overgen.stages.evaluate_oneclass import summary
from overgen.stages.evaluate_oneclass.points import point_rows

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    confidence = stage.params(f"confidence.{dataset}")
    outputs = read_npz(member_folder("oneclass", dataset, model) / "outputs.npz")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
    alphas = list(dict.fromkeys(alpha for _, alpha in pairs))
    labels, classes = outputs["labels"], outputs["classes"]
    scores = [summary.scores(outputs, member, alphas, confidence.beta) for member in range(len(classes))]
    trials = summary.trials(labels, classes, outputs["names"], scores)
    fpr = np.linspace(0, 1, stage.params("evaluate_oneclass").grid + 1)
    curves = [summary.averaged_roc(labels, classes, scores, suffix, fpr) for suffix in scores[0]]
    tables = {"trials": trials, "roc": pd.concat(curves, ignore_index=True)}
    rows = summary.mean_rows(trials) + point_rows(tables["roc"], len(classes)) + summary.share_rows(outputs)
    training = read_json(f"reports/cells/{dataset}/train_oneclass/{model}/metrics.json")
    results.write(stage.cell, budget=training["budget"], metrics=rows, tables=tables)
