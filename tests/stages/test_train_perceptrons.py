"""The stage train_perceptrons on the tiny study."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from overgen import data
from overgen.models import registry, weights
from overgen.models.perceptrons import Perceptron
from overgen.run.streams import generator

from workspace import TINY, Study

NAMES = list(TINY["perceptrons"])  # type: ignore[call-overload]


@pytest.fixture
def cell(study: Study) -> Path:
    """The tiny study, in which the stage has run with three small networks."""
    study.cell("train_perceptrons", "perceptrons")
    return study.root


def metrics(cell: Path, stage: str) -> dict[tuple[str, str, str], dict[str, object]]:
    rows = json.loads((cell / f"reports/cells/digits/{stage}/perceptrons/metrics.json").read_text())["metrics"]
    return {(row["model"], row["experiment"], row["metric"]): row for row in rows}


def test_errors_are_those_of_the_published_weights(cell: Path) -> None:
    source, found = data.load("digits", cell / "data"), metrics(cell, "train_perceptrons")
    for name in NAMES:
        network, metadata = registry.load(cell / weights.perceptron_path("digits", name))
        assert metadata["model"] == name
        for split, x, y in (
            ("test", source.test_images, source.test_labels),
            ("train", source.train_images, source.train_labels),
        ):
            wrong = int((network(data.floats(x)).log_y.argmax(1) != y).sum())
            row = found[name, "lbfgs", f"{split}_error"]
            assert (row["reproduced"], row["n"]) == (pytest.approx(100 * wrong / len(y)), len(y))
    curves = pd.read_csv(cell / "reports/cells/digits/train_perceptrons/perceptrons/curves.csv")
    epochs = curves.groupby(["network", "pretraining"]).size().to_dict()
    assert epochs == {("fc10_1", False): 4, ("fc8_10", False): 4, ("ae6_10", True): 2, ("ae6_10", False): 4}


def test_the_pretraining_is_the_one_that_params_describe(cell: Path) -> None:
    """Units that are drawn to an activation of 0.1 come near to it, and a softmax with no rate stays where it began."""
    network, _ = registry.load(cell / weights.perceptron_path("digits", "ae6_10"))
    x = data.floats(data.load("digits", cell / "data").train_images)
    assert (network.encode(x).mean(0) - 0.1).abs().max() < 0.1  # type: ignore[operator]
    first = Perceptron([6])
    first.initialise(generator("digits", "ae6_10", 0, "weights"))  # type: ignore[misc]
    torch.testing.assert_close(network.layers[1].weight, first.layers[1].weight, atol=1e-3, rtol=0)  # type: ignore[index]
