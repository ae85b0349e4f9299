"""Fool a network with the Fooling Generator Network (Spigler 2019, Section 4.2): Tables 1 and 2, Figure 3.

    python -m overgen.run fool_fgn --dataset mnist --model cnn

Reads the model's trained networks and their outputs on the test images. Writes the cell: rates and steps at each
threshold, a row for each trial, one image of each class, and every image that fooled.

The attack follows y, as the paper's does. Of the models in `scaled` it follows the scaled output ỹ too. (For a softmax
the two are one. For COOL the gradients of its training loss and of −log ỹ_t are proportional, so the attack is both.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overgen import OvergenError
from overgen.attacks.attacked import Attacked
from overgen.run.stage import Stage
from overgen.stages.fool_fgn import finished, summary, trials
from overgen.stages.fool_fgn.params import FgnOfModel


def main(stage: Stage) -> None:
    """Write the cell. successes.npz holds the first image of every trial that passed each (τ, α) pair.

    Trials that the cell has already are run again only if more has changed than what is tried on the model.
    """
    attacked = Attacked(stage)
    key = f"fool_fgn.{attacked.dataset}"
    own, count = stage.params(of_model := f"{key}.models.{attacked.model}"), stage.params(f"{key}.trials")
    updates, block = stage.for_model(f"{key}.updates"), stage.params(f"{key}.block")
    if own.scaled and not attacked.reconstructs:
        raise OvergenError(f"params.yaml, {of_model}.scaled: {attacked.model} does not reconstruct, so ỹ = y for it")
    options = {name: stage.params(f"{key}.{name}") for name in trials.OPTIONS}
    tried, targets = attacks_of(own, options), attacked.targets(own.classes)

    def before(value: Any) -> list[trials.Attack] | None:
        section = FgnOfModel.model_validate(value)
        return attacks_of(section, options) if section.classes == own.classes else None

    earlier = finished.find(attacked, of_model, before)
    fresh = [attack for attack in tried if not earlier or attack not in earlier.attacks]
    outcome = trials.run(attacked, fresh, targets, trials=count, updates=updates, block=block)
    if outcome is None:
        return
    examples = summary.examples(outcome, attacked.pairs, targets, attacked.shape, attacked.beta)
    examples = attacked.shown(examples, examples["alpha"])
    if earlier:
        outcome, examples = finished.joined(earlier, outcome, examples, attacked, tried)
    rows = summary.fooling_rows(outcome.table, attacked.pairs)
    if attacked.reconstructs:
        rows += summary.curvature_rows(attacked.outputs, outcome.table)
    spent, tables = {"trials": count, "updates": updates}, {"trials": outcome.table}
    attacked.write(rows, spent=spent, tables=tables, examples=examples, successes=outcome.successes)


def attacks_of(own: FgnOfModel, options: Mapping[str, Any]) -> list[trials.Attack]:
    """All that is tried on a model: attacks on y and ỹ with the section's options, and the variants."""
    variants = [trials.Attack(variant.name, None, {**options, **variant.options}) for variant in own.variants]
    return trials.attacks(own.scaled, options) + variants
