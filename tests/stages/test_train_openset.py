"""The stage train_openset: its subsets, and a longer training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overgen import data
from overgen.models.weights import load_weights
from overgen.run.files import read_npz
from overgen.run.stage import execute
from overgen.stages.train_openset.run import class_subsets
from overgen.training import members as training_members
from overgen.training.module import Training

from workspace import make_workspace, set_params


def test_class_subsets() -> None:
    assert class_subsets(10, 10, 5) == [list(range(10))]
    assert sorted(class_subsets(4, 1, 9)) == [[0], [1], [2], [3]]
    found = class_subsets(10, 3, 6)
    assert len({tuple(s) for s in found}) == 6
    assert all(s == sorted(set(s)) and len(s) == 3 for s in found)
    assert class_subsets(10, 3, 2) == found[:2]  # more subsets leave the first ones as they were


def test_longer_members_are_those_of_a_larger_budget(
    tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights, batches and noise: what `longer` adds is what the members come to with so many epochs."""
    key, two = "train_openset.digits", {"known": [2], "subsets": 2, "epochs": 2}
    workspace = make_workspace(tmp_path / "workspace", digits)
    more = {"known": 2, "epochs": 2}
    set_params(workspace / "params.yaml", {"openset_models": ["cnn"], key: two | {"epochs": 1, "longer": more}})
    folder = workspace / "models/digits/openset/cnn"
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    weighed: list[int] = []  # N of λ/N

    def prepare(*arguments: Any, **options: Any) -> Training:
        weighed.append(options["of_images"])
        return prepared(*arguments, **options)

    prepared = training_members.prepare
    monkeypatch.setattr(training_members, "prepare", prepare)
    execute("train_openset", dataset="digits", model="cnn")
    assert weighed == 4 * [len(data.load("digits").train_labels)]  # not of the two classes
    longer, weights = read_npz(folder / "longer.npz"), load_weights(folder / "k2-1-longer.safetensors")
    assert (longer["known"].sum(1).tolist(), int(longer["epochs"])) == ([2, 2], 2)
    set_params(workspace / "params.yaml", {key: two | {"longer": more}})  # no more than all have
    execute("train_openset", dataset="digits", model="cnn")
    assert not list(folder.glob("*longer*"))
    whole, expected = read_npz(folder / "outputs.npz"), load_weights(folder / "k2-1.safetensors")
    for name in ("known", "log_y"):
        np.testing.assert_array_equal(longer[name], whole[name])
    for name, tensor in expected[0].items():
        assert torch.equal(weights[0][name], tensor)
    assert weights[1] == expected[1]  # its budget too
