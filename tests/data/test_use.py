"""Data sets in use: stored, loaded, cut, refused and borrowed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from overgen import OvergenError, data
from overgen.data import borrow, sources

from data_mirror import contents


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 11), max_size=6))
def test_select_keeps_the_order(labels: list[int], classes: list[int]) -> None:
    numbers = torch.tensor(labels, dtype=torch.int64)
    images = torch.arange(len(labels))
    kept, kept_labels = data.select(images, numbers, classes)
    assert kept.tolist() == [i for i, label in enumerate(labels) if label in classes]
    assert kept_labels.tolist() == [label for label in labels if label in classes]


@given(st.integers(1, 300), st.integers(1, 400), st.integers(0, 2**32))
def test_batches_cut_a_permutation(count: int, batch_size: int, seed: int) -> None:
    cut = data.batches(count, batch_size, torch.Generator().manual_seed(seed))
    assert sorted(torch.cat(cut).tolist()) == list(range(count))
    assert [len(batch) for batch in cut[:-1]] == [batch_size] * (len(cut) - 1)
    assert 1 <= len(cut[-1]) <= batch_size
    again = data.batches(count, batch_size, torch.Generator().manual_seed(seed))
    assert torch.equal(torch.cat(cut), torch.cat(again))


def test_batches_differ_from_epoch_to_epoch() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat(data.batches(100, 32, generator)) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("count", "batch_size"), [(0, 8), (8, 0)])
def test_batches_of_nothing_are_refused(count: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        data.batches(count, batch_size, torch.Generator())


def test_floats() -> None:
    images = (torch.arange(2 * 28 * 28) % 256).to(torch.uint8).reshape(2, 1, 28, 28)
    values = data.floats(images)
    assert values.dtype == torch.float32
    assert values.shape == (2, 1, 28, 28)
    assert values.min() == 0
    assert values.max() == 1
    assert (values.double() * 255 - images).abs().max() < 1e-4
    assert images.dtype == torch.uint8


def test_what_is_stored_is_what_the_source_gave(digits: data.Dataset, stored: Path) -> None:
    loaded = data.load("digits")
    assert loaded.classes == digits.classes
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(loaded, part), getattr(digits, part))
    assert contents(stored.parent).keys() == {"tensors.safetensors"}


@pytest.mark.parametrize("shape", [(1, 20, 12), (3, 32, 32), (3, 5, 9)])
def test_a_data_set_of_another_shape_is_stored_and_loaded(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gray, colour and not square; labels beyond 8 bits; and images without a label."""
    images = torch.randint(0, 256, (6, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.tensor([-1, 0, 255, 256, 999, 3])
    made = data.Dataset("mine", tuple(map(str, range(1000))), images[:4], labels[:4], images[4:], labels[4:])
    monkeypatch.setitem(sources.SOURCES, "mine", lambda archives, mirror: made)
    sources.prepare("mine", "data/mine")
    loaded = data.load("mine")
    assert loaded.shape == made.shape == shape
    for one, other in zip(tensors_of(loaded), tensors_of(made), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert data.floats(loaded.test_images).shape == (2, *shape)


def test_small_labels_of_gray_images_are_stored_in_8_bits_and_without_an_axis(stored: Path) -> None:
    tensors = load_file(stored)
    assert tensors["train_images"].shape == (1297, 28, 28)
    assert tensors["train_labels"].dtype == tensors["test_labels"].dtype == torch.uint8


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_drawn_as_matplotlib_takes_them_and_read_back(channels: int) -> None:
    images = torch.randint(0, 256, (4, channels, 5, 7), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    drawn = data.pictures(images)
    assert drawn.shape == ((4, 5, 7) if channels == 1 else (4, 5, 7, 3))
    assert drawn.dtype == "uint8"
    assert all((drawn[i, 2, 6] == images[i, :, 2, 6].numpy()).all() for i in range(4))
    assert torch.equal(data.planes(torch.from_numpy(drawn)), images)
    assert data.pictures(images[0]).shape == drawn.shape[1:]


def test_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OvergenError, match="unknown data set 'minst'; known: digits, mnist, fashion_mnist"):
        sources.prepare("minst", "data/minst")
    assert not Path("data").exists()


def test_missing_tensors_name_the_command_and_where_the_name_stands() -> None:
    missing = "missing; `dvc repro download@digits` makes it, if params.yaml names digits under `datasets`"
    with pytest.raises(OvergenError, match=missing):
        data.load("digits")


def test_use_of_a_data_set_hangs_on_no_source() -> None:
    code = "import sys, overgen.data.borrow; print(*sorted(name for name in sys.modules if name.startswith('overgen')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["overgen", "overgen.data", "overgen.data.borrow"]


def test_a_borrowed_data_set_is_fetched_once_and_kept_outside_the_outputs(mirror: Path) -> None:
    first = borrow.borrow("mnist", str(mirror))
    shutil.rmtree(mirror)
    again = borrow.borrow("mnist", None)
    assert torch.equal(first.test_images, again.test_images)
    assert not Path("data").exists()


def test_where_a_data_set_was_downloaded_that_one_is_borrowed(stored: Path) -> None:
    assert torch.equal(borrow.borrow("digits", None).test_images, data.load("digits").test_images)
    assert not Path(".overgen/data").exists()


@pytest.mark.parametrize("kept", [0, 5, 300, 100_000, -1])
def test_cut_tensors_are_refused(stored: Path, kept: int) -> None:
    stored.write_bytes(stored.read_bytes()[:kept])
    with pytest.raises(OvergenError, match="not a whole safetensors file"):
        data.load("digits")


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("train_images", lambda x: x.float(), "train_images is torch.float32"),
        ("test_images", lambda x: x[:, :27], r"train_images are of shape \(1, 28, 28\), test_images of \(1, 27, 28\)"),
        ("test_images", lambda x: x[:0], r"\(0, 1, 28, 28\), not torch.uint8 \(N, C, H, W\) with C = 1 or 3"),
        (
            "train_labels",
            lambda x: x[1:],
            r"train_labels are torch.int64 \(1296,\), not torch.int64 \(1297,\)",
        ),
        ("train_images", lambda x: x[:, None].expand(-1, 2, -1, -1), r"\(1297, 2, 28, 28\), not torch.uint8"),
        ("test_labels", lambda x: x.int() - 2, "test_labels run from -2 to 7 with 10 class names"),
        ("test_labels", lambda x: x.short(), "test_labels is torch.int16, not torch.uint8 or torch.int32"),
        ("test_labels", lambda x: x + 1, "test_labels run from 1 to 10 with 10 class names"),
        ("test_labels", None, "not a whole safetensors file of a data set.*test_labels"),
    ],
)
def test_other_tensors_are_refused(stored: Path, key: str, change, message: str) -> None:  # type: ignore[no-untyped-def]
    tensors = load_file(stored)
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    if change is None:
        del tensors[key]
    else:
        tensors[key] = change(tensors[key]).contiguous()
    save_file(tensors, stored, {"overgen": json.dumps({"classes": list("0123456789")})})
    with pytest.raises(OvergenError, match=message):
        data.load("digits")


@pytest.mark.parametrize("metadata", [None, {"overgen": "{}"}, {"overgen": "[1"}, {"overgen": "[]"}])
def test_tensors_without_class_names_are_refused(stored: Path, metadata: dict[str, str] | None) -> None:
    save_file({name: tensor.clone() for name, tensor in load_file(stored).items()}, stored, metadata)
    with pytest.raises(OvergenError, match="has no class names"):
        data.load("digits")


def test_source_with_wrong_tensors_leaves_the_earlier_ones(
    digits: data.Dataset, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored.read_bytes()
    wrong = data.Dataset("digits", ("a", "b"), *(tensor[:3] for tensor in tensors_of(digits)))
    monkeypatch.setitem(sources.SOURCES, "digits", lambda archives, mirror: wrong)
    with pytest.raises(OvergenError, match="with 2 class names"):
        sources.prepare("digits", "data/digits")
    assert stored.read_bytes() == before


def tensors_of(dataset: data.Dataset) -> tuple[torch.Tensor, ...]:
    return dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels
