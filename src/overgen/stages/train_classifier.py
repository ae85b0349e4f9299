"""Train a classifier (CNN, COOL, LeNet) on all classes of a data set, once for each seed."""

from __future__ import annotations

from overgen import runtime
from overgen.cells import rate_row
from overgen.training import accuracies, train_seeds, write_trained


def main(dataset: str, model: str) -> None:
    """Write models/<dataset>/<model>/{seed0.safetensors, members/} and the cell."""
    with runtime.stage("train_classifier", dataset=dataset, model=model) as stage:
        trained = train_seeds(stage)
        if stage.rank == 0:
            hits, n = accuracies(stage, trained)
            rows = [rate_row("train", "test_accuracy", hits, n, of="test images")]
            if stage.params(f"models.{model}").network == "lenet":  # of which its paper gives the error
                errors = [n - right for right in hits]
                rows.append(rate_row("test_error", "test_error", errors, n, of="test images"))
            write_trained(stage, trained, rows)


if __name__ == "__main__":
    runtime.command(main)
