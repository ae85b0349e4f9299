"""The stage train_classifier on the tiny study."""

from __future__ import annotations

from pathlib import Path

from workspace import run_stage, set_params


def test_a_model_without_epochs_of_its_own_is_named(workspace: Path) -> None:
    set_params(workspace / "params.yaml", {"train_classifier.digits.epochs": {"cool": 1}})
    done = run_stage(workspace, "train_classifier", model="cnn", check=False)
    assert done.returncode == 1
    assert "params.yaml, train_classifier.digits.epochs: none for cnn; give one number" in done.stderr
