"""Archives: fetched, verified, kept, and what happens with broken ones."""

from __future__ import annotations

import gzip
import hashlib
import os
import resource
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from overgen import OvergenError, data
from overgen.data import fetch, sources
from overgen.data.arrays import read_idx
from overgen.run.files import TEMPORARY

from data_mirror import FILES, NOWHERE, contents, cut, idx, raw, served


def test_idx_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    (tmp_path / "images.gz").write_bytes(idx(values))
    (tmp_path / "images").write_bytes(gzip.decompress(idx(values)))
    read = read_idx(tmp_path / "images.gz")
    assert np.array_equal(read, values)
    assert np.array_equal(read, torchvision.datasets.mnist.read_image_file(tmp_path / "images").numpy())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "not a whole gzip file"),
        (idx(np.zeros((4, 5), np.uint8))[:-9], "not a whole gzip file"),
        (gzip.compress(b"\0\0\x0a\x01\0\0\0\0", mtime=0), "begins with 00000a01"),
        (gzip.compress(b"\0\0", mtime=0), "not an IDX file"),
        (gzip.compress(b"\0\0\x08\x02\0\0\0\1", mtime=0), "not an IDX file"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x03ab", mtime=0), r"2 values, but its header says \(3,\)"),
    ],
)
def test_broken_idx_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "broken.gz").write_bytes(content)
    with pytest.raises(OvergenError, match=message) as caught:
        read_idx(tmp_path / "broken.gz")
    assert "broken.gz" in str(caught.value)


def test_mirror_as_directory_url_and_file_url_give_the_same_folder(mirror: Path, workplace: Path) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    expected = contents(workplace / "data" / "mnist")
    assert set(expected) == {"tensors.safetensors", *(f"raw/{file}" for file in FILES)}
    with served(mirror) as (url, _):
        for place in (url, mirror.as_uri()):
            shutil.rmtree("data")
            shutil.rmtree(".overgen")
            sources.prepare("mnist", "data/mnist", mirror=place)
            assert contents(workplace / "data" / "mnist") == expected
    assert not any(Path().rglob(f"{TEMPORARY}*"))

    dataset = data.load("mnist")
    assert dataset.classes == tuple("0123456789")
    assert dataset.train_images.shape == (30, 1, 28, 28)
    assert dataset.train_images.dtype == torch.uint8
    assert dataset.test_labels.dtype == torch.int64
    assert dataset.test_labels.tolist() == list(range(10)) * 2
    assert np.array_equal(dataset.test_images[:, 0].numpy(), read_idx(raw(mirror, FILES[2])))


def test_public_place_is_used_without_a_mirror(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(raw(mirror).parent) as (url, asked):
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [NOWHERE, url])
        sources.prepare("mnist", "data/mnist")
    assert set(asked) == set(FILES)


def test_second_run_and_run_after_dvc_deleted_the_output_fetch_nothing(mirror: Path) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    before = contents(Path("data/mnist"))
    shutil.rmtree(mirror)
    sources.prepare("mnist", "data/mnist")
    shutil.rmtree("data/mnist")
    sources.prepare("mnist", "data/mnist")
    shutil.rmtree(".overgen")  # as in a fresh clone after `dvc pull`
    sources.prepare("mnist", "data/mnist")
    assert contents(Path("data/mnist")) == before


@pytest.mark.parametrize("fresh", [False, True], ids=["archives kept", "fresh clone"])
def test_cut_archive_is_found_named_and_replaced(mirror: Path, capsys: pytest.CaptureFixture, fresh: bool) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    before = contents(Path("data/mnist"))
    assert capsys.readouterr().err == ""
    cut(Path("data/mnist/raw") / FILES[0])
    if fresh:
        shutil.rmtree(".overgen")
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    said = capsys.readouterr().err
    assert FILES[0] in said
    assert "broken" in said
    assert FILES[1] not in said
    assert contents(Path("data/mnist")) == before


def test_cut_kept_archive_is_fetched_again(mirror: Path, capsys: pytest.CaptureFixture) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    before = contents(Path("data/mnist"))
    shutil.rmtree("data")
    cut(fetch.ARCHIVES / "mnist" / FILES[2])
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    assert f"{fetch.ARCHIVES}/mnist/{FILES[2]}: broken" in capsys.readouterr().err
    assert contents(Path("data/mnist")) == before


