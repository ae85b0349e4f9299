"""Train a classifier (CNN, COOL, LeNet) on all classes of a data set, once for each seed."""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.training.members import train_classifiers


def main(stage: Stage) -> None:
    """Write models/<dataset>/<model>/{seed0.safetensors, members/} and the cell."""
    train_classifiers(stage)
