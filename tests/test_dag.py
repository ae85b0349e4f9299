"""The pipeline's shape: stage = folder = section = cells, code = what runs, and what DVC says would rerun."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import dvc.api
import pytest
from dvc.repo import Repo

from overgen.run import code, imports, params, plans
from overgen.run.dvc_params import params_read_once
from overgen.run.pipeline import address, cells_of, filled, lists_of, read_lock, read_stages

from imports import closure
from processes import run_dvc
from workspace import ROOT, read_yaml, set_params, write_code

EVERY = read_stages(ROOT / "dvc.yaml")
STAGES = {name: entry for name, entry in EVERY.items() if "matrix" in entry}
VALUES = read_yaml(ROOT / "params.yaml")
TREE = imports.Tree(ROOT / "src")

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie


def entries(stage: str, kind: str) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in EVERY[stage].get(kind, [])]


def addresses(stage: str) -> list[str]:
    """What DVC calls the stages that make a stage's cells."""
    entry = STAGES[stage]
    return list(dict.fromkeys(address(stage, entry, item) for item in cells_of(entry, VALUES)))


def test_stages_folders_and_sections_have_the_same_names() -> None:
    folders = {path.parent.name for path in (ROOT / "src/overgen/stages").glob("*/run.py")}
    assert set(STAGES) == folders
    inside = {path.name for path in (ROOT / "src/overgen/stages").iterdir() if path.name != "__pycache__"}
    assert inside == folders | {"__init__.py"}
    assert set(EVERY) - set(STAGES) == {"code"}
    assert set(params.stage_folders()) == folders
    lists = {name for entry in STAGES.values() for name in lists_of(entry).values()}
    assert set(VALUES) <= folders | set(params.COMMON) | lists
    assert folders <= set(VALUES)


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_runs_its_folder_and_writes_its_cells(stage: str) -> None:
    matrix, lists = STAGES[stage]["matrix"], lists_of(STAGES[stage])
    options = "".join(f" --{name} ${{item.{name}}}" for name in matrix)
    joint = "model" in lists and "model" not in matrix
    if joint:
        assert lists["model"] in STAGES[stage]["params"]
        options += f" --models {lists['model']}"
    assert STAGES[stage]["cmd"] == f"python -m overgen.run {stage}{options}"
    outs = entries(stage, "outs")
    if "model" in matrix:
        assert outs[-1] == f"reports/cells/${{item.dataset}}/{stage}/${{item.model}}"
        assert all("${item.model}" in out for out in outs)
    elif joint:
        assert outs == [f"reports/cells/${{item.dataset}}/{stage}"]
    else:
        assert outs == [("data" if stage == "download" else "reports") + "/${item.dataset}"]
    assert all("${item.dataset}" in out for out in outs)


@pytest.mark.parametrize("stage", list(STAGES))
def test_what_a_stage_wrote_stays_until_its_successor_is_whole(stage: str) -> None:
    """DVC would remove an output before the stage runs, and a typo in params.yaml would cost the results."""
    outs = STAGES[stage]["outs"]
    assert all(isinstance(out, dict) and next(iter(out.values()))["persist"] is True for out in outs)


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_depends_on_all_code_that_it_imports(stage: str) -> None:
    """By a second, simpler reader of imports, and the sections' modules, which are found by name."""
    texts = code.texts(TREE, VALUES, EVERY, stage)
    by_model = set(texts) != {stage}
    (dependency,) = [path for path in entries(stage, "deps") if path.startswith(f".overgen/code/{stage}")]
    assert dependency == f".overgen/code/{stage}{'/${item.model}' * by_model}"
    of_cells = {dependency.removeprefix(".overgen/code/").replace("${item.model}", item.get("model", ""))
                for item in cells_of(STAGES[stage], VALUES)}  # fmt: skip
    assert set(texts) == (of_cells if by_model else {stage})  # one text is there even if no cell is
    python = {name for name in recorded(stage) if name.endswith(".py")}
    imported = closure(f"overgen.stages.{stage}.run", imports.LEFT_OUT)
    for key in STAGES[stage].get("params", []):
        imported |= closure(params.module_of(key.partition(".")[0]) or "overgen", imports.LEFT_OUT)
    left_out = {f"src/{name.replace('.', '/')}.py" for name in imports.LEFT_OUT}
    wanted = {name for name in imported if not only_words(ROOT / name)}
    assert wanted - left_out <= python
    assert not python & left_out


def recorded(stage: str) -> set[str]:
    """The files that `.overgen/code/<stage>` names, those of a user's own networks aside."""
    lines = code.of_stage(TREE, stage, VALUES, []).splitlines()
    return {str(Path(line.partition(" ")[2]).relative_to(ROOT)) for line in lines}


