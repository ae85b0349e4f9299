"""Train a classifier (CNN, COOL, LeNet) on all classes of a data set, once for each seed.

    python -m overgen.run train_classifier --dataset digits --model cnn

Reads: data/<dataset>.
Writes: models/<dataset>/networks/<model>/: seed<k>.safetensors, the weights; outputs.npz, what they say of the test
images.
And the cell: curves.csv, a row a seed and epoch; the accuracy on the test images.
"""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.training.members import train_classifiers
from overgen.training.parallel import in_parallel


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    train_classifiers(in_parallel(stage))
