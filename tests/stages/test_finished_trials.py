"""A variant that is added for one network costs its own trials: those that the cell has already stand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from overgen.attacks import fgn
from overgen.run.files import directory_md5, read_npz
from overgen.run.pipeline import read_stages, read_yaml, stage_entry

from workspace import Study, inside, run_stage, set_params

CELL = "reports/cells/digits/fool_fgn"
LR, INPUT, CLIP = {"learning_rate": 1e-3}, {"input": "uniform"}, {"clip": 1e-3}


def md5(path: Path) -> str:
    return directory_md5(path) if path.is_dir() else hashlib.md5(path.read_bytes()).hexdigest()


def record(workspace: Path, model: str) -> None:
    """What DVC writes into dvc.lock after a run of fool_fgn on a model."""
    with inside(workspace):
        item = {"dataset": "digits", "model": model}
        entry = stage_entry("fool_fgn", item)
        outs = [next(iter(out)) for out in read_stages()["fool_fgn"]["outs"]]
        outs = [out.replace("${item.dataset}", "digits").replace("${item.model}", model) for out in outs]
        values, _ = read_yaml("params.yaml")
        params = {}
        for key in entry["params"]:
            value: Any = values
            for part in key.split("."):
                value = value[part]
            params[key] = value
        recorded = {kind: [{"path": path, "hash": "md5", "md5": md5(Path(path))} for path in paths]
                    for kind, paths in (("deps", entry["deps"]), ("outs", outs))}  # fmt: skip
        lock = {"schema": "2.0", "stages": {f"fool_fgn@digits-{model}": {"params": {"params.yaml": params}} | recorded}}
        Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))


PASSAGES: dict[str, Any] = {}


@pytest.fixture
def each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of attacks with the same network, trials and options one is run: for tests that only count them."""
    run: Callable[..., Any] = fgn.attack

    def attack(network: Any, targets: Any, generators: Any, trainer: Any, **options: Any) -> Any:
        weights = [float(parameter.double().square().sum()) for parameter in network.parameters()]
        key = repr((weights, targets, [drawn.initial_seed() for drawn in generators], sorted(options.items())))
        if key not in PASSAGES:
            PASSAGES[key] = run(network, targets, generators, trainer, **options)
        return PASSAGES[key]

    monkeypatch.setattr(fgn, "attack", attack)


@pytest.fixture
def attacked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of each block that is attacked from now on."""
    seen: list[dict[str, Any]] = []
    run: Callable[..., Any] = fgn.attack
    monkeypatch.setattr(fgn, "attack", lambda *a, **options: seen.append(options) or run(*a, **options))
    return seen


def workspace_of(study: Study, path: Path, model: str) -> Path:
    study.cell("fool_fgn", model)
    copy = study.copy(path)
    record(copy, model)
    return copy


def tried(workspace: Path, model: str, **own: object) -> None:
    set_params(workspace / "params.yaml", {f"fool_fgn.digits.models.{model}": own})
    run_stage(workspace, "fool_fgn", model=model)


def alike(first: Path, second: Path) -> None:
    """Two cells hold the same bytes, but for the last digits of scores: images are scored again side by side, and on
    some processors (an EPYC without AVX-512) the rounding of a float32 score depends on how many they are."""
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    for name in set(names) - {"trials.csv", "successes.npz"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    tables = [pd.read_csv(folder / "trials.csv") for folder in (first, second)]
    arrays = [read_npz(folder / "successes.npz") for folder in (first, second)]
    scores = [column for column in tables[0] if column.startswith("score")]
    pd.testing.assert_frame_equal(*(table.drop(columns=scores) for table in tables), check_exact=True)
    pd.testing.assert_frame_equal(*(table[scores] for table in tables), rtol=1e-6)
    assert set(arrays[0]) == set(arrays[1])
    for key, array in arrays[0].items():
        if key == "score":
            np.testing.assert_allclose(array, arrays[1][key], rtol=1e-6)
        else:
            np.testing.assert_array_equal(array, arrays[1][key])


@pytest.mark.parametrize(
    ("model", "own", "fresh"),
    [
        ("cnn", {"variants": [INPUT, LR, CLIP]}, ["uniform", "normal"] * 2),  # of two seeds
        ("cnn", {}, []),
        ("dae_sym", {"scaled": [20, 3], "variants": [INPUT]}, ["normal", "uniform"]),
        ("dae_sym", {"variants": [INPUT]}, ["uniform"]),
    ],
)
def test_what_was_tried_already_stands(
    study: Study, tmp_path: Path, attacked: list[dict[str, Any]], model: str, own: dict[str, Any], fresh: list[str]
) -> None:
    """The cell is the one that a run of everything gives."""
    added, whole = (workspace_of(study, tmp_path / name, model) for name in ("added", "whole"))
    attacked.clear()
    tried(added, model, **own)
    assert [options["input"] for options in attacked] == fresh
    (whole / "dvc.lock").unlink()
    tried(whole, model, **own)
    assert len(attacked) > 2 * len(fresh)
    alike(added / CELL / model, whole / CELL / model)


@pytest.mark.usefixtures("each_once")
@pytest.mark.parametrize("change", ["nothing", "updates", "code", "weights", "cell", "lock"])
def test_where_anything_else_changed_all_is_run_again(
    study: Study, tmp_path: Path, attacked: list[dict[str, Any]], change: str
) -> None:
    workspace = workspace_of(study, tmp_path / "copy", "cnn")
    if change == "updates":
        set_params(workspace / "params.yaml", {"fool_fgn.digits.updates": 4})
    elif change == "code":
        (workspace / ".overgen/code/fool_fgn/cnn").write_text("other\n")
    elif change == "weights":
        (workspace / "models/digits/networks/cnn/more").touch()
    elif change == "cell":
        (workspace / CELL / "cnn/trials.csv").write_text("other\n")
    elif change == "lock":
        (workspace / "dvc.lock").unlink()
    attacked.clear()
    tried(workspace, "cnn", variants=[LR] if change == "nothing" else [LR, INPUT])  # nothing: as `dvc repro --force`
    assert len(attacked) == (4 if change == "nothing" else 6)  # attacks on two seeds
