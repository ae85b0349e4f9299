"""Train a classifier (CNN, COOL, LeNet) on all classes of a data set, once for each seed."""

from __future__ import annotations

from overgen import runtime
from overgen.training import train_classifiers


def main(dataset: str, model: str) -> None:
    """Write models/<dataset>/<model>/{seed0.safetensors, members/} and the cell."""
    with runtime.stage("train_classifier", dataset=dataset, model=model) as stage:
        train_classifiers(stage)


if __name__ == "__main__":
    runtime.command(main)
