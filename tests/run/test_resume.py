"""A stage that is killed: nothing is lost, nothing is mixed up, and the bytes are those of one run."""

from __future__ import annotations

import filecmp
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from workspace import Copies, cell_folders, make_workspace, run_stage, same, set_params


def kill_when(copies: Copies, workspace: Path, stage: str, model: str, pattern: str) -> list[str]:
    """Start a stage, kill −9 it as soon as a progress file appears; returns the finished members, of all runs."""
    whole = f".overgen/progress/{stage}/*/*/{pattern}"
    earlier = set(workspace.glob(whole))
    program = copies.stage(workspace, stage, model=model)
    deadline = time.monotonic() + 120
    while not set(workspace.glob(whole)) - earlier:
        assert program.running(), "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(program.pid, signal.SIGKILL)
    assert program.wait().returncode == 128 + signal.SIGKILL
    return sorted(p.name for p in workspace.glob(f".overgen/progress/{stage}/*/*/*.npz"))


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # Lightning's, of the copy of a killed workspace
def test_a_killed_run_resumes_to_the_same_bytes_and_never_with_other_parameters(
    tmp_path: Path, digits: Path, copies: Copies
) -> None:
    changes = {
        "classifiers": ["cnn", "lenet"],
        "train_classifier.digits": {"epochs": 4, "seeds": [0, 1]},  # of which three are left to be killed in
    }
    whole, killed = (make_workspace(tmp_path / name, digits, **changes) for name in ("whole", "killed"))
    run_stage(whole, "train_classifier", model="lenet")

    # killed in the middle of the second member: the first is whole, and nothing is among the outputs
    assert kill_when(copies, killed, "train_classifier", "lenet", "seed1.epochs/last.ckpt") == ["seed0.npz"]
    assert not (killed / "models").exists()
    assert not (killed / "reports/cells").exists()
    copy, marked = tmp_path / "changed", tmp_path / "marked"
    for path in (copy, marked):
        shutil.copytree(killed, path, symlinks=True)
    # another learning rate for a while, killed too, does not cost what was done
    set_params(killed / "params.yaml", {"training.digits.learning_rate": 0.003})
    (progress,) = killed.glob(".overgen/progress/train_classifier/*/*")
    for age, name in enumerate(("old", "older", "oldest")):  # of which only the newest two others stay
        (progress.parent / name).mkdir()
        os.utime(progress.parent / name, (100 - age, 100 - age))
    kill_when(copies, killed, "train_classifier", "lenet", "seed0.epochs/last.ckpt")
    kept = {path.name for path in progress.parent.iterdir()}
    assert {progress.name, "old"} < kept
    assert len(kept) == 3
    set_params(killed / "params.yaml", {"training.digits.learning_rate": 0.001})
    done = run_stage(killed, "train_classifier", model="lenet")
    assert "seed0 was finished by an earlier run" in done.stderr
    assert "seed1 goes on from its last whole epoch" in done.stderr
    for first, second in zip(
        cell_folders(whole, "train_classifier", "lenet"), cell_folders(killed, "train_classifier", "lenet"), strict=True
    ):
        same(first, second)
    assert not progress.exists()

    # what it goes on from are the checkpoint's weights: with others there it ends elsewhere
    (checkpoint,) = marked.glob(".overgen/progress/train_classifier/*/*/seed1.epochs/last.ckpt")
    held = torch.load(checkpoint, weights_only=False)
    for values in held["state_dict"].values():
        values += 0.01
    torch.save(held, checkpoint)
    run_stage(marked, "train_classifier", model="lenet")
    for seed, unchanged in ((0, True), (1, False)):
        weights = f"models/digits/networks/lenet/seed{seed}.safetensors"
        assert filecmp.cmp(whole / weights, marked / weights, shallow=False) == unchanged

    # the same kill, then another learning rate: neither the finished member nor the half-trained one is reused
    set_params(copy / "params.yaml", {"training.digits.learning_rate": 0.002})
    done = run_stage(copy, "train_classifier", model="lenet")
    assert "was finished by an earlier run" not in done.stderr
    assert "goes on from" not in done.stderr
    weights = "models/digits/networks/lenet/seed0.safetensors"
    assert not filecmp.cmp(whole / weights, copy / weights, shallow=False)
