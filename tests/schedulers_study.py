"""What schedulers are given in tests: three trainings, long enough to be disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workspace import cell_folders, same

CELLS = ("cnn", "cool", "lenet")
TARGETS = tuple(f"train_classifier@digits-{model}" for model in CELLS)
LONG = {"classifiers": list(CELLS), "train_classifier.digits": {"epochs": 15, "seeds": [0]}}


def begun(folder: Path, model: str) -> bool:
    """Whether a training has finished an epoch."""
    return any(folder.glob(f".overgen/progress/train_classifier/digits-{model}/*/seed0.epochs/last.ckpt"))


def same_cells(folder: Path, undisturbed: Path, models: Sequence[str] = CELLS) -> None:
    """Assert that two workspaces hold the same trainings, and nothing that is half written."""
    for model in models:
        folders = [cell_folders(workspace, "train_classifier", model) for workspace in (undisturbed, folder)]
        for first, second in zip(*folders, strict=True):
            same(first, second)
    assert not list(folder.glob("**/.overgen-tmp-*"))
