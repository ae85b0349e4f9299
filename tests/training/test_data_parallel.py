"""Processes that share the batches of a network: together they do what one does; killed and resumed; refused."""

from __future__ import annotations

import dataclasses
import re
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from overgen import OvergenError
from overgen.models import Output
from overgen.run import code, imports
from overgen.run.files import read_npz
from overgen.run.pipeline import read_stages
from overgen.run.stage import Stage
from overgen.training import data_parallel
from overgen.training.data_parallel import Sharing, refusal, sharing
from overgen.training.module import Training

import data_parallel_ranks
from training_cases import CASES, members, train
from workspace import ROOT, Copies, cell_folders, make_workspace, read_yaml, run_stage

DEVICES = {"OVERGEN_ACCELERATOR": "cpu", "OVERGEN_DEVICES": "2"}
TORCHRUN = ["--nproc-per-node", "2", "--start-method", "fork", "--run-path",
            str(ROOT / "src/overgen/run/__main__.py")]  # fmt: skip


@pytest.mark.parametrize(("world", "cases"), [(2, list(CASES)), pytest.param(3, ["dae"], marks=pytest.mark.slow)])
def test_processes_that_share_batches_do_what_one_does(
    tmp_path: Path, copies: Copies, world: int, cases: list[str]
) -> None:
    """1e-10 in float64, on every process: unequal parts, a batch of one image, noise, weight decay, all losses."""
    arguments = ["--nproc-per-node", str(world), "--start-method", "fork", "--run-path",
                 str(Path(data_parallel_ranks.__file__)), str(tmp_path), *cases]  # fmt: skip
    devices = DEVICES | {"OVERGEN_DEVICES": str(world)}
    done = copies.program("torch.distributed.run", arguments, folder=tmp_path, **devices).wait()
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr
    for case in cases:
        (alone,) = members(case, [data_parallel_ranks.SIZE]).values()
        train(alone, [])
        found = [torch.load(tmp_path / f"{case} {rank}.pt", weights_only=False) for rank in range(world)]
        for weights, curves in found:
            torch.testing.assert_close(weights, alone.network.state_dict(), rtol=0, atol=1e-10)
            assert [curve["epoch"] for curve in curves] == [0, 1]
            for curve, expected in zip(curves, alone.curves, strict=True):
                assert curve == pytest.approx(expected, rel=1e-6)
        for name, weight in found[0][0].items():
            assert torch.equal(weight, found[-1][0][name])


def close(first: Path, second: Path, stage: str, model: str) -> None:
    """Assert that two workspaces hold the same training but for rounding, and nothing that is half written."""
    folders, others = (cell_folders(workspace, stage, model) for workspace in (first, second))
    for one, other in zip(folders, others, strict=True):
        assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for path in folders[0].glob("*.safetensors"):
        found = load_file(others[0] / path.name)
        for name, weight in load_file(path).items():  # one by one Adam moves those of no gradient by its rounding
            assert (found[name].float() - weight.float()).norm() < 1e-2 * weight.float().norm(), name
    outputs, found_outputs = (read_npz(each[0] / "outputs.npz") for each in (folders, others))
    for name, values in outputs.items():
        np.testing.assert_allclose(found_outputs[name], values, rtol=0.05, atol=0.01)
    curves, found_curves = (pd.read_csv(each[1] / "curves.csv") for each in (folders, others))
    pd.testing.assert_frame_equal(found_curves, curves, rtol=1e-3, atol=1e-3)
    assert not list(second.glob("**/.overgen-tmp-*"))


def test_a_cell_of_two_processes_is_that_of_one(tmp_path: Path, digits: Path, copies: Copies) -> None:
    """By the command that docs/running.md has for it, with a test curve and two seeds, one after another."""
    changes = {
        "classifiers": ["cnn", "lenet"],
        "train_classifier.digits": {"epochs": 2, "seeds": [0, 1], "test_curve": True},
    }
    shared = {"train_classifier.digits": changes["train_classifier.digits"] | {"data_parallel": {"lenet": 2}}}  # type: ignore[operator]
    one = make_workspace(tmp_path / "one", digits, **changes)
    two = make_workspace(tmp_path / "two", digits, **changes | shared)
    run_stage(one, "train_classifier", model="lenet")
    page = (ROOT / "docs/running.md").read_text()
    (command,) = re.findall(r"^    OVERGEN_DEVICES=4 torchrun (.* -m overgen\.run .*)$", page, re.M)
    command = command.replace("--nproc-per-node 4 -m overgen.run", " ".join(TORCHRUN))
    arguments = command.replace("mnist", "digits").replace("large", "lenet").split()
    done = copies.program("torch.distributed.run", arguments, folder=two, **DEVICES).wait()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("of 2 is done") == 2
    close(one, two, "train_classifier", "lenet")
    assert not list(two.glob(".overgen/progress/train_classifier/*/*"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "lightning"])
