"""Judge the networks of `train_controls` by the same open-set scores, so that networks and scores can be told apart.

    python -m overgen.run evaluate_controls --dataset mnist --models controls

`evaluate_scores` tries most methods on the CNN alone. Here each score of the top hidden layer is tried on every
network, and each of the logits on every network with a softmax, trained on the same classes for the same epochs.

Reads: data/<dataset>; models/<dataset>/controls/<model>/, of `train_controls`, and the budget in that stage's cell; the
images of the cell of `collect_fooling`; test images of the other data set that params.yaml names.
Writes the cell, in the form of `evaluate_scores`'s, whose options it takes.
"""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.stages.evaluate_scores.run import judge


def main(stage: Stage) -> None:
    """Write the cell."""
    features, outputs = (f"evaluate_controls.{name}" for name in ("features", f"outputs.{stage.item['model']}"))
    judge(stage, "controls", "train_controls", stage.params(outputs) + stage.params(features), "control_scores")
