"""Data sets: what is in them, how they are fetched and verified, what happens with broken ones."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from overgen import OvergenError, data
from overgen.data import borrow, fetch, sources
from overgen.run.files import TEMPORARY
from overgen.run.stage import execute

NOWHERE = "http://127.0.0.1:9/"  # the discard port: refused at once
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no mirror."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("OVERGEN_MIRROR", raising=False)
    return place


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of a tiny MNIST: 30 train and 20 test images of noise, with MD5 that torchvision expects."""
    random = np.random.default_rng(0)
    raw = tmp_path / "mirror" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    resources = []
    for file in FILES:
        count = 30 if file.startswith("train") else 20
        values = (
            random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            if "images" in file
            else np.arange(count, dtype=np.uint8) % 10
        )
        (raw / file).write_bytes(idx(values))
        resources.append((file, hashlib.md5((raw / file).read_bytes()).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [NOWHERE])
    return tmp_path / "mirror"


def raw(mirror: Path, file: str = FILES[0]) -> Path:
    return mirror / "MNIST" / "raw" / file


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def contents(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what is named in `cut` is announced whole and sent without its end."""

    asked: list[str]
    cut: set[str]

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        content = source.read()
        name = self.path.rsplit("/", 1)[-1]
        self.asked.append(name)
        # torchvision asks once for the address only, and hangs up
        with suppress(BrokenPipeError, ConnectionResetError):
            outputfile.write(content[:-100] if name in self.cut else content)

    def log_message(self, *_) -> None:  # type: ignore[no-untyped-def]
        pass


@contextmanager
def served(folder: Path, cut: frozenset[str] = frozenset()) -> Iterator[tuple[str, list[str]]]:
    """The URL of a loopback server of a folder, and the list of files it was asked for."""
    asked: list[str] = []
    handler = type("Here", (Handler,), {"asked": asked, "cut": set(cut)})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


# digits

DIGITS_MD5 = [  # images and labels of train, then of test
    "87a29734824d5e244c861a03901533a2",
    "a08ebd1c138192d6b1d7f7f113374101",
    "a4380a6faabeb187ea11fb095550a8f2",
    "ef97ce645a0b9183a39b5766e20b1b92",
]


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return sources.digits(Path("unused"), None)


def test_digits_are_scikit_learns_brought_to_28_by_28(digits: data.Dataset) -> None:
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    boxes = torch.nn.functional.interpolate(
        torch.from_numpy(small).reshape(-1, 1, 8, 8), size=20, mode="bilinear", align_corners=False
    )
    expected = torch.nn.functional.pad(boxes[:, 0] * 255 / 16, (4, 4, 4, 4))
    train, test = sources._split([str(i) for i in range(1797)], labels, 500)
    for images, numbers, part in (
        (digits.train_images, digits.train_labels, train),
        (digits.test_images, digits.test_labels, test),
    ):
        assert (images - expected[part]).abs().max() <= 0.5 + 1e-9
        assert numbers.tolist() == labels[part].tolist()
    assert digits.train_images.max() == 255
    assert digits.classes == tuple("0123456789")


def test_digits_split_is_stratified(digits: data.Dataset) -> None:
    assert digits.train_images.shape == (1297, 28, 28)
    assert digits.test_images.shape == (500, 28, 28)
    train, test = digits.train_labels.bincount(), digits.test_labels.bincount()
    assert ((train + test) * 500 / 1797 - test).abs().max() < 1


def test_digits_are_the_same_bytes_on_every_machine(digits: data.Dataset) -> None:
    tensors = (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels)
    assert [hashlib.md5(tensor.numpy().tobytes()).hexdigest() for tensor in tensors] == DIGITS_MD5


# split, select, batches, floats


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.data())
def test_split_gives_each_class_its_share(labels: list[int], draw: st.DataObject) -> None:
    count = draw.draw(st.integers(0, len(labels)))
    numbers = np.array(labels)
    train, test = sources._split([f"image {i}" for i in range(len(labels))], numbers, count)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert len(test) == count
    assert list(train) == sorted(train)
    assert list(test) == sorted(test)
    for label in set(labels):
        assert abs((numbers[test] == label).sum() - labels.count(label) * count / len(labels)) < 1


def test_split_takes_the_smallest_sha256_of_each_class() -> None:
    keys = [f"{i}" for i in range(9)]
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    rank = {key: hashlib.sha256(key.encode()).hexdigest() for key in keys}
    expected = sorted(keys[:6], key=rank.get)[:2] + sorted(keys[6:], key=rank.get)[:1]
    train, test = sources._split(keys, labels, 3)
    assert sorted(expected) == [keys[i] for i in test]
    assert len(train) == 6


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
    images = (torch.arange(2 * 28 * 28) % 256).to(torch.uint8).reshape(2, 28, 28)
    values = data.floats(images)
    assert values.dtype == torch.float32
    assert values.shape == (2, 1, 28, 28)
    assert values.min() == 0
    assert values.max() == 1
    assert (values.double()[:, 0] * 255 - images).abs().max() < 1e-4
    assert images.dtype == torch.uint8


# idx


def test_idx_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    (tmp_path / "images.gz").write_bytes(idx(values))
    (tmp_path / "images").write_bytes(gzip.decompress(idx(values)))
    read = sources._idx(tmp_path / "images.gz")
    assert np.array_equal(read, values)
    assert np.array_equal(read, torchvision.datasets.mnist.read_image_file(tmp_path / "images").numpy())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "not a whole gzip file"),
        (idx(np.zeros((4, 5), np.uint8))[:-9], "not a whole gzip file"),
        (gzip.compress(b"\0\0\x0d\x01\0\0\0\0", mtime=0), "begins with 00000d01"),
        (gzip.compress(b"\0\0", mtime=0), "not an idx file"),
        (gzip.compress(b"\0\0\x08\x02\0\0\0\1", mtime=0), "not an idx file"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x03ab", mtime=0), r"2 values, but its header says \(3,\)"),
    ],
)
def test_broken_idx_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "broken.gz").write_bytes(content)
    with pytest.raises(OvergenError, match=message) as caught:
        sources._idx(tmp_path / "broken.gz")
    assert "broken.gz" in str(caught.value)


# fetching


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
    assert dataset.train_images.shape == (30, 28, 28)
    assert dataset.train_images.dtype == torch.uint8
    assert dataset.test_labels.dtype == torch.int64
    assert dataset.test_labels.tolist() == list(range(10)) * 2
    assert np.array_equal(dataset.test_images.numpy(), sources._idx(raw(mirror, FILES[2])))


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
    assert dataset.train_images.shape == (60_000, 28, 28)
    assert dataset.test_images.shape == (10_000, 28, 28)
    assert len(dataset.classes) == 10
    assert dataset.train_images.sum(dtype=torch.int64) / 60_000 / 784 / 255 == pytest.approx(mean, abs=5e-5)
    assert dataset.train_labels[:5].tolist() == first
    assert dataset.test_labels.bincount().min() >= 892


REAL_MIRROR = os.environ.get("OVERGEN_MIRROR")  # read at import: the tests themselves run without a mirror


# loading what is broken


@pytest.fixture
def stored(digits: data.Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tensor file of `digits` in the working directory."""
    monkeypatch.setitem(sources.SOURCES, "digits", lambda archives, mirror: digits)
    sources.prepare("digits", "data/digits")
    return Path("data/digits/tensors.safetensors")


def test_what_is_stored_is_what_the_source_gave(digits: data.Dataset, stored: Path) -> None:
    loaded = data.load("digits")
    assert loaded.classes == digits.classes
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(loaded, part), getattr(digits, part))
    assert contents(stored.parent).keys() == {"tensors.safetensors"}


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
        ("test_images", lambda x: x[:, :27], r"test_images are torch.uint8 \(500, 27, 28\)"),
        ("test_images", lambda x: x[:0], r"\(0, 28, 28\)"),
        (
            "train_labels",
            lambda x: x[1:],
            r"train_labels are torch.int64 \(1296,\), not torch.int64 \(1297,\)",
        ),
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


# image folders


def gray(image: Image.Image, folder: Path, *, invert: bool = False, suffix: str = ".png") -> np.ndarray:
    """What `image_folder` makes of one image, beside a class of black ones."""
    for name in "ab":
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(10):
            Image.new("L", (3, 3)).save(folder / name / f"{i}.png")
    image.save(folder / "b" / f"image{suffix}")
    dataset = sources.image_folder(folder, invert=invert)
    ground = 255 if invert else 0
    found = [
        pixels.numpy()
        for images in (dataset.train_images, dataset.test_images)
        for pixels in images
        if not (pixels == ground).all()
    ]
    assert len(found) <= 1
    return found[0] if found else np.full((28, 28), ground, np.uint8)


def test_images_of_all_sizes_and_colours(tmp_path: Path) -> None:
    wide = gray(Image.new("RGB", (56, 28), "white"), tmp_path / "wide")
    assert (wide[7:21] == 255).all()
    assert wide.sum() == 255 * 14 * 28

    thin = gray(Image.new("1", (1, 300), 1), tmp_path / "thin")
    assert (thin[:, 13] == 255).all()
    assert thin.sum() == 255 * 28

    red = gray(Image.new("RGB", (9, 9), (255, 0, 0)), tmp_path / "red", suffix=".bmp")
    assert (red == 76).all()  # 0.299 · 255

    palette = gray(Image.new("RGB", (28, 28), (0, 0, 255)).convert("P"), tmp_path / "palette", suffix=".gif")
    assert (palette == 29).all()  # 0.114 · 255

    deep = gray(Image.fromarray(np.full((28, 28), 0x8040, np.uint16)), tmp_path / "deep")
    assert (deep == 0x80).all()

    clear = gray(Image.new("RGBA", (28, 28), (255, 255, 255, 0)), tmp_path / "clear")
    assert (clear == 0).all()
    half = gray(Image.new("LA", (28, 28), (255, 128)), tmp_path / "half")
    assert (half == 128).all()


def test_dark_ink_on_paper_is_inverted(tmp_path: Path) -> None:
    paper = Image.new("RGBA", (28, 28), (0, 0, 0, 0))  # a transparent sheet with a black line
    paper.paste((0, 0, 0, 255), (0, 10, 28, 12))
    pixels = gray(paper, tmp_path / "paper", invert=True)
    assert (pixels[10:12] == 255).all()
    assert pixels.sum() == 255 * 2 * 28


def test_photograph_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("L", (28, 28))
    image.paste(255, (0, 0, 28, 14))  # white above
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    (tmp_path / "x" / "b").mkdir(parents=True)
    image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        pixels = sources.gray(turned, False)
    assert (pixels[14:] == 255).all()
    assert (pixels[:14] == 0).all()


def letters(folder: Path, count: int = 10) -> Path:
    random = np.random.default_rng(2)
    for name in ("alpha", "beta", "gamma"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(folder / name / f"{i}.png")
    return folder


def test_image_folder_as_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = letters(tmp_path / "letters")
    (folder / "alpha" / "readme.txt").write_text("not an image")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "0.png").write_bytes(b"broken")

    def source(archives: Path, mirror: str | None) -> data.Dataset:
        return sources.image_folder(folder)

    monkeypatch.setitem(sources.SOURCES, "letters", source)
    sources.prepare("letters", "data/letters")
    dataset = data.load("letters")
    assert dataset.classes == ("alpha", "beta", "gamma")
    assert dataset.train_labels.bincount().tolist() == [8, 8, 8]
    assert dataset.test_labels.bincount().tolist() == [2, 2, 2]
    originals = {
        (label, np.asarray(Image.open(path)).tobytes())
        for label, name in enumerate(dataset.classes)
        for path in (folder / name).glob("*.png")
    }
    stored = {
        (int(label), image.numpy().tobytes())
        for images, labels in (
            (dataset.train_images, dataset.train_labels),
            (dataset.test_images, dataset.test_labels),
        )
        for image, label in zip(images, labels, strict=True)
    }
    assert stored == originals


def test_zip_gives_what_its_folder_gives(tmp_path: Path) -> None:
    folder = letters(tmp_path / "letters")
    with zipfile.ZipFile(tmp_path / "letters.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
        archive.writestr("__MACOSX/alpha/._0.png", b"junk")
    for one, other in zip(
        tensors_of(sources.image_folder(folder)),
        tensors_of(sources.image_folder(tmp_path / "letters.zip")),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_image_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(OvergenError, match="nowhere: missing"):
        sources.image_folder(tmp_path / "nowhere")
    (tmp_path / "half.zip").write_bytes(b"PK")
    with pytest.raises(OvergenError, match=r"half.zip: neither a folder nor a whole zip"):
        sources.image_folder(tmp_path / "half.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OvergenError, match="images of 0 classes"):
        sources.image_folder(tmp_path / "empty")
    few = letters(tmp_path / "few", count=20)
    for path in list((few / "beta").iterdir())[1:]:
        path.unlink()
    with pytest.raises(OvergenError, match=r"class beta has 1 image\(s\)"):
        sources.image_folder(few)
    broken = letters(tmp_path / "broken")
    cut(broken / "gamma" / "3.png")
    with pytest.raises(OvergenError, match=r"gamma/3.png cannot be read as an image"):
        sources.image_folder(broken)


# the stage


def test_stage_takes_the_mirror_from_the_environment(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERGEN_MIRROR", str(mirror))
    as_in_the_repository(Path())
    execute("download", dataset="mnist")
    assert len(data.load("mnist").train_labels) == 30


def as_in_the_repository(folder: Path) -> None:
    """Put the files there that every stage reads, and the code that runs."""
    root = Path(__file__).parent.parent
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).write_text((root / name).read_text())
    (folder / "src").symlink_to(root / "src")


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
