"""Fool a network with the Fooling Generator Network (Spigler 2019, Section 4.2): Tables 1 and 2, Figure 3.

    python -m overgen.run fool_fgn --dataset mnist --model cnn

Reads the model's trained networks and their outputs on the test images. Writes the cell: rates and steps at each
threshold, a row for each trial, one image of each class, and every image that fooled.

The attack follows y, as the paper's does. Of the models in `scaled` it follows the scaled output ỹ too. (For a softmax
the two are one. For COOL the gradients of its training loss and of −log ỹ_t are proportional, so the attack is both.)
"""

from __future__ import annotations

from overgen import OvergenError
from overgen.run.stage import Stage
from overgen.stages.attacking import Attacked
from overgen.stages.fool_fgn import summary, trials


def main(stage: Stage) -> None:
    """Write the cell. successes.npz holds the first image of every trial that passed each (τ, α) pair."""
    attacked = Attacked(stage)
    key = f"fool_fgn.{attacked.dataset}"
    own, count = stage.params(f"{key}.models.{attacked.model}"), stage.params(f"{key}.trials")
    updates, block = stage.for_model(f"{key}.updates"), stage.params(f"{key}.block")
    if own.scaled and not attacked.reconstructs:
        raise OvergenError(
            f"params.yaml, {key}.models.{attacked.model}.scaled: it does not reconstruct, so ỹ = y for it"
        )
    options = {name: stage.params(f"{key}.{name}") for name in trials.OPTIONS}
    tried = trials.attacks(own.scaled, options)
    tried += [trials.Attack(variant.name, None, options | variant.options) for variant in own.variants]
    outcome = trials.run(attacked, tried, trials=count, updates=updates, block=block)
    if outcome is None:
        return
    rows = summary.fooling_rows(outcome.table, attacked.pairs)
    if attacked.reconstructs:
        rows += summary.curvature_rows(attacked.outputs, outcome.table)
    attacked.write(
        rows,
        spent={"trials": count, "updates": updates},
        tables={"trials": outcome.table},
        examples=summary.examples(outcome.table, outcome.images, attacked.pairs, attacked.classes, attacked.beta),
        successes=outcome.successes,
    )
