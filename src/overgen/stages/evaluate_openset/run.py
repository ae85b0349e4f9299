"""Open-set recognition (Spigler 2019, Figure 4): every member at each threshold, from stored outputs.

    python -m overgen.run evaluate_openset --dataset digits --model dae_sym

Reads: models/<dataset>/openset/<model>/{outputs,longer}.npz, of `train_openset`; the budget in that stage's cell.
Writes the cell: trials.csv, a row a member and threshold; longer.csv, of the members that were trained longer too;
distances.csv, histograms of ‖r − x‖₂; and means over the class subsets.
"""

from __future__ import annotations

from overgen.measures.thresholds import threshold_pairs
from overgen.models.weights import member_folder
from overgen.run import results
from overgen.run.files import read_json, read_npz
from overgen.run.stage import Stage
from overgen.stages.evaluate_openset import summary

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    confidence = stage.params(f"confidence.{dataset}")
    folder = member_folder("openset", dataset, model)
    outputs = read_npz(folder / "outputs.npz")
    pairs = threshold_pairs(confidence.thresholds, reconstructs="distance" in outputs)
    trials = summary.trials(outputs, pairs, confidence.beta)
    tables = {"trials": trials}
    rows = summary.mean_rows(trials, pairs)
    rows += summary.one_subset_rows(outputs, pairs, confidence.beta, stage.params("evaluate_openset").resamples)
    rows += summary.deviation_rows(trials, pairs) + summary.over_known_rows(trials, pairs)
    if "distance" in outputs:
        tables["distances"] = summary.distances(outputs)
    if (folder / "longer.npz").exists():
        longer = read_npz(folder / "longer.npz")
        tables["longer"] = summary.paired(outputs, longer, pairs, confidence.beta)
        key = f"train_openset.{dataset}"
        budget = {f"{key}.epochs": int(longer["epochs"]), f"{key}.subsets": len(longer["known"])}
        rows += summary.longer_rows(tables["longer"], pairs, budget)
    training = read_json(f"reports/cells/{dataset}/train_openset/{model}/metrics.json")
    results.write(stage.cell, budget=training["budget"], metrics=rows, tables=tables)
