"""Members that train together: each as alone, whatever its neighbours; killed and resumed; one that diverges."""

from __future__ import annotations

import filecmp
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from pytorch_lightning.loggers.logger import Logger

from overgen import OvergenError
from overgen.run import engine
from overgen.run.devices import limited_to
from overgen.run.streams import generator
from overgen.training import together
from overgen.training.together import Together

from training_cases import CASES, SIZES, assert_same, members, train
from workspace import Copies, make_workspace, run_stage, set_params


class Log(Logger):
    """What is logged, as (metrics, step)."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[tuple[dict[str, float], int | None]] = []

    name = version = ""  # type: ignore[assignment]

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.logged.append((dict(metrics), step))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that share so little work, and the cores with others, wait for each other most of the time."""
    with limited_to(1):
        yield


FEW = [7, 6, 2]  # two short batches in one step, and a member that ends early with a short one beside whole ones


@pytest.mark.parametrize(("case", "sizes"), [(case, SIZES if case == "dae" else FEW) for case in CASES])
def test_a_member_of_a_chunk_is_as_alone(case: str, sizes: list[int]) -> None:
    """Different numbers of images and steps, weights, data orders and noise, weight decay: 1e-10 in float64."""
    together, logs = members(case, sizes), [Log() for _ in sizes]
    train(Together(together), logs)
    for member, alone, log in zip(together.values(), members(case, sizes).values(), logs, strict=True):
        expected = Log()
        train(alone, [expected])
        assert_same(member, alone)
        assert [step for _, step in log.logged] == [step for _, step in expected.logged]
        for (metrics, _), (others, _) in zip(log.logged, expected.logged, strict=True):
            assert metrics == pytest.approx(others, rel=1e-6)


def test_a_chunk_of_one_is_as_alone() -> None:
    together, alone = members("dae", [8]), members("dae", [8])
    train(Together(together), [])
    train(alone["m0"], [])
    assert_same(together["m0"], alone["m0"])


def test_a_test_curve_is_that_of_each_alone_and_changes_nothing() -> None:
    plain, together, alone = (members("dae", FEW) for _ in range(3))
    test = torch.randint(0, 256, (20, 1, 28, 28), generator=generator("test"), dtype=torch.uint8), torch.arange(20) % 3
    for member in (*together.values(), *alone.values()):
        member.test = test
    train(Together(plain), [])
    train(Together(together), [])
    for name, member in alone.items():
        train(member, [])
        found = together[name]
        assert [curve["test_accuracy"] for curve in found.curves] == [c["test_accuracy"] for c in member.curves]
        for key, weight in plain[name].network.state_dict().items():
            assert torch.equal(weight, found.network.state_dict()[key])


@pytest.mark.parametrize(("count", "bias", "padding"), [(48, True, 2), (5, False, 0)])
def test_a_convolution_of_one_channel_is_as_a_product(count: int, bias: bool, padding: int) -> None:
    """torch's own, under vmap over three members, with the gradients of weights, biases and images: float64."""
    stream = generator("convolution", count)
    shapes = [(3, count, 1, 9, 8), (3, 6, 1, 5, 5), (3, 6)][: 3 if bias else 2]
    inputs = [torch.randn(s, generator=stream, dtype=torch.float64).requires_grad_() for s in shapes]

    def convolve(*arguments: torch.Tensor) -> torch.Tensor:
        return torch.conv2d(*arguments, padding=padding)

    def results() -> tuple[torch.Tensor, ...]:
        output = torch.func.vmap(convolve)(*inputs)
        return (output, *torch.autograd.grad(output.sin().sum(), inputs))

    expected = results()
    with together._Products():
        found = results()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_other_convolutions_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "convolution_of_one_channel", lambda *_, **__: pytest.fail("not for this one"))
    with together._Products():
        torch.conv2d(torch.ones(2, 3, 8, 8), torch.ones(4, 3, 3, 3))
        for options in ({"stride": 2}, {"dilation": 2}, {"padding": (1, 2)}, {"padding": "same"}):
            torch.conv2d(torch.ones(2, 1, 8, 8), torch.ones(4, 1, 3, 3), **options)  # type: ignore[arg-type]


