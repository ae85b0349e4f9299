"""Train networks to be compared on unknown classes: on the same subsets, for the same epochs, on one kind of machine.

    python -m overgen.run train_controls --dataset mnist --model cnn_noise

`train_openset` follows the paper's Figure 4. Here stand beside its models those that differ from one of them in one
thing only, such as a CNN that was trained on the dAE's noise but has no decoder.

Reads: data/<dataset>.
Writes: models/<dataset>/controls/<model>/ and the cell, as `train_openset` does.
"""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.stages.train_openset.run import train_study


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    train_study(stage, "controls")