def only_words(path: Path) -> bool:
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the copy imports and ends
def test_a_stage_records_all_modules_that_python_loads_for_it() -> None:
    """In a copy of this process, where the libraries may be there already and overgen is not."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        with os.fdopen(writer, "w") as pipe:
            for stage in STAGES:
                for name in [name for name in sys.modules if name.partition(".")[0] == "overgen"]:
                    del sys.modules[name]
                importlib.import_module(f"overgen.stages.{stage}.run")
                modules = [module for name, module in sys.modules.items() if name.startswith("overgen.")]
                print(stage, *(module.__file__ for module in modules if module.__file__), file=pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = {stage: files for stage, *files in map(str.split, pipe)}
    os.waitpid(child, 0)
    assert set(said) == set(STAGES)
    left_out = {f"src/{name.replace('.', '/')}.py" for name in imports.LEFT_OUT}
    for stage, files in said.items():
        loaded = {str(Path(file).relative_to(ROOT)) for file in files if not only_words(Path(file))}
        assert loaded
        assert loaded - left_out <= recorded(stage), stage


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_declares_the_section_of_its_name(stage: str) -> None:
    assert any(entry.split(".")[0] == stage for entry in STAGES[stage]["params"])


def test_a_report_depends_on_the_plan_of_its_data_set() -> None:
    """Which names the cells and all that they declare: a list or a value that the report shows makes it stale."""
    for stage in ("report", "report_page"):
        assert {".overgen/code/plans/${item.dataset}", "reports/cells/${item.dataset}"} <= set(STAGES[stage]["deps"])
    plan = plans.plans(ROOT)["mnist"]
    assert plan.cells["fool_fgn"] == VALUES["attacked"]
    assert list(plan.cells) == [stage for stage in STAGES if stage in plan.cells]
    declared = params.declared("fool_fgn", root=ROOT, dataset="mnist", model="cool").values()
    assert declared.items() <= plan.settings.items()
    assert "fool_fgn.digits.trials" not in plan.settings
    assert set(code.texts(TREE, VALUES, EVERY)).isdisjoint(plans.plan_texts(ROOT))


def test_a_plan_knows_which_weights_git_does_not_hold() -> None:
    """By .gitignore: what a section rests on is not in Git where a line there leaves it out."""
    left_out = re.findall(r"(?m)^/(models/\*/.*)/$", (ROOT / ".gitignore").read_text())
    assert len(left_out) >= 4
    for dataset, plan in plans.plans(ROOT).items():
        for stage, models in plan.cells.items():
            deps = [
                dep for model in models for dep in filled(STAGES[stage], {"dataset": dataset, "model": model})["deps"]
            ]
            lacking = any(fnmatch(dep, pattern) or fnmatch(dep, f"{pattern}/*") for dep in deps for pattern in left_out)
            assert bool(plan.not_in_git.get(stage)) == lacking, (dataset, stage)
    plan = plans.plans(ROOT)["mnist"]
    assert plan.not_in_git["evaluate_scores"] == ["train_openset"]
    assert plan.not_in_git["evaluate_controls"] == ["train_controls"]  # which reads the folder of all models


def test_training_does_not_know_how_it_is_judged() -> None:
    training = [stage for stage in STAGES if stage.startswith("train_")]
    assert len(training) >= 5
    for stage in training:
        assert not any(entry.startswith(("confidence", "fool", "evaluate")) for entry in STAGES[stage]["params"])


def test_dvc_has_few_stages() -> None:
    """It reads and hashes dvc.lock at every run."""
    names = [name for stage in STAGES for name in addresses(stage)]
    assert len(names) <= 240
    assert len([name for name in names if "@digits" in name]) <= 62


def test_the_lock_has_every_cell_and_stays_short() -> None:
    lock = read_lock(ROOT / "dvc.lock")
    assert set(lock) - {"code"} == {name for stage in STAGES for name in addresses(stage)}
    assert len((ROOT / "dvc.lock").read_text().splitlines()) <= 61 * len(lock)  # DVC writes all of it after each stage


def test_declared_params_are_those_that_dvc_shows() -> None:
    """params.py reads dvc.yaml without importing DVC; DVC's own answer, of several stages at once, is the oracle."""
    names = ["train_classifier@mnist-cool", "fool_fgn@fashion_mnist-dae_sym", "report@digits"]
    shown = dvc.api.params_show(stages=names, repo=str(ROOT))
    ours: dict[str, Any] = {}
    for name in names:
        stage, item = name.split("@")
        values = dict(zip(("dataset", "model"), item.split("-"), strict=False))
        for key, value in params.declared(stage, root=ROOT, **values).values().items():
            section = ours
            *parents, last = key.split(".")
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
    assert with_defaults(ours, shown) == shown


