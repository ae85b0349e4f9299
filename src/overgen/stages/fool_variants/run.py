"""Fool variants of the attacked networks with the Fooling Generator Network (Spigler 2019, Section 4.2).

    python -m overgen.run fool_variants --dataset mnist --model dae_sym_l2_10

Reads the variant's trained networks and their outputs on the test images. Writes the cell, in the form of `fool_fgn`'s,
with accuracies besides; so its trials and their summary are `fool_fgn`'s own.

A variant is called <model>_<change>. What the attack on y comes to is written as an experiment fgn_<change> of that
model, beside which the paper reports its numbers; what the attack on ỹ comes to, under the variant's own name.
"""

from __future__ import annotations

from typing import Any

from overgen.attacks.attacked import Attacked
from overgen.measures.accuracy import accuracy_rows
from overgen.run.stage import Stage
from overgen.stages.fool_fgn import summary, trials


def main(stage: Stage) -> None:
    """Write the cell: accuracies, rates and steps at each threshold, a row for each trial, images."""
    attacked = Attacked(stage)
    key, fgn = f"fool_variants.{attacked.dataset}", f"fool_fgn.{attacked.dataset}"
    own, count, updates = (stage.params(f"{key}.{name}") for name in (f"models.{attacked.model}", "trials", "updates"))
    options = {name: stage.params(f"{fgn}.{name}") for name in trials.OPTIONS}
    tried, block = trials.attacks(own.scaled, options), stage.params(f"{fgn}.block")
    targets = attacked.targets()
    outcome = trials.run(attacked, tried, targets, trials=count, updates=updates, block=block)
    if outcome is None:
        return
    accuracies = accuracy_rows(attacked.outputs, attacked.pairs, attacked.beta)
    rows = summary.fooling_rows(outcome.table, attacked.pairs) + accuracies
    rows = named(rows, attacked.model, own.base)
    if own.scaled:  # the paper reports the accuracy beside the attack on ỹ
        rows += [row | {"experiment": "fgn_on_scaled_output"} for row in accuracies]
    examples = summary.examples(outcome, attacked.pairs, targets, attacked.shape, attacked.beta)
    attacked.write(
        rows,
        spent={"trials": count, "updates": updates},
        tables={"trials": outcome.table},
        examples=attacked.shown(examples, examples["alpha"]),
        successes=outcome.successes,
    )


def named(rows: list[dict[str, Any]], variant: str, base: str) -> list[dict[str, Any]]:
    """The rows with those of the experiment fgn given to the model that the variant is called after."""
    of_base = {"experiment": f"fgn_{variant.removeprefix(base + '_')}", "model": base}
    return [row | of_base if row["experiment"] == "fgn" else row for row in rows]
