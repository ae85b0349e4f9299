"""The stage evaluate_fooling: what witnesses see, by hand and in the committed cells."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from overgen.attacks import evidence
from overgen.confidence import ScaledOutput
from overgen.models import registry
from overgen.run import params
from overgen.stages.evaluate_fooling import run as evaluate_fooling

from workspace import ROOT


def test_a_witness_by_hand() -> None:
    table = pd.DataFrame({
        "attack": "fool_gradient", "attacked": ["cnn"] * 5 + ["dae"] * 2, "tau": [0.9] * 7,
        "fooled": [True, True, True, True, False, False, False], "target": [0, 1, 2, 3, 4, 5, 6],
        "seen": [0, 1, 2, 9, 4, 5, 6], "witness_score": [0.95, 0.85, 0.9, 0.99, 0.99, 0.99, 0.99],
    })  # fmt: skip
    rows = {row["metric"]: row for row in evaluate_fooling.rows(table)}
    seen = rows["seen_as_target_rate@attack=gradient@attacked=cnn"]
    assert (seen["reproduced"], seen["n"], seen["tau"]) == (75, 4, 0.9)  # the fifth did not fool
    assert rows["accepted_as_target_rate@attack=gradient@attacked=cnn"]["reproduced"] == 25  # 0.9 is not above 0.9
    none = rows["seen_as_target_rate@attack=gradient@attacked=dae"]
    assert (none["reproduced"], none["n"]) == (None, 0)


def test_a_committed_witness_judges_others_by_its_own_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = pd.read_csv("reports/cells/mnist/evaluate_fooling/dae_sym/images.csv")
    assert set(table["attacked"]) == {"cnn", "cool", "dae_asym"}  # not itself
    assert (table.groupby(["attack", "attacked", "tau"])["alpha"].nunique() == 1).all()  # the paper's, not further ones
    settings = params.load()
    network, _ = registry.trained("mnist", "dae_sym")
    folder = Path("reports/cells/mnist/fool_gradient/cnn")
    stored, pictures = evidence.evidence(folder, settings.confidence["mnist"].thresholds, evolution_alpha=3)
    mine = table[(table["attack"] == "fool_gradient") & (table["attacked"] == "cnn")]
    assert mine["target"].tolist() == stored["target"].tolist()
    for tau, alpha in ((0.9, 20.0), (0.99, 3.0)):
        x = torch.from_numpy(pictures[(stored["tau"] == tau).to_numpy()])[:, None]
        y = ScaledOutput(network, alpha=alpha, beta=10)(x).exp().max(1)
        found = mine[mine["tau"] == tau]
        assert found["seen"].tolist() == y.indices.tolist()
        assert found["witness_score"].to_numpy() == pytest.approx(y.values.numpy(), abs=1e-5)


def test_the_smallest_budget_counts() -> None:
    assert evidence.smallest_budget([{"a": 3, "b": 1}, {"a": 2, "c": 5}]) == {"a": 2, "b": 1, "c": 5}
