"""The pipeline's shape: stage = module = params section = outputs, deps = imports, and what DVC says would rerun."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from overgen.run import params

from conftest import ROOT, environment
from imports import closure

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def entries(stage: str, kind: str) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in STAGES[stage].get(kind, [])]


def test_stages_modules_and_sections_have_the_same_names() -> None:
    modules = {path.stem for path in (ROOT / "src/overgen/stages").glob("*.py")} - {"__init__"}
    assert set(STAGES) == modules
    assert set(STAGES) <= set(params.Params.model_fields)


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_runs_its_module_and_writes_its_folder(stage: str) -> None:
    assert STAGES[stage]["cmd"].startswith(f"python -m overgen.run stages.{stage} --dataset ${{item.dataset}}")
    outs = entries(stage, "outs")
    own = {
        "download": "data/${item.dataset}",
        "report": "reports/${item.dataset}",
        "report_rings": "reports/${item.dataset}",
    }.get(stage, "reports/cells/${item.dataset}/" + stage + "/${item.model}")
    assert own in outs
    assert all("${item.dataset}" in out for out in outs)
    if "model" in STAGES[stage]["matrix"]:
        assert all("${item.model}" in out for out in outs)


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_depends_on_all_code_it_imports(stage: str) -> None:
    code = {entry for entry in entries(stage, "deps") if entry.endswith(".py")}
    assert code == closure(f"overgen.stages.{stage}")


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_declares_the_section_of_its_name(stage: str) -> None:
    assert any(entry.split(".")[0] == stage for entry in STAGES[stage]["params"])


def test_the_report_declares_the_lists_it_walks() -> None:
    lists = {"classifiers", "autoencoders", "attacked", "evolved", "retrained_datasets", "openset_models"}
    lists |= {"oneclass_datasets", "oneclass_models", "scored_datasets", "variant_datasets", "variants"}
    assert lists | {"szegedy_datasets"} <= set(STAGES["report"]["params"])
    assert "reports/cells/${item.dataset}" in STAGES["report"]["deps"]


def test_training_does_not_know_how_it_is_judged() -> None:
    for stage in ("train_classifier", "train_autoencoder", "train_variants", "train_openset", "train_oneclass"):
        assert not any(entry.startswith(("confidence", "fool", "evaluate")) for entry in STAGES[stage]["params"])


def test_the_number_of_cells_stays_small() -> None:
    """dvc.lock is rewritten at every stage: the cost is quadratic."""
    assert len(cells("")) <= 150
    assert len([name for name in cells("") if "@digits" in name]) <= 40


def cells(prefix: str) -> list[str]:
    sections = params.load(ROOT / "params.yaml")

    def options(value: str | list[str]) -> list[str]:
        return getattr(sections, value.strip("${}")) if isinstance(value, str) else value

    names = []
    for stage, entry in STAGES.items():
        models = options(entry["matrix"].get("model", [""]))
        names += [f"{stage}@{d}" + (f"-{m}" if m else "") for d in options(entry["matrix"]["dataset"]) for m in models]
    return [name for name in names if name.startswith(prefix)]


def test_declared_params_are_those_that_dvc_shows() -> None:
    """params.py reads dvc.yaml without importing DVC; DVC's own answer, of several stages at once, is the oracle."""
    script = "import dvc.api, json, sys; print(json.dumps(dvc.api.params_show(stages=sys.argv[1:])))"
    names = ["train_classifier@mnist-cool", "fool_fgn@fashion_mnist-dae_sym", "report@digits"]
    done = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    shown = json.loads(done.stdout.splitlines()[-1])
    ours: dict[str, object] = {}
    for name in names:
        stage, item = name.split("@")
        values = dict(zip(("dataset", "model"), re.split("-", item), strict=False))
        for key, value in params.declared(stage, root=ROOT, **values).values().items():
            section = ours
            *parents, last = key.split(".")
            for parent in parents:
                section = section.setdefault(parent, {})  # type: ignore[assignment]
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


def would_run(clone: Path, *targets: str) -> set[str]:
    command = ["dvc", "repro", "--allow-missing", "--dry", *targets]
    done = subprocess.run(command, cwd=clone, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"Running stage '([^']+)'", done.stdout))


def test_a_fresh_clone_is_up_to_date(clone: Path) -> None:
    """Code, params, cells and dvc.lock of the last commit agree; digits are run by every clone itself."""
    datasets = params.load(ROOT / "params.yaml").datasets
    assert would_run(clone, *(f"report@{dataset}" for dataset in datasets if dataset != "digits")) == set()


def test_what_a_changed_parameter_makes_stale(clone: Path) -> None:
    """DVC's own answer, by its status: the stages whose declared parameters differ from dvc.lock.

    One status of two changes, which meet in no stage but those of reports: with another α on MNIST nothing is trained
    and no other data set touched; with another ω only COOL is (what follows is stale by its weights).
    """
    path = clone / "params.yaml"
    text = path.read_text()
    threshold, model = "\n  mnist: {beta: 10, thresholds: [{tau: 0.9, alpha: 20", "\n  cool: {network: cool, omega: 10"
    changed = text.replace(threshold, threshold[:-2] + "21").replace(model, model[:-2] + "9")
    path.write_text(changed)
    try:
        stale = stale_params(clone)
    finally:
        path.write_text(text)
    alpha = {"fool_fgn", "fool_variants", "fool_gradient", "fool_evolution", "evaluate_openset", "evaluate_confidence",
             "evaluate_fooling", "evaluate_oneclass", "evaluate_scores", "search_choices",
             "collect_fooling"}  # fmt: skip
    omega = {"train_classifier", "train_openset", "train_oneclass"}
    assert {name for name in stale if name.split("@")[0] in alpha} == {
        name for stage in alpha for name in cells(stage + "@mnist")
    }
    cool = {name for stage in omega for name in cells(stage) if name.endswith("-cool") and "@digits" not in name}
    assert {name for name in stale if name.split("@")[0] not in alpha} == cool | {
        "report@mnist",
        "report@fashion_mnist",
    }


def stale_params(clone: Path) -> set[str]:
    """Stages of the committed data sets whose parameters are not those of dvc.lock; digits are every clone's own."""
    done = subprocess.run(
        ["dvc", "status", "--json"], cwd=clone, env=environment(), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    return {
        name.removeprefix("dvc.yaml:")
        for name, changes in found.items()
        if "@digits" not in name
        and any(isinstance(c, dict) and "params.yaml" in c.get("changed deps", {}) for c in changes)
    }
