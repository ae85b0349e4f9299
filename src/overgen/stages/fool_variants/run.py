"""Fool variants of the attacked networks with the Fooling Generator Network (Spigler 2019, Section 4.2).

A variant is called <model>_<change>. What the attack on y finds is written as an experiment fgn_<change> of that model,
beside which the paper reports its numbers; what the attack on ỹ finds, under the variant's own name.
"""

from __future__ import annotations

from typing import Any

from overgen.measures.outputs import accuracy_rows
from overgen.models import params
from overgen.run import results
from overgen.run.stage import Stage
from overgen.stages.fool_fgn import summary as fool_fgn_summary
from overgen.stages.fool_fgn.run import attack, member_outputs


def main(stage: Stage) -> None:
    """Write the cell: accuracies, rates and steps at each threshold, a row for each trial, images."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    settings, confidence = stage.params(f"fool_variants.{dataset}"), stage.params(f"confidence.{dataset}")
    outputs = member_outputs(stage)
    alphas = settings.scaled.get(model, [])
    found = attack(stage, outputs, fool_fgn_summary.attacks(alphas), trials=settings.trials, updates=settings.updates)
    if stage.rank != 0:
        return
    attacked = stage.params("attacked")
    accuracies = accuracy_rows(outputs, found.pairs, confidence.beta)
    rows = named(fool_fgn_summary.fooling_rows(found.trials, found.pairs) + accuracies, model, attacked)
    if alphas:  # the paper reports the accuracy beside the attack on ỹ
        rows += [row | {"experiment": "fgn_on_scaled_output"} for row in accuracies]
    results.write(stage.cell, budget=found.budget, metrics=rows, tables={"trials": found.trials},
                examples=found.examples, successes=found.successes)  # fmt: skip


def named(rows: list[dict[str, Any]], variant: str, attacked: list[str]) -> list[dict[str, Any]]:
    """The rows with those of the experiment fgn given to the model that the variant is called after."""
    base = params.base_of(variant, attacked)
    mine = {"experiment": f"fgn_{variant.removeprefix(base + '_')}", "model": base}
    return [row | mine if row["experiment"] == "fgn" else row for row in rows]