def test_when_a_process_is_killed_all_end_and_the_next_call_goes_on(
    tmp_path: Path, digits: Path, copies: Copies, launcher: str
) -> None:
    """Noise and the decoder: process 1 is killed, and process 0 does not wait for it."""
    changes: dict[str, Any] = {"train_autoencoder.digits": {"epochs": 3, "seeds": [0]}}
    shared = {"train_autoencoder.digits": {"epochs": 3, "seeds": [0], "data_parallel": {"dae_sym": 2}}}
    one = make_workspace(tmp_path / "one", digits, **changes)
    two = make_workspace(tmp_path / "two", digits, **changes | shared)
    run_stage(one, "train_autoencoder", model="dae_sym")

    cell = ["train_autoencoder", "--dataset", "digits", "--model", "dae_sym"]
    way = {"lightning": ("overgen.run", cell), "torchrun": ("torch.distributed.run", [*TORCHRUN, *cell])}[launcher]
    program = copies.program(*way, folder=two, **DEVICES)
    deadline = time.monotonic() + 120
    while not (checkpoints := list(two.glob(".overgen/progress/train_autoencoder/*/*/seed0.epochs/last.ckpt"))):
        assert program.running(), program.wait().stderr
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = psutil.Process(program.pid).children()
    if launcher == "lightning":  # of which process 0 is the one that was started
        children = [process for process in children if "train_autoencoder" in process.cmdline()]
    max(children, key=lambda process: process.create_time()).kill()
    began = time.monotonic()
    assert program.wait().returncode != 0
    assert time.monotonic() - began < 30
    assert not (two / "models").exists()
    assert checkpoints[0].exists()

    done = copies.program(*way, folder=two, **DEVICES).wait()
    assert done.returncode == 0, done.stderr
    assert "seed0 goes on from its last whole epoch" in done.stderr
    close(one, two, "train_autoencoder", "dae_sym")


# Without other processes: who writes, and what is refused.


class Own(nn.Module):
    """A network of a user's own, in some of the ways in which no batch can be shared."""

    def __init__(self, way: str = "") -> None:
        super().__init__()
        self.layer = nn.Linear(784, 3)
        self.way = way
        if way == "buffers":
            self.normal = nn.BatchNorm1d(3)
        if way == "idle":
            self.rest = nn.Linear(2, 2)
        if way == "penalty":
            self.penalty = lambda x: x.mean()

    def forward(self, x: torch.Tensor) -> Output:
        logits = self.layer(x.flatten(1))
        logits = self.normal(logits) if self.way == "buffers" else logits
        logits = logits - logits.mean(0) if self.way == "others" else logits
        return Output(F.log_softmax(logits, 1), None)


def member(network: nn.Module, **options: Any) -> Training:
    images = torch.arange(9 * 784).view(9, 1, 28, 28).remainder(251).to(torch.uint8)
    common: dict[str, Any] = {"key": ("m",), "batch_size": 5, "learning_rate": 1e-3, "l2": 0.0}
    return Training(network, images, torch.arange(9) % 3, **common | options)


@pytest.mark.parametrize(
    ("way", "options", "says"),
    [
        ("", {"draws": True}, "draws at random in training, as dropout does"),
        ("buffers", {}, "has buffers (normal.running_mean, normal.running_var, normal.num_batches_tracked), which"),
        ("penalty", {}, "has a penalty, which is of a whole batch"),
        ("others", {}, "gives for an image what hangs on the others of its batch"),
        ("idle", {}, "has weights on which no loss hangs (rest.weight, rest.bias)"),
    ],
)
def test_networks_whose_batches_cannot_be_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, options: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(Stage, "trainer", lambda *_, **__: None)
    trainer = stage(tmp_path).trainer(epochs=1)
    with pytest.raises(OvergenError) as raised:
        trainer.fit(member(Own(way), **options))
    assert str(raised.value).startswith(f"params.yaml, train.digits.data_parallel.large: the network {says}")


@pytest.mark.parametrize("case", list(CASES))
def test_networks_of_the_study_are_not_refused(case: str) -> None:
    for each in members(case, [11, 1]).values():
        before = {name: weight.clone() for name, weight in each.network.state_dict().items()}
        assert refusal(each) == ""
        assert refusal(members(case, [8], torch.float32)["m0"]) == ""
        for name, weight in each.network.state_dict().items():
            assert torch.equal(weight, before[name])
        assert all(weight.grad is None for weight in each.network.parameters())
    frozen = Own("idle")
    frozen.rest.requires_grad_(False)
    assert refusal(member(frozen)) == ""


