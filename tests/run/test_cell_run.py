"""What the MLflow run of a cell shows: its headline, curves, pictures, times and view."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overgen.run import cell_run, headline, results
from overgen.run.files import directory_md5
from overgen.stages.adopt import example as adopt

from mlflow_runs import make_cell
from processes import git


def rows(*values: tuple[str, float | None, float | None, int]) -> list[dict[str, object]]:
    return [results.row("fgn", name, value, unit="percent", n=n, tau=tau) for name, value, tau, n in values]


def test_the_headline_is_of_the_largest_threshold() -> None:
    of = rows(("fooling_rate", 100, 0.9, 30), ("fooling_rate", 40, 0.99, 30), ("mean_steps_to_fool", 7.6, 0.99, 12))
    assert headline.line("fool_fgn", of) == "fooled 12 of 30 at τ 0.99, in a mean of 8 updates"
    assert cell_run.metrics("fool_fgn", of) == {"fooled_percent": 40, "updates_percent": 7.6}


def test_what_does_not_exist_is_left_out() -> None:
    of = rows(("fooling_rate", 0, 0.99, 30), ("mean_steps_to_fool", None, 0.99, 0))
    assert headline.line("fool_fgn", of) == "fooled 0 of 30 at τ 0.99"
    assert headline.line("fool_fgn", []) == ""


def test_a_stage_that_names_nothing_tells_its_first_row() -> None:
    assert headline.line("mine", rows(("rate@known=3", 12.5, None, 8), ("other", 1, None, 8))) == "rate 12.5 %"


@pytest.mark.parametrize("path", sorted(Path(cell_run.__file__).parents[1].glob("stages/*/headline.py")), ids=str)
def test_the_headline_of_a_stage_names_rows_that_its_cells_have(path: Path, tmp_path: Path) -> None:
    """Of every committed cell the stage has something to say."""
    cells = sorted(Path(__file__).parents[2].glob(f"reports/cells/*/{path.parent.name}/*/metrics.json"))
    if path.parent.name == "adopt":  # no network from elsewhere is in the study
        adopt.example_cell(tmp_path / "digits/adopt/mine", np.random.default_rng(0))
        cells = [tmp_path / "digits/adopt/mine/metrics.json"]
    assert cells
    for cell in cells:
        assert headline.line(path.parent.name, json.loads(cell.read_text())["metrics"]), cell


def test_curves_of_several_networks_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text("network,epoch,loss,accuracy\na@1,0,0.5,0.0\nb,0,0.25,0.75\n")
    assert cell_run.curves(tmp_path) == [
        ("train/loss a_1", 0.5, 0), ("train/accuracy a_1", 0.0, 0),
        ("train/loss b", 0.25, 0), ("train/accuracy b", 0.75, 0),
    ]  # fmt: skip


def test_the_contact_sheet_shows_the_images_in_order(tmp_path: Path) -> None:
    images = np.stack([np.full((28, 28), i / 20, np.float32) for i in range(13)])
    results.write(tmp_path / "mnist/x/cnn", budget={}, metrics=[], examples={"image": images.reshape(1, 13, 28, 28)})
    sheet = cell_run.contact_sheet(tmp_path / "mnist/x/cnn")
    assert sheet is not None
    pixels = np.asarray(Image.open(io.BytesIO(sheet)))[::2, ::2]
    assert pixels.shape == (2 * 30 + 2, 10 * 30 + 2)
    assert [pixels[15, 15 + 30 * i] for i in (0, 9)] == [0, round(255 * 9 / 20)]
    assert pixels[45, 75] == round(255 * 12 / 20)


def test_names_of_members() -> None:
    assert cell_run.member_name("mnist/cnn", "seed0-y-2") == "mnist/cnn: seed 0, y, no. 2"


def test_times_are_of_the_work_else_of_the_commit_else_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path()
    computed, committed, changed = (make_cell(root, model) for model in ("a", "b", "c"))
    git(root, "init", "-q")
    git(root, "add", "reports")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    git(root, "commit", "-q", "-m", "x")
    head = git(root, "rev-parse", "HEAD").strip()
    (changed / "metrics.json").write_text("{}")
    os.utime(changed / "metrics.json", (5.0, 5.0))
    cell_run.note_time(directory_md5(computed), 10, 20, root)
    times = cell_run.Times(root)
    found = [times.of(cell, directory_md5(cell)) for cell in (computed, committed, changed)]
    assert [(when.start, when.end, commit) for when, commit in found] == [
        (10, 20, head), (1_700_000_000_000, 1_700_000_000_000, head), (5_000, 5_000, ""),
    ]  # fmt: skip
    assert len({when.known for when, _ in found}) == 3


def test_times_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("git")))
    cell = make_cell(Path())
    when, commit = cell_run.Times(Path()).of(cell, "")
    assert commit == ""
    assert when.start == int(1000 * (cell / "metrics.json").stat().st_mtime)


def test_a_view_holds_the_columns_that_it_was_given() -> None:
    state = json.loads(json.loads(cell_run.view(["fooled_percent", "updates"]))["state"])
    assert state["selectedColumns"][:2] == ["metrics.`fooled_percent`", "metrics.`updates`"]
    assert cell_run.columns_of(cell_run.view(["fooled_percent", "updates"])) == ["fooled_percent", "updates"]
    assert cell_run.columns_of("") == []


def test_a_cell_of_an_audit_is_remade_by_the_audit(tmp_path: Path) -> None:
    cell = tmp_path / "reports/cells/mine/adopt/net"
    cell.mkdir(parents=True)
    (cell / "metrics.json").write_text(json.dumps({"stage": "adopt", "metrics": [], "budget": {}}))
    (tmp_path / "dvc.yaml").write_text("stages: {code: {cmd: a}, adopt: {cmd: b}}\n")
    assert "`dvc repro adopt@mine-net`" in cell_run.description(cell, "adopt@mine-net")
    (tmp_path / "dvc.yaml").write_text("stages: {adopt: {cmd: b}}\n")
    assert "dvc repro" not in cell_run.description(cell, "adopt@mine-net")
    (tmp_path / "dvc.yaml").unlink()  # cells alone, which a study of some dvc.yaml has made
    assert "`dvc repro adopt@mine-net`" in cell_run.description(cell, "adopt@mine-net")