def with_defaults(ours: object, shown: object) -> object:
    """Ours without the values that params.yaml leaves at their defaults, which DVC does not see."""
    if isinstance(ours, dict) and isinstance(shown, dict):
        assert set(shown) <= set(ours)
        return {key: with_defaults(value, shown[key]) for key, value in ours.items() if key in shown}
    if isinstance(ours, list) and isinstance(shown, list) and len(ours) == len(shown):
        return [with_defaults(*pair) for pair in zip(ours, shown, strict=True)]
    return ours


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of the committed state: neither data nor cache."""
    path = tmp_path_factory.mktemp("clone") / "overgen"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(path)], check=True, capture_output=True)
    return path


def test_a_fresh_clone_is_up_to_date(clone: Path) -> None:
    """Code, params, cells and dvc.lock of the last commit agree; digits are run by every clone itself."""
    write_code(clone, known=ROOT)  # as the stage `code` does, which runs first
    others = [dataset for dataset in VALUES["datasets"] if dataset != "digits"]
    with params_read_once():
        reports = [f"report@{dataset}" for dataset in others]
        assert run_dvc(clone, "repro", "--allow-missing", "--dry", *reports) == set()
        assert run_dvc(clone, "repro", "--dry", "-s", "-f", *reports) == set(reports)  # else nothing could be seen


def test_a_new_file_of_ones_own_makes_nothing_stale(clone: Path) -> None:
    """In a fresh clone, too: no stage depends on the folder, and no text of what one runs names the file."""
    assert not any("src/own" in dependency for entry in STAGES.values() for dependency in entry.get("deps") or [])
    write_code(clone, known=ROOT)
    before = {path: path.read_bytes() for path in (clone / ".overgen/code").rglob("*") if path.is_file()}
    assert len(before) > len(STAGES)
    new = clone / "src/own/new.py"
    new.write_text("from overgen.models import Output\n\n\nclass New: ...\n")
    try:
        write_code(clone, known=ROOT)
    finally:
        new.unlink()
    assert {path: path.read_bytes() for path in (clone / ".overgen/code").rglob("*") if path.is_file()} == before


def test_what_a_changed_parameter_makes_stale(clone: Path) -> None:
    """DVC's own answer, by its status: the stages whose declared parameters differ from dvc.lock.

    One status of two changes, which meet in no stage: with another α on MNIST nothing is trained and no other data set
    touched; with another ω only COOL is (what follows is stale by its weights, and a report by its plan).
    """
    path = clone / "params.yaml"
    text = path.read_text()
    thresholds = [dict(pair) for pair in VALUES["confidence"]["mnist"]["thresholds"]]
    thresholds[0]["alpha"] += 1
    set_params(path, {"confidence.mnist.thresholds": thresholds, "models.cool.omega": 9})
    try:
        stale = stale_params(clone)
    finally:
        path.write_text(text)
    kinds = ("fool_", "evaluate_", "explore_", "attack_", "defend_")
    alpha = {stage for stage in STAGES if stage.startswith(kinds) and reads(stage, "confidence")}
    alpha |= {"search_choices", "collect_fooling"}
    assert alpha >= {"fool_fgn", "fool_variants", "fool_gradient", "fool_evolution", "evaluate_openset",
                     "evaluate_confidence", "evaluate_fooling", "evaluate_oneclass", "evaluate_scores"}  # fmt: skip
    assert {name for name in stale if name.split("@")[0] in alpha} == {
        name for stage in alpha for name in addresses(stage) if "@mnist" in name
    }
    trained = ("train_classifier", "train_openset", "train_controls", "train_oneclass")
    cool = {name for stage in trained for name in addresses(stage) if name.endswith("-cool") and "@digits" not in name}
    assert {name for name in stale if name.split("@")[0] not in alpha} == cool | {"code"}  # which reads the whole file


def reads(stage: str, section: str) -> bool:
    return any(key.partition(".")[0] == section for key in STAGES[stage]["params"])


def stale_params(clone: Path) -> set[str]:
    """Stages of the committed data sets whose parameters are not those of dvc.lock; digits are every clone's own."""
    with contextlib.chdir(clone), params_read_once(), Repo() as repo:
        status = repo.status()
    return {
        name.removeprefix("dvc.yaml:")
        for name, changes in status.items()
        if "@digits" not in name
        and any(isinstance(c, dict) and "params.yaml" in c.get("changed deps", {}) for c in changes)
    }
