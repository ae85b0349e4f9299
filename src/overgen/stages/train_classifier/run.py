"""Train a classifier (CNN, COOL, LeNet) on all classes of a data set, once for each seed.

    python -m overgen.run train_classifier --dataset digits --model cnn

Reads: data/<dataset>.
Writes: models/<dataset>/<model>/: seed0.safetensors, and members/ with the weights of further seeds and outputs.npz.
And the cell: curves.csv, a row a seed and epoch; the accuracy on the test images.
"""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.training.members import train_classifiers


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    train_classifiers(stage)
