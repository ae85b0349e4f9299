"""SVHN's own files as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.io import savemat

from overgen import OvergenError, data
from overgen.data import sources
from overgen.stages.download.params import HouseNumbers


def write(folder: Path, **changes: Any) -> dict[str, np.ndarray]:
    """Both files, tiny. Returns the images of each part, (H, W, 3, N)."""
    folder.mkdir(exist_ok=True)
    held = {}
    for part, count in (("train", 12), ("test", 10)):
        images = np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]
        savemat(folder / f"{part}_32x32.mat", {"X": images, "y": labels} | changes, do_compression=True)
        held[part] = images
    return held


def test_pixels_and_labels_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    held = write(tmp_path / "svhn")
    sources.prepare("svhn", "data/house", options={"path": str(tmp_path / "svhn")})
    dataset = data.load("house")
    assert dataset.classes == tuple("0123456789")
    assert dataset.shape == (3, 32, 32)
    assert dataset.train_labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    for i, channel, y, x in ((0, 0, 0, 0), (3, 1, 5, 30), (9, 2, 31, 7)):
        assert dataset.test_images[i, channel, y, x] == held["test"][y, x, channel, i]


def test_its_line_in_params_is_one_of_its_own() -> None:
    from overgen.stages.download.params import Download

    assert isinstance(TypeAdapter(Download).validate_python({"source": "svhn", "path": "svhn"}), HouseNumbers)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"X": np.zeros((32, 32, 12), np.uint8)}, r"train_32x32.mat: X is uint8 \(32, 32, 12\); it must be"),
        ({"y": np.zeros((12, 1), np.uint8)}, r"train_32x32.mat: y is from 0 to 0; it must hold the digits 1 to 9"),
        (
            {"y": np.ones((11, 1), np.uint8)},
            r"y is uint8 \(11, 1\); it must be whole numbers \(12, 1\)",
        ),
    ],
)
def test_another_form_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    write(tmp_path, **changes)
    with pytest.raises(OvergenError, match=says):
        sources.svhn(tmp_path)


def test_files_that_are_not_whole_are_named(tmp_path: Path) -> None:
    with pytest.raises(OvergenError, match=r"train_32x32.mat: missing; SVHN's cropped digits"):
        sources.svhn(tmp_path)
    write(tmp_path)
    whole = (tmp_path / "test_32x32.mat").read_bytes()
    for cut in (0, 60, 130, 5000, len(whole) - 20):
        (tmp_path / "test_32x32.mat").write_bytes(whole[:cut])
        with pytest.raises(OvergenError, match=r"test_32x32.mat: (not a whole MATLAB file|holds)"):
            sources.svhn(tmp_path)
    savemat(tmp_path / "train_32x32.mat", {"images": np.zeros(3)})
    with pytest.raises(OvergenError, match=r"holds images; X and y should be there"):
        sources.svhn(tmp_path)
