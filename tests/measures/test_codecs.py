"""Bits of images in files, and mosaics."""

from __future__ import annotations

import gzip
import io
import lzma
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from overgen.measures.codecs import LOSSLESS, apart, bits_of, jpeg, mosaic


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 11), height=st.integers(1, 5), width=st.integers(1, 5), colour=st.booleans())
def test_a_mosaic_comes_apart_again(count: int, height: int, width: int, colour: bool) -> None:
    shape = (count, height, width, *([3] if colour else []))
    images = np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)
    whole = mosaic(images)
    assert np.array_equal(apart(whole, count, height, width), images)
    assert np.array_equal(whole[:height, :width], images[0])
    rows, side = whole.shape[0] // height, whole.shape[1] // width
    assert side == math.ceil(math.sqrt(count))
    assert (rows - 1) * side < count <= rows * side


def test_bits_are_those_of_files_that_give_the_image_back() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    for codec, whole in (("gzip", gzip.compress(image.tobytes(), 9)), ("xz", lzma.compress(image.tobytes()))):
        assert abs(bits_of(image, codec) - 8 * len(whole)) <= 8 * 12, codec  # heads differ
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    assert abs(bits_of(image, "png") - 8 * len(file.getvalue())) < 8 * 60
    assert all(bits_of(image, codec) >= 8 * 784 for codec in LOSSLESS)  # noise has nothing to save
    assert all(bits_of(np.zeros_like(image), codec) < 8 * 100 for codec in LOSSLESS)
    with pytest.raises(ValueError, match="'zip'"):
        bits_of(image, "zip")


def test_lossless_files_are_of_the_highest_level() -> None:
    digits = (load_digits().images[:200] * 15).astype(np.uint8)
    bits = {codec: bits_of(digits, codec) for codec in ("gzip", "xz")}
    assert bits["gzip"] == 8 * len(gzip.compress(digits.tobytes(), 9)) < 8 * len(gzip.compress(digits.tobytes(), 6))
    assert (
        bits["xz"]
        <= 8 * len(lzma.compress(digits.tobytes(), preset=9))
        < 8 * len(lzma.compress(digits.tobytes(), preset=0))
    )


def test_jpeg_keeps_the_colours_of_single_pixels() -> None:
    columns = np.zeros((16, 16, 3), np.uint8)
    columns[:, ::2] = 200, 60, 60
    columns[:, 1::2] = 60, 60, 200
    _, back = jpeg(columns, 95)
    assert np.abs(back.astype(int) - columns).max() < 20


def test_jpeg_has_more_bits_and_less_error_at_a_higher_quality() -> None:
    y, x = np.mgrid[:28, :28]
    image = np.rint(127 + 120 * np.sin(x / 3) * np.cos(y / 4)).astype(np.uint8)
    low, high = jpeg(image, 5), jpeg(image, 95)
    errors = [np.square(back.astype(float) - image).mean() for _, back in (low, high)]
    assert low[0] < high[0]
    assert errors[0] > 20 * errors[1] > 0
    assert jpeg(np.stack([image] * 3, 2), 50)[1].shape == (28, 28, 3)
