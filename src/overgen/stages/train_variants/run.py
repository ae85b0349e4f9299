"""Train a variant of an attacked network, such as one of sigmoid units, on all classes, once for each seed."""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.training.members import train_classifiers


def main(stage: Stage) -> None:
    """Write models/<dataset>/<model>/{seed0.safetensors, members/} and the cell."""
    train_classifiers(stage)
