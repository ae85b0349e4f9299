"""What cannot be adopted is named in one line: network, value and way out. Strangers' files run nothing."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models.adopted import Adopted, Input, open_network

from strangers import classic, images

SHAPE = (1, 4, 4)
WEIGHT = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logits(x: Tensor) -> Tensor:
    return x.flatten(1) @ WEIGHT


class Counting(nn.Module):
    """Its answers depend on how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        return logits(x)


class Bare(nn.Module):
    """Batch normalisation without running averages."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return logits(self.norm(x))


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (
            lambda x: logits(x).softmax(1),
            {"outputs": "logits"},
            r"every row is one of probabilities; .*\(--outputs prob",
        ),
        (
            logits,
            {"outputs": "log_probabilities"},
            r"but they reach .* is at most 0; raw .*\(--outputs logits\)",
        ),
        (logits, {"outputs": "probabilities"}, r"but they lie from .*; raw .*\(--outputs logits\)"),
        (
            lambda x: logits(x).sigmoid(),
            {"outputs": "probabilities"},
            r"a row sums to .*\(--outputs scores\)",
        ),
        (lambda x: logits(x).sigmoid(), {}, r"they may be several things; declare .*\(--outputs\)"),
        (lambda x: logits(x) - 1000, {}, r"they may be several things; declare .*\(--outputs\)"),
        (logits, {"outputs": "softmax"}, r"\(--outputs\): 'softmax' is none of logits"),
        (
            lambda x: logits(x) * float("nan"),
            {},
            r"answer to the black image is nan for class 0.*\(--mean, --std",
        ),
        (lambda x: logits(x) / (x.mean((1, 2, 3), keepdim=True).flatten(1)), {}, "black image is nan"),
        (logits, {"classes": 10}, r"answers with 3 numbers an image, but there are 10 classes.*\(--output-key\)"),
        (lambda x: logits(x)[:, :1], {"outputs": "logits", "classes": 3}, "answers with 1 number an image"),
        (lambda x: logits(x)[:, :1].sigmoid(), {}, "its one output lies from .* logits or probabilities; declare"),
        (
            lambda x: logits(x.view(-1, 25)),
            {},
            r"does not take 6 images of \(1, 4, 4\) as float32 NCHW .*\(--size",
        ),
        (lambda x: F.dropout(logits(x), 0.5, training=True), {}, "draws at random in evaluation mode"),
        (lambda x: logits(x) - logits(x).mean(0), {}, "depends on the other images of the batch"),
        (lambda x: logits(x).squeeze(), {"classes": 3}, None),
        (lambda x: torch.cat([logits(x), logits(x)])[: 2 * len(x)], {}, "give an answer of the shape"),
        (
            lambda x: (logits(x), logits(-x)),
            {},
            r"several parts \(0 \(6, 3\), 1 \(6, 3\)\); .*\(--output-key\)",
        ),
        (lambda x: {"a": logits(x)}, {"output": "b"}, r"\(--output-key\): 'b' is no part of its answer, which has a"),
        (logits, {"output": "b"}, r"\(--output-key\): 'b': its answer is one Tensor; leave it out"),
        (lambda x: "cat", {}, "answers with a str, not with a tensor"),
        (Counting(), {}, "a forward pass in evaluation mode changes its buffer count"),
        (Bare(), {}, r"depends on the other images of the batch .*\(norm normalises by the batch"),
        (logits, {"input": Input(mean=(0.1, 0.2))}, r"\(--mean\): .* the network gets 1 channels"),
        (nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), {"features": "2"}, "features: has no layer '2'; its last"),
    ],
)
def test_what_a_network_may_not_do(function: Any, options: dict[str, Any], message: str | None) -> None:
    if message is None:  # a batch of one keeps its answer's shape but for the batch
        with pytest.raises(OvergenError, match=r"1 image give an answer of the shape \(3,\).*a squeeze\(\) takes"):
            Adopted.of(function, shape=SHAPE, name="theirs", **options)
        return
    with pytest.raises(OvergenError, match=message) as caught:
        Adopted.of(function, shape=SHAPE, name="theirs", **options)
    if "input" not in options:
        assert str(caught.value).startswith("theirs: ")


@pytest.mark.parametrize(
    ("function", "outputs"),
    [
        (logits, "logits"),
        (lambda x: logits(x).log_softmax(1), "log_probabilities"),
        (lambda x: logits(x).softmax(1), "probabilities"),
        (lambda x: {"loss": None, "logits": logits(x), "hidden": x.flatten(1)}, "logits"),
        (lambda x: (logits(x), None), "logits"),
        (lambda x: logits(x)[:, :, None, None], "logits"),
        (lambda x: logits(x).double(), "logits"),
    ],
)
def test_outputs_are_detected(function: Callable[[Tensor], Any], outputs: str) -> None:
    ours = Adopted.of(function, shape=SHAPE)
    assert ours.outputs == outputs
    x = images(4, *SHAPE)
    torch.testing.assert_close(ours(x).log_y.float(), logits(x).log_softmax(1))


@pytest.mark.parametrize("outputs", ["logits", "probabilities", "log_probabilities", "scores"])
def test_one_output_is_two_classes(outputs: str) -> None:
    single = {"logits": lambda z: z, "log_probabilities": F.logsigmoid}.get(outputs, torch.sigmoid)
    ours = Adopted.of(lambda x: single(logits(x)[:, 0]), shape=SHAPE, outputs=outputs)
    assert ours.classes == 2
    x = images(4, *SHAPE)
    y = logits(x)[:, 0].sigmoid()
    torch.testing.assert_close(ours(x).log_y.exp(), torch.stack([1 - y, y], 1))


def test_a_network_in_training_mode_is_put_out_of_it() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 3)).train()
    ours = Adopted.of(network, shape=SHAPE)
    x = images(4, *SHAPE)
    assert torch.equal(ours(x).log_y, ours(x).log_y)
    ours.train()
    assert not network.training


# state dictionaries that do not fit


def state(**changes: Tensor | None) -> dict[str, Tensor]:
    """That of the classic network with some tensors changed, or without them."""
    found = dict(torch.load("net.pt", weights_only=True)) | changes
    return {key: value for key, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"fc2.weight": torch.zeros(2, 128), "fc2.bias": torch.zeros(2)}, ("trained for 2 classes", r"\(2, 128\)")),
        ({"conv1.weight": torch.zeros(32, 3, 3, 3)}, ("for other images, or of another stem", r"\(32, 3, 3, 3\)")),
        ({"fc1.weight": None}, ("7 of 8 tensors of Net fit: fc1.weight is not in the file",)),
        ({"fc3.weight": torch.zeros(3)}, ("fc3.weight is in the file only",)),
        ({"fc1.bias": torch.full((128,), float("inf"))}, ("fc1.bias holds inf",)),
    ],
)
def test_a_hint_and_no_dump(folder: Path, changes: dict[str, Any], messages: tuple[str, ...]) -> None:
    classic(folder)
    torch.save(state(**changes), "changed.pt")
    for message in messages:
        with pytest.raises(OvergenError, match=message) as caught:
            open_network("changed.pt", module="net.py:Net", shape=(1, 28, 28))
    assert "\n" not in str(caught.value)


def test_at_most_five_keys_are_named(folder: Path) -> None:
    classic(folder)
    torch.save({f"layer{i}": torch.zeros(1) for i in range(100)}, "other.pt")
    with pytest.raises(OvergenError, match=r"and 103 more.*it is of another network") as caught:
        open_network("other.pt", module="net.py:Net", shape=(1, 28, 28))
    assert str(caught.value).count("is not in the file") == 5


def test_running_averages_that_were_not_saved(folder: Path) -> None:
    network = "nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(16, 3))"
    Path("bn.py").write_text(f"from torch import nn\ndef Net():\n    return {network}\n")
    torch.save({"0.weight": torch.ones(1), "0.bias": torch.zeros(1), "2.weight": torch.zeros(3, 16),
                "2.bias": torch.zeros(3)}, "bn.pt")  # fmt: skip
    with pytest.raises(OvergenError, match="running averages of batch normalisation were not saved"):
        open_network("bn.pt", module="bn.py:Net", shape=SHAPE)


@pytest.mark.parametrize("wrap", ["state_dict", "model", "net"])
def test_nesting_and_prefixes_are_taken_off_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str], wrap: str
) -> None:
    theirs = classic(folder)
    nested = {f"_orig_mod.module.{key}": value for key, value in theirs.state_dict().items()}
    torch.save({"epoch": 3, wrap: nested}, "checkpoint.pt")
    ours = open_network("checkpoint.pt", module="net.py:Net", shape=(1, 28, 28))
    x = images(2, 1, 28, 28)
    torch.testing.assert_close(ours(x).log_y, theirs(x))
    said = capsys.readouterr().err
    assert f"the state dictionary is its '{wrap}'" in said
    assert "begin with '_orig_mod.module.', which was taken off" in said


# files of more than tensors


class Told:
    """What tells that a pickle was read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def test_a_pickle_is_not_read(folder: Path) -> None:
    classic(folder)
    torch.save({"state_dict": Told()}, "told.pt")
    Path("told.pkl").write_bytes(pickle.dumps(Told()))
    for file, options in (("told.pt", {"module": "net.py:Net"}), ("told.pt", {}), ("told.pkl", {})):
        with pytest.raises(OvergenError, match=r"a pickle can run any code .*--unsafe-pickle"):
            open_network(file, shape=(1, 28, 28), **options)
    assert not Path("ran").exists()


