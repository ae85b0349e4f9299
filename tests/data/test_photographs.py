"""The photographs that come with scikit-image and scikit-learn."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from overgen import OvergenError
from overgen.data.photographs import PHOTOGRAPHS, photograph, square


def test_the_middle_square_is_taken() -> None:
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, 3:7] = (10, 200, 30)
    found = square(pixels, 8)
    assert found.shape == (3, 8, 8)
    assert found[:, :, 1:-1].reshape(3, -1).T.tolist() == [[10, 200, 30]] * 48
    assert square(np.full((6, 5), 7, np.uint8), 3).tolist() == [[[7] * 3] * 3] * 3


@pytest.mark.parametrize("name", list(PHOTOGRAPHS))
def test_every_photograph_is_there_without_a_download(name: str) -> None:
    pytest.importorskip("skimage")
    found = photograph(name, 32)
    assert found.shape == (3, 32, 32)
    assert found.dtype == np.uint8
    assert found.std() > 10


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(OvergenError, match=r"photograph 'cat': needs scikit-image; `pip install overgen\[imagenet\]`"):
        photograph("cat", 8)
    assert photograph("flower", 8).shape == (3, 8, 8)
