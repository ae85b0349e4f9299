"""Networks of the user's own in training: dropout and buffers, plain tensors, no `initialise`, several members."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from overgen import OvergenError
from overgen.models import Output, registry

from processes import Run
from workspace import set_params, write_code

PLAIN = '''
import torch.nn.functional as F
from torch import nn


class Plain(nn.Module):
    """Logits as a plain tensor, torch's own initial weights."""

    def __init__(self, classes, dropout=0.0, batch_norm=False):
        super().__init__()
        self.dropout = dropout
        self.norm = nn.BatchNorm1d(32) if batch_norm else nn.Identity()
        self.hidden = nn.Linear(784, 32)
        self.last = nn.Linear(32, classes)

    def forward(self, x):
        h = F.relu(self.norm(self.hidden(x.flatten(1))))
        return self.last(F.dropout(h, self.dropout, self.training))
'''
NETWORK = {"network": "src/own/plain.py:Plain", "outputs": "logits"}


@pytest.fixture
def project(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workspace / "src/own/plain.py").write_text(PLAIN)
    monkeypatch.chdir(workspace)
    return workspace


def trained(project: Path, run_stage: Run, **options: object) -> tuple[list[bytes], str]:
    """The weights of two seeds of a network with these options, and what was said."""
    changes: dict[str, object] = {"models.plain": NETWORK | options, "classifiers": ["plain"]}
    changes |= {name: [] for name in ("autoencoders", "attacked", "evolved", "openset_models")}
    changes |= {f"{group}_datasets": [] for group in ("explored", "silhouette", "clutter")}
    changes |= {
        f"{name}_datasets": []
        for name in ("retrained", "variant", "oneclass", "searched", "szegedy", "scored", "defended")
    }
    changes |= {"train_classifier.digits.epochs": 2, "engine.digits.together": 2}
    set_params(project / "params.yaml", changes)
    write_code(project, known=project)
    done = run_stage(project, "train_classifier", model="plain")
    folder = project / "models/digits/networks/plain"
    return [(folder / f"seed{seed}.safetensors").read_bytes() for seed in range(2)], done.stderr


def test_members_of_one_network_train_as_a_stack(project: Path, run_stage: Run) -> None:
    _, said = trained(project, run_stage)
    assert "one after another" not in said
    cell = json.loads((project / "reports/cells/digits/train_classifier/plain/metrics.json").read_text())
    assert cell["metrics"][0]["reproduced"] > 30  # percent, where chance is 10: it learns
    network, _ = registry.trained("digits", "plain")
    assert isinstance(network(torch.zeros(1, 1, 28, 28)), Output)
    assert np.load("models/digits/networks/plain/outputs.npz")["log_y"].shape[0] == 2


@pytest.mark.parametrize(
    ("options", "reason"), [({"dropout": 0.5}, "draws at random"), ({"batch_norm": True}, "buffers")]
)
def test_dropout_and_buffers_train_alone_and_the_same_twice(
    project: Path, run_stage: Run, options: dict[str, object], reason: str
) -> None:
    first, said = trained(project, run_stage, **options)
    assert reason in said
    assert "one after another" in said
    torch.manual_seed(7)  # nothing hangs on it
    torch.rand(3)
    second, _ = trained(project, run_stage, **options)
    assert first == second
    assert first[0] != first[1]


def test_weights_depend_on_the_key_alone(project: Path) -> None:
    draws = [registry.initialised("src/own/plain.py:Plain", {"classes": 10}, key) for key in ("a", "a", "b")]
    first, second, other = (network.state_dict()["hidden.weight"] for network in draws)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert type(draws[0]) is type(draws[1])


def test_a_plain_tensor_is_declared(project: Path) -> None:
    network = registry.build("src/own/plain.py:Plain", classes=10)
    with pytest.raises(OvergenError, match=r"returns a Tensor, .*outputs: logits"):
        registry.checked(network, "plain", 10)
    declared = registry.build("src/own/plain.py:Plain", classes=10, outputs="logits")
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    declared.load_state_dict(network.state_dict())
    torch.testing.assert_close(declared.eval()(x).log_y, network.eval()(x).log_softmax(1))
    registry.checked(declared, "plain", 10)