def test_a_whole_module_needs_the_flag(folder: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    torch.save(network, "whole.pt")
    with pytest.raises(OvergenError, match="holds more than tensors, a whole module perhaps"):
        open_network("whole.pt", shape=SHAPE)
    ours = open_network("whole.pt", shape=SHAPE, unsafe_pickle=True)
    x = images(2, *SHAPE)
    torch.testing.assert_close(ours(x).log_y, network(x).log_softmax(1))


def rewritten(change: Callable[[str, bytes], bytes], more: dict[str, bytes] | None = None) -> None:
    """changed.pt2: a program of torch.export with some members changed, none of them to anything that does harm."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    with torch.no_grad():
        network[1].bias.copy_(
            torch.tensor([-9.0, 0.0, 9.0])
        )  # logits for certain: all below 0 they might be logarithms
    dynamic = {"input": {0: torch.export.Dim("N")}}
    torch.export.save(torch.export.export(network, (torch.zeros(2, *SHAPE),), dynamic_shapes=dynamic), "good.pt2")
    with zipfile.ZipFile("good.pt2") as good, zipfile.ZipFile("changed.pt2", "w", zipfile.ZIP_STORED) as changed:
        for name in good.namelist():
            changed.writestr(name, change(name, good.read(name)))
        for name, content in (more or {}).items():
            changed.writestr(f"good/{name}", content)


def sample_inputs(name: str, content: bytes) -> bytes:
    if "sample_inputs" not in name:
        return content
    buffer = io.BytesIO()
    torch.save(Path("a path"), buffer)
    return buffer.getvalue()


def target(name: str, content: bytes) -> bytes:
    return content.replace(b"torch.ops.aten.flatten.using_ints", b"torch.flatten") if "models/" in name else content


def size(name: str, content: bytes) -> bytes:
    if "models/" not in name:
        return content

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: "many" if k == "expr_str" else changed(v) for k, v in value.items()}
        return [changed(v) for v in value] if isinstance(value, list) else value

    return json.dumps(changed(json.loads(content))).encode()


def pickled(name: str, content: bytes) -> bytes:
    return content.replace(b'"use_pickle": false', b'"use_pickle": true') if name.endswith("config.json") else content


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (sample_inputs, {}, "its sample inputs are more than tensors"),
        (target, {}, "calls 'torch.flatten', which is no operation on tensors"),
        (size, {}, "has a size 'many', which is no arithmetic"),
        (pickled, {}, "a pickled tensor or constant"),
        (lambda _, content: content, {"data/aotinductor/model/a.so": b""}, "which is neither a graph nor tensors"),
    ],
)
def test_a_program_of_more_than_tensors_and_operations(change: Any, more: dict[str, bytes], message: str) -> None:
    rewritten(change, more)
    with pytest.raises(OvergenError, match=message):
        open_network("changed.pt2")
    assert open_network("good.pt2").shape == SHAPE


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("cut.pt2", b"PK\3\4", "not a whole program of torch.export"),
        ("text.pt", b"hello", "not a file that torch.save wrote"),
        ("cut.safetensors", b"\0" * 9, "not a whole safetensors file"),
        ("cut.onnx", b"\1\2", "onnxruntime cannot load it|onnxruntime is not installed"),
        ("none.pt", None, "none.pt: missing; a network is a file"),
    ],
)
def test_files_that_are_no_networks(file: str, content: bytes | None, message: str) -> None:
    if content is not None:
        Path(file).write_bytes(content)
    with pytest.raises(OvergenError, match=message):
        open_network(file, shape=SHAPE)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("torchvision/resnet19", "torchvision has no such classifier"),
        ("net.py:Net", "needs its weights: --weights FILE"),
        ("efficientnet-lite9", "efficientnet-lite9: missing; a network is a file"),
    ],
)
def test_names_that_are_no_networks(what: str, message: str) -> None:
    with pytest.raises(OvergenError, match=message):
        open_network(what)
