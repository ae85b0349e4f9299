"""The stage download: its mirror, its errors and its imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overgen import OvergenError, data
from overgen.run.stage import execute

from workspace import ROOT


def test_stage_takes_the_mirror_from_the_environment(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERGEN_MIRROR", str(mirror))
    as_in_the_repository(Path())
    execute("download", dataset="mnist")
    assert len(data.load("mnist").train_labels) == 30


def own_data_set(line: str) -> None:
    """A project whose params.yaml has a data set `own` more, with one line under `download`."""
    as_in_the_repository(Path())
    path = Path("params.yaml")
    text = path.read_text()
    text = re.sub(r"^datasets: \[", "datasets: [own, ", text, flags=re.MULTILINE)
    path.write_text(text.replace("\ndownload:\n", f"\ndownload:\n  own: {line}\n"))


def test_a_data_set_of_ones_own_needs_a_line_of_yaml_only(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 1)):
        for name in "ab":
            for i in range(count):
                path = tmp_path / f"pictures/{part}/{name}/{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(path)
    own_data_set(f"{{source: image_folder, path: {tmp_path}/pictures, shape: [3, 6, 8], classes: [a, b, c]}}")
    execute("download", dataset="own")
    dataset = data.load("own")
    assert dataset.shape == (3, 6, 8)
    assert dataset.classes == ("a", "b", "c")
    assert (len(dataset.train_labels), len(dataset.test_labels)) == (6, 2)
    numbers = np.array([7, 9, 7])
    np.savez("own.npz", x_train=random.integers(0, 256, (3, 4, 5), dtype=np.uint8), y_train=numbers,
             x_test=random.integers(0, 256, (3, 4, 5), dtype=np.uint8), y_test=numbers)  # fmt: skip
    own_data_set("{source: npz, path: own.npz, transpose: true}")
    execute("download", dataset="own")
    assert data.load("own").shape == (1, 5, 4)
    assert data.load("own").classes == ("7", "9")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{source: image_folder}", "download.own.path: Field required"),
        ("{source: image_folder, path: a, shpe: [1, 2, 2]}", "download.own.shpe: Extra inputs are not permitted"),
        ("{source: image_folder, path: a, shape: [2, 8, 8]}", "download.own.shape: must be [channels, height, width]"),
        ("{source: image_folder, path: a, shape: [8, 8]}", "download.own.shape: List should have at least 3 items"),
        ("{source: image_folder, path: a, fit: fill}", "download.own.fit: Input should be 'pad', 'crop' or 'stretch'"),
        ("{source: idx, path: a, shape: [1, 8, 8]}", "download.own.shape: Extra inputs are not permitted"),
        ("{source: mnist, path: a}", "download.own.path: Extra inputs are not permitted"),
        ("{source: mnits}", "unknown data set 'mnits'; known: digits, mnist, fashion_mnist"),
        ("{source: image_folder, path: nowhere}", "nowhere: missing; a folder or zip file of pictures is expected"),
    ],
)
def test_lines_that_do_not_fit_are_named(line: str, message: str) -> None:
    own_data_set(line)
    with pytest.raises(OvergenError) as caught:
        execute("download", dataset="own")
    assert message in str(caught.value)
    assert not Path("data/own").exists()


def as_in_the_repository(folder: Path) -> None:
    """Put the files there that every stage reads, and the code that runs."""
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).write_text((ROOT / name).read_text())
    if not (folder / "src").exists():
        (folder / "src").symlink_to(ROOT / "src")


def test_stage_fails_without_a_traceback_and_imports_only_what_it_uses() -> None:
    as_in_the_repository(Path())
    code = (
        "import sys, runpy; import overgen.data;"
        "heavy = {'torchvision', 'sklearn', 'pytorch_lightning', 'PIL', 'pandas'};"
        "print(*sorted(heavy & sys.modules.keys()));"
        "sys.argv = ['overgen.run', 'download', '--dataset', 'minst'];"
        "runpy.run_module('overgen.run', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.strip() == ""
    assert done.stderr.startswith("error: dataset 'minst' is unknown to stage download; params.yaml has digits, mnist")
    assert "Traceback" not in done.stderr
