"""A study of one's own is one folder and ten lines of YAML: the example of the docs, run, and found in the report."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from overgen.run.files import directory_md5
from overgen.run.pipeline import read_lock

from processes import git, run_dvc, run_overgen
from workspace import ROOT

SECTION = (ROOT / "docs/extending.md").read_text().split("## Your own study\n")[1].split("\n## ")[0]
FOLDER = {
    "run.py": '''"""How many images a network labels right."""

from overgen import data
from overgen.models import registry
from overgen.run import results


def main(stage):
    source = data.load(stage.item["dataset"])
    network, metadata = registry.trained(source.name, stage.item["model"])
    n = stage.params("explore_mine").images
    right = network(data.floats(source.test_images[:n])).log_y.argmax(1) == source.test_labels[:n]
    row = results.rate_row("mine", "labelled_right", [int(right.sum())], n, of="images")
    results.write(stage.cell, budget=metadata["budget"], metrics=[row])
''',
    "params.py": '''"""The section `explore_mine` of params.yaml."""

from overgen.run.sections import Count, Section


class ExploreMine(Section):
    images: Count


SECTION = ExploreMine
''',
    "report.py": '''"""What the study shows in the report."""

from overgen.report.tables import by_metric


def mine(study):
    return by_metric("mine", study.rows(experiment="mine"))


TABLES = (mine,)
''',
    "section.md.j2": "## A question of mine\n\nThat nobody asked before.\n\n{{ mine }}\n",
}


# Figures are made but not rendered, which takes longest: none is of the new study.
UNDRAWN = """
from PIL import Image

def save(figure: Figure, folder: Path, name: str, *, dpi: int) -> None:
    Image.new("L", (2, 2)).save(folder / f"{name}.png")
    (folder / f"{name}.svg").write_text('<svg width="300pt"/>')
    plt.close(figure)
"""


@pytest.mark.slow
def test_a_study_is_one_folder_and_ten_lines(repository: Path, tmp_path: Path) -> None:
    """Its cells and the report are all that runs; no other cell becomes stale."""
    path = Path(shutil.copytree(repository, tmp_path / "overgen", ignore=shutil.ignore_patterns("tmp")))
    assert run_dvc(path, "repro", "--dry", "report@digits") == set()
    before = read_lock(path / "dvc.lock")

    folder = path / "src/overgen/stages/explore_mine"
    folder.mkdir()
    for name, text in FOLDER.items():
        (folder / name).write_text(text)
    lines = re.search(r"```yaml\n(.*?)```", SECTION, re.DOTALL)[1]  # type: ignore[index]
    stages = (path / "dvc.yaml").read_text()
    (path / "dvc.yaml").write_text(stages.replace("\n  report:\n", f"\n{lines}\n  report:\n"))
    with (path / "params.yaml").open("a") as file:
        file.write("explore_mine: {images: 50}\n")
    touched = git(path, "status", "--porcelain", "--untracked-files=all").split("\n")[:-1]
    files = [f"?? src/overgen/stages/explore_mine/{name}" for name in FOLDER]
    assert sorted(touched) == sorted([" M dvc.yaml", " M params.yaml", *files])
    assert len(lines.splitlines()) + 1 <= 11
    with (path / "src/overgen/report/style.py").open("a") as file:
        file.write(UNDRAWN)

    said = run_overgen(path, "reproduce", "report@digits")
    mine = {f"explore_mine@digits-{model}" for model in ("cnn", "dae_sym")}
    assert set(re.findall(r"^Stage '([^']+)' took", said, re.M)) - {"code"} == mine | {"report@digits"}
    after = read_lock(path / "dvc.lock")
    assert after.keys() - before.keys() == mine
    assert {name for name in before if before[name] != after[name]} == {"code", "report@digits"}

    report = path / "reports/digits"
    text = (report / "report.md").read_text()
    assert "\n## A question of mine\n\nThat nobody asked before.\n" in text
    assert (report / "tables/mine.md").read_text().strip() in text
    assert "A question of mine" in (report / "report.html").read_text()
    numbers = pd.read_csv(report / "reproduced.csv").query("experiment == 'mine'").set_index("model")
    assert set(numbers.index) == {"cnn", "dae_sym"}
    for model, row in numbers.iterrows():
        cell = f"reports/cells/digits/explore_mine/{model}"
        assert (row["cell"], row["md5"], row["n"]) == (cell, directory_md5(path / cell), 50)
        assert f"| {row['reproduced']:.1f}" in (report / "tables/mine.md").read_text()

    # An edit of dvc.yaml alone, which DVC takes for no dependency of a stage.
    text = (path / "dvc.yaml").read_text()
    (path / "dvc.yaml").write_text(text.replace(lines, lines.replace('"${attacked}"', "[cnn]")))
    said = run_overgen(path, "reproduce", "report@digits")
    assert set(re.findall(r"^Stage '([^']+)' took", said, re.M)) - {"code"} == {"report@digits"}
    assert set(pd.read_csv(report / "reproduced.csv").query("experiment == 'mine'")["model"]) == {"cnn"}
