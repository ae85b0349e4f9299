"""Train a variant of an attacked network, such as one of sigmoid units, on all classes, once for each seed."""

from __future__ import annotations

from overgen import runtime
from overgen.training import train_classifiers


def main(dataset: str, model: str) -> None:
    """Write models/<dataset>/<model>/{seed0.safetensors, members/} and the cell."""
    with runtime.stage("train_variants", dataset=dataset, model=model) as stage:
        train_classifiers(stage)


if __name__ == "__main__":
    runtime.command(main)
