"""Several processes share the members of a cell: the bytes are those of one."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from overgen.run import tracking
from overgen.run.files import write_npz
from overgen.run.stage import Stage

from workspace import ROOT, Copies, Study, cell_folders, make_workspace, run_stage, same


def test_two_processes_give_the_same_bytes_as_one(tmp_path: Path, digits: Path, copies: Copies) -> None:
    """gloo, one thread each, started by Lightning and by torchrun: rank 1 trains the second member as if alone.

    Lightning starts rank 1 cold. torchrun's ranks are copies of it, and it is a copy of this process.
    """
    changes = {"classifiers": ["cnn", "lenet"], "train_classifier.digits": {"epochs": 2, "seeds": [0, 1]}}
    one, two, three = (make_workspace(tmp_path / name, digits, **changes) for name in ("one", "two", "three"))
    run_stage(one, "train_classifier", model="lenet")
    devices = {"OVERGEN_ACCELERATOR": "cpu", "OVERGEN_DEVICES": "2"}
    by_lightning = copies.stage(two, "train_classifier", model="lenet", **devices).wait()
    page = (ROOT / "docs/running.md").read_text()
    (command,) = re.findall(r"^    OVERGEN_DEVICES=2 torchrun (.* -m overgen\.run .*)$", page, re.M)
    command = command.replace(
        "-m overgen.run", f"--start-method fork --run-path {ROOT / 'src/overgen/run/__main__.py'}"
    )
    arguments = command.replace("mnist", "digits").replace("cnn", "lenet").split()
    by_torchrun = copies.program("torch.distributed.run", arguments, folder=three, **devices).wait()
    for workspace, done in ((two, by_lightning), (three, by_torchrun)):
        assert done.returncode == 0, done.stderr
        assert "rank 0 of 2 is done" in done.stderr
        assert "rank 1 of 2 is done" in done.stderr
        for first, second in zip(
            cell_folders(one, "train_classifier", "lenet"),
            cell_folders(workspace, "train_classifier", "lenet"),
            strict=True,
        ):
            same(first, second)


def test_two_processes_stay_together_for_the_cells_of_several_models(
    tmp_path: Path, study: Study, copies: Copies
) -> None:
    """And the cells are those of one process."""
    study.cell("train_classifier", "cnn")
    study.cell("train_autoencoder", "dae_sym")
    workspace = study.copy(tmp_path / "copy")
    cells = workspace / "reports/cells/digits/evaluate_confidence"
    shutil.rmtree(cells, ignore_errors=True)
    (cells / "dropped").mkdir(parents=True)  # of a model that params.yaml no longer names
    arguments = ["--nproc-per-node", "2", "--start-method", "fork", "--run-path",
                 str(ROOT / "src/overgen/run/__main__.py"), "evaluate_confidence", "--dataset", "digits",
                 "--models", "attacked"]  # fmt: skip
    devices = {"OVERGEN_ACCELERATOR": "cpu", "OVERGEN_DEVICES": "2"}
    done = copies.program("torch.distributed.run", arguments, folder=workspace, **devices).wait()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("rank 1 of 2 is done") == 2
    assert {path.name for path in cells.iterdir()} == {"cnn", "dae_sym"}
    for model in ("cnn", "dae_sym"):
        same(study.cell("evaluate_confidence", model), cells / model)


def test_ranks_take_whole_chunks_and_ask_only_for_what_is_missing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    monkeypatch.setattr("torch.distributed.barrier", lambda: None)
    names, asked = ["a", "b", "c", "d"], []

    def arrays(i: int) -> dict[str, np.ndarray]:
        asked.append(i)
        return {"x": np.array(10 * i)}

    def compute(chunk: Any, runs: Any) -> list[Any]:
        assert len(runs) == len(chunk)
        return [partial(arrays, i) for i in chunk]

    with tracking.run("train_classifier", "digits", "cnn", params={}) as run:
        declared: Any = None
        ranks = [Stage("train_classifier", {}, declared, tmp_path, None, rank, 2, run) for rank in (0, 1)]
    write_npz(tmp_path / "b.npz", x=np.array(10))  # its chunk was killed between two files
    assert ranks[1].chunks(names, [[2, 1], [3, 0]], compute) == []
    assert asked == [3, 0]
    found = ranks[0].chunks(names, [[2, 1], [3, 0]], compute)
    assert asked == [3, 0, 2]
    assert [int(member["x"]) for member in found] == [0, 10, 20, 30]