def test_strays_do_not_reach_the_output(mirror: Path) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    before = contents(Path("data/mnist"))
    Path("data/mnist/raw/notes.txt").write_text("mine")
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    assert contents(Path("data/mnist")) == before


def test_wrong_md5_on_the_mirror_is_refused_and_the_next_place_tried(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    good = tmp_path / "good"
    shutil.copytree(mirror, good)
    raw(mirror).write_bytes(b"something else")
    found = hashlib.md5(b"something else").hexdigest()
    expected = hashlib.md5(raw(good).read_bytes()).hexdigest()

    with pytest.raises(OvergenError) as caught:
        sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    message = str(caught.value)
    assert f"{raw(mirror)}: refused: 14 bytes with MD5 {found}, not {expected}" in message
    assert NOWHERE + FILES[0] in message
    assert not Path("data/mnist").exists()

    with served(raw(good).parent) as (url, _):
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [url])
        sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    assert f"taken from {url}" in capsys.readouterr().err
    assert contents(Path("data/mnist/raw")) == contents(raw(good).parent)


def test_cut_transfer_is_refused_and_the_next_run_goes_on(mirror: Path) -> None:
    with (
        served(mirror, cut=frozenset({FILES[2]})) as (url, _),
        pytest.raises(OvergenError, match="refused") as caught,
    ):
        sources.prepare("mnist", "data/mnist", mirror=url)
    size = raw(mirror, FILES[2]).stat().st_size - 100
    assert f"{FILES[2]}: refused: {size} bytes" in str(caught.value)
    assert not Path("data/mnist").exists()
    assert {path.name for path in (fetch.ARCHIVES / "mnist").iterdir()} == set(FILES[:2])
    assert not any(Path().rglob(f"{TEMPORARY}*"))

    with served(mirror) as (url, asked):
        sources.prepare("mnist", "data/mnist", mirror=url)
    assert set(asked) == set(FILES[2:])


def test_without_network_and_mirror_the_error_says_what_to_set(mirror: Path) -> None:
    with pytest.raises(OvergenError) as caught:
        sources.prepare("mnist", "data/mnist", mirror=None)
    message = str(caught.value)
    assert "OVERGEN_MIRROR" in message
    assert "MNIST/raw/" in message
    assert all(file in message for file in FILES)


def test_silent_server_is_given_up(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OvergenError, match="timed out"):
        sources.prepare("mnist", "data/mnist", mirror=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert socket.getdefaulttimeout() is None


def test_full_disk_is_said_and_loses_nothing(mirror: Path) -> None:
    sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    before = contents(Path("data/mnist"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # writing more fails as on a full disk
    try:
        with pytest.raises(OvergenError, match="could not be written"):
            sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(Path("data/mnist")) == before


def test_full_disk_while_fetching_does_not_blame_the_mirror(mirror: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OvergenError, match="could not be written") as caught:
            sources.prepare("mnist", "data/mnist", mirror=str(mirror))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "OVERGEN_MIRROR" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind", "mean", "first"),
    [("mnist", "MNIST", 0.1307, [5, 0, 4, 1, 9]), ("fashion_mnist", "FashionMNIST", 0.2860, [9, 0, 0, 3, 0])],
)
def test_real_archives(name: str, kind: str, mean: float, first: list[int]) -> None:
    """The published means of the training pixels, the first labels, and balanced counts where there are."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    place = REAL_MIRROR or (str(beside) if (beside / kind).is_dir() else "")
    if not place:
        pytest.skip("needs the real archives: set OVERGEN_MIRROR")
    sources.prepare(name, f"data/{name}", mirror=place)
    dataset = data.load(name)
    assert dataset.train_images.shape == (60_000, 1, 28, 28)
    assert dataset.test_images.shape == (10_000, 1, 28, 28)
    assert len(dataset.classes) == 10
    assert dataset.train_images.sum(dtype=torch.int64) / 60_000 / 784 / 255 == pytest.approx(mean, abs=5e-5)
    assert dataset.train_labels[:5].tolist() == first
    assert dataset.test_labels.bincount().min() >= 892


REAL_MIRROR = os.environ.get("OVERGEN_MIRROR")  # read at import: the tests themselves run without a mirror
