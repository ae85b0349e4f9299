"""Data sets: an empty folder to work in, a mirror of a tiny MNIST, and digits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torchvision

from overgen import data
from overgen.data import sources

from data_mirror import FILES, NOWHERE, idx


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no mirror."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("OVERGEN_MIRROR", raising=False)
    return place


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


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return sources.digits(Path("unused"), None)


@pytest.fixture
def stored(digits: data.Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tensor file of `digits` in the working directory."""
    monkeypatch.setitem(sources.SOURCES, "digits", lambda archives, mirror: digits)
    sources.prepare("digits", "data/digits")
    return Path("data/digits/tensors.safetensors")
