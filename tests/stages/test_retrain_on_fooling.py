"""Retraining on fooling images: what is collected, what is attacked, and the cell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from overgen.models import Output
from overgen.models.cnn import LeNet
from overgen.run.streams import generator
from overgen.stages.retrain_on_fooling.rounds import Collecting, KnownClasses, drawn, labels_of, with_fooling_class
from overgen.stages.retrain_on_fooling.summary import cell_tables

from processes import Run
from workspace import set_params

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.* is deprecated:FutureWarning")


class Halves(nn.Module):
    """Three classes: the left half's brightness, the right half's, and neither."""

    def forward(self, x: torch.Tensor) -> Output:
        halves = torch.stack([x[..., :14].mean((1, 2, 3)), x[..., 14:].mean((1, 2, 3))], 1).double()
        return Output(torch.log_softmax(torch.cat([40 * halves, halves.new_full((len(x), 1), 20.5)], 1), 1), None)


def test_the_classes_that_are_attacked_share_the_softmax_with_the_fooling_class() -> None:
    network, x = LeNet(classes=11), torch.rand(3, 1, 28, 28, generator=generator("x"))
    scores = KnownClasses(network, 10).upper_bound(x)
    assert scores.shape == (3, 10)
    assert torch.equal(scores, network(x).log_y[:, :10])
    assert bool((scores.exp().sum(1) < 1).all())  # the rest is the fooling class's


def test_what_is_collected_fools_and_comes_once() -> None:
    module = Collecting(
        KnownClasses(Halves(), 2), [generator(s) for s in range(2)], shape=(1, 28, 28), classes=2, population=10
    )
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
                         enable_model_summary=False, enable_progress_bar=False)  # fmt: skip
    trainer.fit(module, train_dataloaders=range(31))
    images = module.fooling_images()
    assert images.dtype == torch.uint8
    assert len(images) == len(torch.unique(images, dim=0)) > 10
    scores = KnownClasses(Halves(), 2).upper_bound(images / 255).exp().amax(1)
    assert float(scores.min()) > 0.5 - 0.01  # 8 bits
    confidence = module.result().confidence  # (G+1, R, C)
    changed = (np.diff(confidence, axis=0, prepend=np.float32(0)) > 0) & (confidence > 0.5)
    assert len(images) <= changed.sum()
    assert not changed.all()  # some champions were not fooling, and are not there
    last = (255 * module.champions).round().to(torch.uint8).view(-1, 1, 28, 28)
    assert all(bool((images == each).all((1, 2, 3)).any()) for each in last)


def test_fooling_images_join_as_a_class_of_their_own() -> None:
    images, labels = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 28, 28), torch.tensor([1, 0, 1])
    more = drawn(torch.arange(50, 90, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 1, 28, 28), 5, generator(1))
    assert len(torch.unique(more)) == 5
    x, y = with_fooling_class(images, labels, more, 2)
    assert y.tolist() == [1, 0, 1, 2, 2, 2, 2, 2]
    assert torch.equal(x, torch.cat([images, more]))
    assert len(drawn(images, 10, generator(1))) == 3  # no more than there are
    assert labels_of(Halves(), torch.zeros(4, 1, 28, 28, dtype=torch.uint8), chunk=3).tolist() == [2] * 4


def test_the_cell_by_hand() -> None:
    def member(last: float, errors: list[int]) -> dict[str, np.ndarray]:
        confidence = np.array([[[0.9, 1.0]], [[last, last]]], np.float32)  # 2 rounds, 1 evolution, 2 classes
        return {"confidence": confidence, "errors": np.array(errors), "added": np.array([0, 40]),
                "recognised": np.array([0, 30]), "image": np.full((2, 2, 28, 28), last, np.float32)}  # fmt: skip

    work = [("direct", 0), ("direct", 1), ("cppn", 0)]
    found = [member(0.5, [3, 4]), member(0.25, [5, 6]), member(0.75, [7, 8])]
    rows, trials, examples = cell_tables(work, found, test_images=100)
    by = {(r["experiment"], r["metric"]): r for r in rows}
    start, end = (by["retraining_direct", f"median_confidence@round={k}"] for k in (0, 1))
    assert start["reproduced"] == pytest.approx(95, abs=1e-4)
    assert (end["reproduced"], end["low"], end["high"], end["n"]) == (37.5, 25, 50, 4)
    assert "over 2 runs" in end["interval"]
    assert by["retraining_direct", "test_error@round=1"]["reproduced"] == 5
    assert by["retraining_direct", "test_error@round=1"]["n"] == 200
    assert by["retraining_cppn", "test_error@round=0"]["reproduced"] == 7
    assert by["retraining_cppn", "median_confidence@round=1"]["low"] is None  # one run
    assert by["retraining_direct", "fooling_images@round=1"]["reproduced"] == 40
    assert by["retraining_direct", "recognised_rate@round=1"]["reproduced"] == 75
    assert by["retraining_direct", "recognised_rate@round=1"]["n"] == 80
    assert ("retraining_direct", "recognised_rate@round=0") not in by
    assert list(trials) == ["encoding", "run", "round", "evolution", "target", "confidence"]
    assert len(trials) == 3 * 2 * 2
    mine = trials[(trials["encoding"] == "direct") & (trials["run"] == 1) & (trials["round"] == 1)]
    assert mine["confidence"].tolist() == [0.25, 0.25]
    assert examples["encoding"].tolist() == ["direct", "direct", "cppn", "cppn"]
    assert examples["round"].tolist() == [0, 1, 0, 1]
    assert examples["confidence"].tolist() == np.float32([[0.9, 1], [0.5, 0.5], [0.9, 1], [0.75, 0.75]]).tolist()
    assert examples["image"][:, 0, 0, 0].tolist() == [0.5, 0.5, 0.75, 0.75]


def test_the_stage_on_digits_is_the_same_on_a_second_run(workspace: Path, run_stage: Run) -> None:
    """The second has one run of two: a run does not hang on the others."""
    cell = workspace / "reports/cells/digits/retrain_on_fooling/lenet"

    def results(runs: int) -> tuple[pd.DataFrame, bytes]:
        changes = {"epochs": 2, "runs": runs}
        set_params(workspace / "params.yaml", {f"retrain_on_fooling.digits.{name}": n for name, n in changes.items()})
        run_stage(workspace, "retrain_on_fooling", model="lenet")
        return pd.read_csv(cell / "trials.csv"), (cell / "examples.npz").read_bytes()

    trials, examples = results(2)
    found = json.loads((cell / "metrics.json").read_text())
    assert found["budget"]["retrain_on_fooling.digits.rounds"] == 1
    assert len(trials) == 2 * 2 * 2 * 10  # encodings, runs, rounds, classes
    assert trials["confidence"].between(0, 1).all()
    assert trials.groupby("run")["confidence"].sum().nunique() == 2
    added: dict[str, float] = {
        r["metric"]: r["reproduced"] for r in found["metrics"] if r["experiment"] == "retraining_cppn"
    }
    assert added["fooling_images@round=0"] == 0
    assert 0 < added["fooling_images@round=1"] <= 100
    first, examples_of_first = results(1)
    pd.testing.assert_frame_equal(first, trials[trials["run"] == 0].reset_index(drop=True), check_exact=True)
    assert examples_of_first == examples  # of the first run
