"""IDX and .npz files of one's own as data sets."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overgen import OvergenError, data
from overgen.data import sources

from data_mirror import FILES, idx

NAMES = {"train": ("train", 30), "test": ("t10k", 20)}


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def labels(count: int, classes: int = 10, first: int = 0) -> np.ndarray:
    return (np.arange(count) % classes + first).astype(np.uint8)


def write_idx(folder: Path, start: str = "", size: tuple[int, ...] = (28, 28), **options: Any) -> dict[str, np.ndarray]:
    """Four files in MNIST's form. Returns what they hold."""
    folder.mkdir(exist_ok=True)
    held = {}
    for part, (name, count) in NAMES.items():
        held[f"{part}_images"] = images(count, *size, seed=count)
        held[f"{part}_labels"] = labels(count, **options)
        rank = len(size) + 1
        (folder / f"{start}{name}-images-idx{rank}-ubyte.gz").write_bytes(idx(held[f"{part}_images"]))
        (folder / f"{start}{name}-labels-idx1-ubyte.gz").write_bytes(idx(held[f"{part}_labels"]))
    return held


def same(dataset: data.Dataset, held: dict[str, np.ndarray]) -> bool:
    return all(
        np.array_equal(getattr(dataset, f"{part}_images").numpy(), held[f"{part}_images"])
        and np.array_equal(getattr(dataset, f"{part}_labels").numpy(), held[f"{part}_labels"])
        for part in NAMES
    )


@pytest.mark.parametrize("size", [(28, 28), (5, 9), (3, 5, 9), (5, 9, 3), (5, 9, 1)])
@pytest.mark.parametrize("zipped", [True, False])
def test_idx_of_any_size_and_colour(tmp_path: Path, size: tuple[int, ...], zipped: bool) -> None:
    folder = tmp_path / "raw"
    held = write_idx(folder, size=size)
    if not zipped:
        for file in list(folder.iterdir()):
            (folder / file.stem.replace("-idx", ".idx")).write_bytes(gzip.decompress(file.read_bytes()))
            file.unlink()
    sources.prepare("idx", "data/own", options={"path": str(folder)})
    dataset = data.load("own")
    channels_last = len(size) == 3 and size[-1] in (1, 3)
    for part in NAMES:
        values = held[f"{part}_images"]
        held[f"{part}_images"] = (
            values[:, None] if len(size) == 2 else values.transpose(0, 3, 1, 2) if channels_last else values
        )
    assert same(dataset, held)
    assert dataset.classes == tuple("0123456789")


def test_mnists_own_archives_give_the_same_bytes(mirror: Path, workplace: Path) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    raw = mirror / "MNIST" / "raw"
    sources.prepare("idx", "data/own", options={"path": str(raw)})
    fetched, own = (Path(f"data/{name}/tensors.safetensors").read_bytes() for name in ("mnist", "own"))
    assert fetched == own
    assert set(FILES) == {path.name for path in raw.iterdir()}


def test_emnists_letters_begin_at_one_and_lie_on_their_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = write_idx(tmp_path, "emnist-letters-", size=(6, 4), classes=5, first=1)
    write_idx(tmp_path, "emnist-digits-")
    with pytest.raises(
        OvergenError, match=r"2 data sets lie there.*emnist-digits-, emnist-letters-; give one, such as"
    ):
        sources.idx(tmp_path)
    dataset = sources.idx(tmp_path / "emnist-letters", transpose=True)
    assert "labels 1 to 5 are classes 0 to 4, called 1, 2, 3, 4, 5" in capsys.readouterr().err
    assert dataset.classes == ("1", "2", "3", "4", "5")
    for part in NAMES:
        held[f"{part}_images"] = held[f"{part}_images"].swapaxes(1, 2)[:, None]
        held[f"{part}_labels"] = held[f"{part}_labels"] - 1
    assert same(dataset, held)
    named = sources.idx(tmp_path / "emnist-letters", transpose=True, classes=list("abcde"))
    assert named.classes == tuple("abcde")
    assert torch.equal(named.train_labels, dataset.train_labels)
    with pytest.raises(OvergenError, match="4 names for 5 labels from 1 to 5"):
        sources.idx(tmp_path / "emnist-letters", classes=list("abcd"))


