"""Silhouettes from the package animal-mnist, and pickles that are not read."""

from __future__ import annotations

import collections
import gzip
import pickle
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from overgen import OvergenError
from overgen.data import animals


def pickled(path: Path, value: Any) -> Path:
    path.write_bytes(gzip.compress(pickle.dumps(value, 4)))
    return path


@pytest.mark.parametrize(
    "array", [np.arange(12, dtype=np.uint8).reshape(3, 4), np.linspace(0, 1, 5), np.arange(6).reshape(2, 3).T]
)
def test_arrays_of_numbers_are_read(tmp_path: Path, array: np.ndarray) -> None:
    held = animals.read_pickled_array(pickled(tmp_path / "array.gz", array))
    assert held.dtype == array.dtype
    np.testing.assert_array_equal(held, array)


def test_anything_else_is_named_and_not_run(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    class Saves:
        def __reduce__(self) -> Any:
            return np.savetxt, (str(tmp_path / "ran"), [1.0])

    for value, says in (
        (Saves(), "asks for numpy.*savetxt.*no NumPy array"),  # NumPy's functions write files, too
        (Runs(), "asks for .*Path.*no NumPy array"),
        (collections.Counter("ab"), "asks for collections.Counter"),
        (np.array([collections.Counter("ab")], object), "asks for collections.Counter"),
        (np.array(["a", None], object), "holds an array of object"),
        ({"a": 1}, "holds dict"),
    ):
        with pytest.raises(OvergenError, match=says):
            animals.read_pickled_array(pickled(tmp_path / "other.gz", value))
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    with pytest.raises(OvergenError, match=r"array.gz: missing"):
        animals.read_pickled_array(tmp_path / "array.gz")
    whole = pickled(tmp_path / "array.gz", np.arange(1000)).read_bytes()
    for content in (b"", whole[:20], whole[:-9], gzip.compress(pickle.dumps(np.arange(1000), 4)[:300])):
        (tmp_path / "array.gz").write_bytes(content)
        with pytest.raises(OvergenError, match=r"array.gz: not a whole gzipped pickle"):
            animals.read_pickled_array(tmp_path / "array.gz")


def test_a_package_with_other_images_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is of the shape, the type and the order that are known gets the names of animals."""
    (tmp_path / animals.FILES["data"]).parent.mkdir(parents=True)
    package = SimpleNamespace(locate_file=tmp_path.joinpath, version="9")
    monkeypatch.setattr(animals.metadata, "distribution", lambda name: package)
    images, labels = np.zeros((10_000, 28, 28), np.uint8), np.repeat(np.arange(10), 1000)

    def held(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for name, array in (("data", images), ("label", labels)):
            pickled(tmp_path / animals.FILES[name], array)
        return animals.silhouettes()

    assert [array.shape for array in held(images, labels)] == [(10_000, 28, 28), (10_000,)]
    for other in (images.astype(np.float32), images[1:], images[:, 1:]):
        with pytest.raises(
            OvergenError, match=r"animal_data_version_3.gz: .*not uint8 \(10000, 28, 28\); .* 9 is there"
        ):
            held(other, labels)
    for order in (labels[::-1], np.arange(10_000) % 10, labels.astype(np.float32)):
        with pytest.raises(OvergenError, match=r"animal_label_version_3.gz: not 1000 labels of each animal in order"):
            held(images, order)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(animals.metadata, "distribution", missing)
    with pytest.raises(OvergenError, match=r"pip install --no-deps animal-mnist==0.4"):
        animals.silhouettes()


def test_animals_are_white_on_black_and_all_there() -> None:
    """The facts that the text states; skipped where the package is not installed, which no default study needs."""
    try:
        metadata.distribution(animals.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip("animal-mnist is not installed")
    images, labels = animals.silhouettes()
    assert images[:, :, 0].mean() < 10  # the ground
    assert images[:, 10:18, 10:18].mean() > 120  # the middle
    distinct = len(np.unique(images.reshape(len(images), -1), axis=0))
    assert round(100 * (1 - distinct / len(images)), 1) == 2.8
    grey = [float(np.mean((images[labels == i] > 30) & (images[labels == i] < 225))) for i in range(10)]
    assert np.argmax(grey) == animals.ANIMALS.index("zebra")