def test_bfloat16_holds_under_vmap() -> None:
    """Convolutions in bfloat16, also where vmap takes them apart; scores in float32; losses near those alone."""
    together, alone = members("dae", dtype=torch.float32), members("dae", dtype=torch.float32)
    seen: dict[str, torch.dtype] = {}
    skeleton = together["m0"].network
    for name in ("conv2", "fc1"):
        layer = getattr(skeleton, name)
        layer.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output.dtype}))
    skeleton.register_forward_hook(lambda _, __, output: seen.update(log_y=output[0].dtype, decoded=output[1].dtype))
    train(Together(together), [], precision="bf16-mixed")
    half = torch.bfloat16
    assert seen == {"conv2": half, "fc1": half, "log_y": torch.float32, "decoded": half}
    for name, member in alone.items():
        train(member, [], precision="bf16-mixed")
        assert together[name].curves[-1]["loss"] == pytest.approx(member.curves[-1]["loss"], rel=0.02)


def test_a_member_that_diverges_is_named_and_harms_no_other() -> None:
    together, alone = members("dae", [7, 6, 4, 2]), members("dae", [7, 6, 4, 2])
    with torch.no_grad():
        together["m1"].network.fc2.weight[0, 0] = torch.nan
    module = Together(together)
    with pytest.raises(FloatingPointError, match=r"^m1: the training loss is nan in epoch 0$"):
        train(module, [], epochs=1)
    module.unstack()
    for name in ("m0", "m2", "m3"):
        train(alone[name], [], epochs=1)
        assert_same(together[name], alone[name])


def test_what_cannot_train_together_is_refused() -> None:
    with pytest.raises(ValueError, match="most images first"):
        Together(members("cnn", [4, 8]))
    mixed = members("cnn")
    mixed["m2"].noise_std = 0.3
    with pytest.raises(ValueError, match="differ in their settings"):
        Together(mixed)
    normalised = members("cnn", [8, 4])
    for member in normalised.values():
        member.network.normalisation = torch.nn.BatchNorm1d(400)
    with pytest.raises(OvergenError, match=r"CNN has buffers \(normalisation.running_mean.*together to 1"):
        Together(normalised)
    with pytest.raises(ValidationError, match="4 members would share a loss scale"):
        engine.Engine(precision="16-mixed", threads=1, chunk=1, probes=1, together=4)


def test_a_chunk_killed_in_the_middle_resumes_to_the_same_bytes(tmp_path: Path, digits: Path, copies: Copies) -> None:
    whole, killed = (make_workspace(tmp_path / name, digits) for name in ("whole", "killed"))
    for workspace in (whole, killed):
        changes = {
            "openset_models": ["cnn"],
            "engine.digits.together": 3,
            "train_openset.digits": {"known": [1, 2], "subsets": 2, "epochs": 3},
        }
        set_params(workspace / "params.yaml", changes)
    run_stage(whole, "train_openset", model="cnn")

    program = copies.stage(killed, "train_openset", model="cnn")
    deadline = time.monotonic() + 300
    while not (checkpoints := list(killed.glob(".overgen/progress/train_openset/*/*/*.epochs/last.ckpt"))):
        assert program.running(), "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(program.pid, signal.SIGKILL)
    assert program.wait().returncode == 128 + signal.SIGKILL
    assert [path.parent.name[:3] for path in checkpoints] == ["k2-"]  # those with most images first
    assert not list(killed.glob(".overgen/progress/train_openset/*/*/*.npz"))

    done = run_stage(killed, "train_openset", model="cnn")
    assert "and 2 more goes on from its last whole epoch" in done.stderr
    for folder in ("models/digits/openset/cnn", "reports/cells/digits/train_openset/cnn"):
        names = sorted(path.name for path in (whole / folder).iterdir())
        assert len(names) >= 2
        assert filecmp.cmpfiles(whole / folder, killed / folder, names, shallow=False) == (names, [], [])
