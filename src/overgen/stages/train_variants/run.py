"""Train a variant of an attacked network, such as one of sigmoid units, on all classes, once for each seed.

    python -m overgen.run train_variants --dataset mnist --model dae_sym_sigmoid_units

Reads: data/<dataset>.
Writes: models/<dataset>/<model>/ and the cell, as `train_classifier` does.
"""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.training.members import train_classifiers
from overgen.training.parallel import in_parallel


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    train_classifiers(in_parallel(stage))