def stage(folder: Path, rank: int = 0, world: int = 2) -> Sharing:
    """Of process `rank` of some, of which there is this one alone."""
    nothing: Any = None
    run: Any = SimpleNamespace(member=lambda name: pytest.MonkeyPatch.context())
    return Sharing("train", {"dataset": "digits", "model": "large"}, nothing, folder, torch.device("cpu"), rank, world,
                   run, "train.digits.data_parallel.large")  # fmt: skip


def alone(monkeypatch: pytest.MonkeyPatch, differ: bool = False) -> None:
    """What the other processes say is what this one does, unless they differ."""

    def gather(seen: list[Any], said: Any) -> None:
        seen[:] = [said] * len(seen)
        if differ:
            seen[-1] = None

    monkeypatch.setattr("torch.distributed.barrier", lambda: None)
    monkeypatch.setattr("torch.distributed.all_gather_object", gather)


def test_all_take_part_in_each_member_and_the_first_alone_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(monkeypatch)
    asked: list[tuple[int, int]] = []

    def compute(rank: int, chunk: Any, runs: Any) -> list[Any]:
        assert len(runs) == 1
        asked.append((rank, chunk[0]))
        return [lambda: {"x": np.array(10 * chunk[0])}]

    assert stage(tmp_path, rank=1).chunks(["a", "b"], [[1], [0]], partial(compute, 1)) == []
    assert asked == [(1, 1), (1, 0)]
    assert list(tmp_path.iterdir()) == []
    for epochs, content in (("a.epochs", b"cut"), ("b.epochs", b"cut")):
        (tmp_path / epochs).mkdir()
        (tmp_path / epochs / "last.ckpt").write_bytes(content)
    found = stage(tmp_path).chunks(["a", "b"], [[1], [0]], partial(compute, 0))
    assert [int(arrays["x"]) for arrays in found] == [0, 10]
    assert asked[2:] == [(0, 1), (0, 0)]
    assert not list(tmp_path.glob("*/last.ckpt"))  # which no process could have read
    assert len(stage(tmp_path).chunks(["a", "b"], [[1], [0]], partial(compute, 0))) == 2
    assert len(asked) == 4  # finished by an earlier run


def test_what_stops_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch, differ=True)
    with pytest.raises(OvergenError, match=r"processes 0 to 1 see different files of a there .* all machines share"):
        stage(tmp_path).chunks(["a"], [[0]], lambda *_: pytest.fail("it began"))
    alone(monkeypatch)
    with pytest.raises(OvergenError, match=r"2 members of the cell would train as one \(engine.digits.together\)"):
        stage(tmp_path).chunks(["a", "b"], [[0, 1]], lambda *_: pytest.fail("it began"))


def test_another_number_of_processes_is_refused(tmp_path: Path, digits: Path) -> None:
    changes = {"train_classifier.digits": {"epochs": 1, "seeds": [0], "data_parallel": {"cnn": 3}}}
    workspace = make_workspace(tmp_path / "workspace", digits, **changes)
    done = run_stage(workspace, "train_classifier", model="cnn", check=False)
    assert done.returncode == 1
    assert (
        "error: params.yaml, train_classifier.digits.data_parallel: 3 processes share the batches of cnn, but there "
        "are 1: `OVERGEN_DEVICES=3 dvc repro train_classifier@digits-cnn` starts them"
    ) in done.stderr
    params: Any = lambda key: {"cnn": 3}  # noqa: E731
    enough = Stage("train_classifier", {"dataset": "digits", "model": "cnn"}, params, tmp_path, None, 2, 3, None)
    shared = sharing(enough)
    assert (shared.rank, shared.world, shared.key) == (2, 3, "train_classifier.digits.data_parallel.cnn")
    for field in dataclasses.fields(Stage):
        assert getattr(shared, field.name) is getattr(enough, field.name)


def test_cells_hang_on_this_code_where_their_section_names_it() -> None:
    tree, entries, values = imports.Tree(ROOT / "src"), read_stages(ROOT / "dvc.yaml"), read_yaml(ROOT / "params.yaml")
    file = Path(data_parallel.__file__).name
    texts = code.texts(tree, values, entries, "train_classifier")
    assert set(texts) == {f"train_classifier/{model}" for model in values["classifiers"]}
    assert not [name for name, text in texts.items() if f"training/{file}" in text]
    values["train_classifier"]["digits"]["data_parallel"] = {"cnn": 2}
    texts = code.texts(tree, values, entries, "train_classifier")
    assert [name for name, text in texts.items() if f"training/{file}" in text] == ["train_classifier/cnn"]
