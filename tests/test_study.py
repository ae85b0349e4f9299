"""The whole study with tiny budgets under DVC: from nothing to the report, once more, and in clones."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from dvc.repo import Repo

from overgen.run.files import directory_md5, read_json
from overgen.run.pipeline import read_lock

from processes import environment, git, run_dvc
from workspace import Study, same

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """A clone of what is committed: neither data nor cache."""
    git(tmp_path, "clone", "-q", str(repository), "clone")
    return tmp_path / "clone"


def test_a_second_run_does_nothing(repository: Path) -> None:
    report = repository / "reports/digits"
    assert (report / "report.md").stat().st_size > 1000
    assert (report / "report.html").exists()
    # DVC would write a .gitignore into folders that the root's does not cover, and then hash it
    assert [p for p in repository.rglob(".gitignore") if ".dvc" not in p.parts] == [repository / ".gitignore"]
    assert run_dvc(repository, "repro", "report@digits") == set()


def test_dvc_shows_a_few_numbers_and_the_figures(repository: Path) -> None:
    """Of digits by name: they are run by each clone and not among those that dvc.yaml lists."""
    with contextlib.chdir(repository), Repo() as repo:
        shown = repo.metrics.show(targets=["reports/digits/summary.json"])[""]["data"]["reports/digits/summary.json"][
            "data"
        ]
        plots = repo.plots.show(targets=["reports/digits/figures"])
    assert shown == read_json(repository / "reports/digits/summary.json")
    assert shown["test_accuracy"]["cnn"] > 10
    assert any("fooling_images.png" in name for name in str(plots).split("'"))


ALONE = """
import json, sys
from overgen.run.stage import command
for stage, model in json.loads(sys.argv[1]).items():
    assert command([stage, "--dataset", "digits", "--model", model]) == 0
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_cells_side_by_side_are_those_of_one_cold_process(repository: Path, study: Study, tmp_path: Path) -> None:
    """The driver's processes, copies of one that has imported torch, write the bytes that a process writes which has
    imported nothing and runs one cell after another.

    Of a cell of each kind: trained alone or as one of many, attacked, evaluated by itself or after another model.
    """
    cells = {"train_classifier": "cnn", "train_openset": "dae_sym", "fool_gradient": "dae_sym",
             "fool_evolution": "cnn", "evaluate_confidence": "dae_sym", "evaluate_openset": "dae_sym"}  # fmt: skip
    alone = study.copy(tmp_path / "alone")
    outs = [out for stage, model in cells.items() for out in study.outs(stage, model)]
    assert len(outs) == 8  # of the cells, and the weights of the two that train
    for out in outs:
        shutil.rmtree(alone / out)
    command = [sys.executable, "-c", ALONE, json.dumps(cells)]
    done = subprocess.run(command, cwd=alone, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for out in outs:
        same(repository / out, alone / out)
    assert "torch" in done.stdout.split()
    assert {"mlflow", "dvc", "seaborn"}.isdisjoint(done.stdout.split())  # which take seconds


def test_numbers_can_be_traced_to_dvc_lock(repository: Path) -> None:
    """Every number's md5 is that of the cell that it names, which dvc.lock records, or the folder above."""
    lock = read_lock(repository / "dvc.lock")
    recorded = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    rows = pd.read_csv(repository / "reports/digits/reproduced.csv")
    assert len(rows) > 20
    for cell, md5 in zip(rows["cell"], rows["md5"], strict=True):
        assert directory_md5(repository / cell) == md5
        path = cell if cell in recorded else cell.rpartition("/")[0]
        assert recorded[path] == directory_md5(repository / path)


@pytest.mark.slow
def test_a_fresh_clone_with_a_remote_is_up_to_date(repository: Path, clone: Path, tmp_path: Path) -> None:
    """Push to a directory remote, pull: nothing is left to run; nor, with --allow-missing, before the pull."""
    remote = ["remote", "add", "-q", "-d", "--local", "store", str(tmp_path / "remote")]
    assert run_dvc(clone, "repro", "--allow-missing", "--dry", "report@digits") == set()
    for folder, command in ((repository, "push"), (clone, "pull")):
        run_dvc(folder, *remote)
        run_dvc(folder, command, "-q")
    assert (clone / "models/digits/openset/dae_sym/outputs.npz").exists()
    assert run_dvc(clone, "repro", "report@digits") == set()


def test_nothing_is_trained_again_in_a_clone_without_cache(clone: Path) -> None:
    """The published weights and outputs, of all seeds, are enough to attack: on any processor."""
    attacks = ("fool_fgn@digits-cnn", "fool_gradient@digits-dae_sym", "fool_variants@digits-dae_sym_l2_10")
    for attack in attacks:
        folder = clone / "models/digits/networks" / attack.partition("-")[2]
        assert (folder / "seed0.safetensors").exists()
        assert (folder / "outputs.npz").exists()
    assert run_dvc(clone, "repro", "--allow-missing", "--dry", *attacks) == set()  # data are missing only


LATER = """
import sys, time
from overgen import cli
from overgen.report import build
later = time.time() + 86_400 * 400
time.time = lambda: later  # a date in a file would show
build.cores = lambda: 1
sys.argv = ["overgen", "figures"]
cli.app()
"""


@pytest.mark.slow
def test_the_report_is_redrawn_from_the_cells_alone(repository: Path, clone: Path) -> None:
    """Without data and models, elsewhere, later and with one process at a time, `overgen figures` gives the bytes that
    the stage gave."""
    assert not (clone / "data").exists()
    shutil.rmtree(clone / "reports/digits")
    given = environment(PYTHONPATH=str(clone / "src"))
    done = subprocess.run([sys.executable, "-c", LATER], cwd=clone, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    same(repository / "reports/digits", clone / "reports/digits")