@given(st.sets(st.integers(0, 250), min_size=2, max_size=9), st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_labels_with_gaps_keep_their_names(tmp_path: Path, seen: set[int], as_file: bool) -> None:
    numbers = np.resize(sorted(seen), 20).astype(np.uint8)
    arrays = {"x_train": images(20, 4, 4), "y_train": numbers, "x_test": images(20, 4, 4), "y_test": numbers[:, None]}
    np.savez(tmp_path / "own.npz", **arrays)
    dataset = sources.npz(tmp_path / "own.npz")
    assert [int(dataset.classes[i]) for i in dataset.train_labels] == numbers.tolist()
    assert torch.equal(dataset.train_labels, dataset.test_labels)
    assert sorted(map(int, dataset.classes)) == sorted(seen)
    names = [f"n{i}" for i in range(251)]  # a name for each number, used or not
    (tmp_path / "names.txt").write_text("\n".join(names))
    named = sources.npz(tmp_path / "own.npz", classes=str(tmp_path / "names.txt") if as_file else names)
    assert [named.classes[i] for i in named.train_labels] == [f"n{i}" for i in numbers]


def test_npz_as_keras_medmnist_and_kmnist_have_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {"images": images(30, 8, 8, 3), "labels": labels(30, 3)}
    np.savez(tmp_path / "keras.npz", x_train=arrays["images"], y_train=arrays["labels"],
             x_test=arrays["images"][:9], y_test=arrays["labels"][:9, None])  # fmt: skip
    parts = {f"{part}_{what}": arrays[what] for part in ("train", "val", "test") for what in arrays}
    np.savez_compressed(tmp_path / "med.npz", **parts)
    (tmp_path / "kmnist").mkdir()
    for part in ("train", "test"):
        np.savez(tmp_path / f"kmnist/kmnist-{part}-imgs.npz", arrays["images"])
        np.savez(tmp_path / f"kmnist/kmnist-{part}-labels.npz", arrays["labels"])
    expected = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
    for path in ("keras.npz", "med.npz", "kmnist", "kmnist/kmnist"):
        dataset = sources.npz(tmp_path / path)
        assert torch.equal(dataset.train_images, expected), path
        assert dataset.train_labels.tolist() == arrays["labels"].tolist()
        assert dataset.shape == (3, 8, 8)
        assert ("val_images, val_labels: left out" in capsys.readouterr().err) == (path == "med.npz")


def test_more_classes_than_a_byte_holds(workplace: Path) -> None:
    numbers = np.arange(300)
    np.savez("own.npz", x_train=images(300, 4, 4), y_train=numbers, x_test=images(300, 4, 4), y_test=numbers[::-1])
    sources.prepare("npz", "data/own", options={"path": "own.npz"})
    dataset = data.load("own")
    assert dataset.train_labels.tolist() == list(range(300))
    assert len(dataset.classes) == 300


def test_arrays_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(OvergenError, match=r"nowhere: missing; a folder is expected there"):
        sources.idx(tmp_path / "nowhere" / "emnist")
    write_idx(tmp_path / "idx")
    (tmp_path / "idx/t10k-labels-idx1-ubyte.gz").write_bytes(idx(labels(19)))
    with pytest.raises(OvergenError, match=r"t10k-images.*: 20 images, but 19 labels in .*t10k-labels"):
        sources.idx(tmp_path / "idx")
    (tmp_path / "idx/t10k-labels-idx1-ubyte.gz").write_bytes(idx(labels(20, 12)))
    with pytest.raises(OvergenError, match="test labels 10, 11 that no train image has"):
        sources.idx(tmp_path / "idx")
    (tmp_path / "idx/t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros((20, 8), np.uint8)))
    with pytest.raises(OvergenError, match=r"t10k-labels.*: labels are uint8 \(20, 8\); they must be whole numbers"):
        sources.idx(tmp_path / "idx")
    (tmp_path / "idx/t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(OvergenError, match="no file of test_labels; expected train-images-idx3-ubyte"):
        sources.idx(tmp_path / "idx")
    with pytest.raises(OvergenError, match="no file of train_images, train_labels, test_images, test_labels"):
        sources.npz(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": images(9, 4, 4) / 255}, "own.npz, x_train: images are float64; they must be bytes"),
        ({"x_test": images(9, 4)}, r"own.npz, x_test: images are \(9, 4\); they must be \(N, height, width\)"),
        ({"x_test": images(9, 2, 4, 4)}, r"images are \(9, 2, 4, 4\)"),
        ({"y_train": np.eye(9)}, r"own.npz, y_train: labels are float64 \(9, 9\)"),
        ({"y_test": np.arange(9) - 1}, "own.npz, y_test: labels from -1; they must be 0 or more"),
        ({"y_train": labels(8, 3)}, "own.npz, x_train: 9 images, but 8 labels in .*own.npz, y_train"),
        ({"x_test": images(9, 4, 5)}, r"train_images are of shape \(1, 4, 4\), test_images of \(1, 4, 5\)"),
        ({"y_train": np.array([{}] * 9, dtype=object)}, "own.npz: not read .*pickled objects could run code"),
        ({"y_train": np.zeros(9, int), "y_test": np.zeros(9, int)}, "1 classes; a data set has 2 or more"),
    ],
)
def test_npz_that_does_not_fit_is_named(workplace: Path, change: dict[str, np.ndarray], message: str) -> None:
    arrays = {"x_train": images(9, 4, 4), "y_train": labels(9, 3), "x_test": images(9, 4, 4), "y_test": labels(9, 3)}
    np.savez("own.npz", **arrays | change)
    with pytest.raises(OvergenError, match=message):
        sources.prepare("npz", "data/own", options={"path": "own.npz"})
    assert not Path("data/own").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4", pickle.dumps([1]), b"\x93NUMPY"])
def test_what_is_no_npz_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(OvergenError, match=r"own\.npz: not "):
        sources.npz(tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz", a=labels(3))
    with pytest.raises(OvergenError, match=r"own\.npz: holds a; expected x_train, y_train, x_test, y_test or"):
        sources.npz(tmp_path / "own.npz")
