"""Pictures: what their pixels must be, by hand, and what is refused by name."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from overgen import OvergenError
from overgen.data.reader import borders, bright_borders, read_picture, size_and_channels


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], transparent: bytes = b"") -> io.BytesIO:
    """A PNG file by its specification: forms that Pillow does not write."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    clear = chunk(b"tRNS", transparent) if transparent else b""
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + clear + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_pixels_of_lossless_files_are_kept(kind: str, mode: str) -> None:
    pixels = noise(5, 7) if mode == "L" else noise(5, 7, 3)  # of 35 colours: a palette holds them
    options = {"lossless": True} if kind == "WEBP" else {}
    file = encoded(Image.fromarray(pixels), kind, **options)
    channels = 1 if mode == "L" else 3
    read = read_picture(file, (channels, 5, 7))
    assert read.dtype == np.uint8
    assert np.array_equal(read, pixels[None] if mode == "L" else pixels.transpose(2, 0, 1))


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.sampled_from([1, 3]), st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from(["pad", "crop", "stretch"]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_size_comes_to_any_shape(
    size: tuple[int, int], shape: tuple[int, int, int], fit: Any, invert: bool
) -> None:
    picture = Image.fromarray(noise(*size, 4, seed=size[0] * 100 + size[1]))
    read = read_picture(encoded(picture), shape, fit=fit, invert=invert)
    assert read.shape == shape
    assert read.flags.c_contiguous
    other = read_picture(encoded(picture), shape, fit=fit, ground="white" if invert else "black")
    if invert and fit != "pad":  # inverted, then resized in two passes: both round
        assert np.abs(255 - other.astype(int) - read).max() <= 2


def test_gray_is_luma_and_resizing_takes_means() -> None:
    colours = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8)
    read = read_picture(encoded(Image.fromarray(colours)), (1, 2, 2))
    assert read[0].tolist() == [[76, 150], [29, 255]]  # 0.299, 0.587 and 0.114 of 255
    halves = np.kron([[0, 200], [100, 50]], np.ones((8, 8))).astype(np.uint8)
    small = read_picture(encoded(Image.fromarray(halves)), (1, 1, 1))
    assert int(small[0, 0, 0]) in (87, 88)  # antialiased: the mean of all
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert set(read_picture(encoded(Image.fromarray(stripes)), (1, 8, 8))[0, 2:6, 2:6].ravel()) <= {127, 128}


def test_the_ways_to_fit() -> None:
    wide = np.full((10, 20), 200, np.uint8)
    wide[:, :5] = wide[:, 15:] = 40
    file: Callable[[], io.BytesIO] = lambda: encoded(Image.fromarray(wide))  # noqa: E731
    padded = read_picture(file(), (1, 20, 20))[0]
    assert (padded[[0, 4, 15, 19]] == 0).all()
    assert np.array_equal(padded[5:15], wide)
    assert (read_picture(file(), (1, 20, 20), ground="white")[0][[0, 4, 15, 19]] == 255).all()
    assert (read_picture(file(), (1, 10, 10), fit="crop")[0] == 200).all()
    assert np.array_equal(read_picture(file(), (1, 10, 20), fit="stretch")[0], wide)
    inverted = read_picture(file(), (1, 20, 20), invert=True)[0]
    assert np.array_equal(inverted[5:15], 255 - wide)
    assert (inverted[[0, 4, 15, 19]] == 0).all()  # ink on paper: the paper becomes black, around it, too
    tall = read_picture(encoded(Image.fromarray(wide.T)), (3, 8, 30))
    assert (tall[:, :, [0, 12, 17, 29]] == 0).all()
    assert (tall[:, :, 13:17] > 0).all()


def test_sixteen_bits_of_gray() -> None:
    deep = np.array([[0, 255, 256, 0x8040], [0xFF00, 0xFFFF, 1000, 4095]], np.uint16)
    for kind in ("PNG", "TIFF"):
        assert read_picture(encoded(Image.fromarray(deep), kind), (1, 2, 4))[0].tolist() == [
            [0, 0, 1, 0x80], [255, 255, 3, 15],
        ]  # fmt: skip
    big_endian = png(4, 2, 16, 0, [row.astype(">u2").tobytes() for row in deep])
    assert read_picture(big_endian, (3, 2, 4))[2].tolist() == [[0, 0, 1, 0x80], [255, 255, 3, 15]]
    twelve = np.array([[0, 2048, 4095]], np.uint16)
    assert read_picture(encoded(Image.fromarray(twelve)), (1, 1, 3), white=4095)[0].tolist() == [[0, 128, 255]]
    with pytest.raises(OvergenError, match=r"values from 0 to 4095, where 0 is black and 1000 white; give `white`"):
        read_picture(encoded(Image.fromarray(twelve)), (1, 1, 3), white=1000)
    assert read_picture(encoded(Image.fromarray(np.zeros((1, 2), np.uint16))), (1, 1, 2)).max() == 0
    for kind in (np.uint16, np.int32):  # 8 bits, kept in more: would be black
        shallow = encoded(Image.fromarray(np.array([[0, 128, 255]], kind)), "TIFF")
        with pytest.raises(OvergenError, match=r"values from 0 to 255, where 0 is black and 65535 white; give `white`"):
            read_picture(shallow, (1, 1, 3))
        shallow.seek(0)
        assert read_picture(shallow, (1, 1, 3), white=255)[0].tolist() == [[0, 128, 255]]


def test_floating_point_has_a_declared_white(tmp_path: Path) -> None:
    values = np.array([[0, 0.5, 1]], np.float32)
    assert read_picture(encoded(Image.fromarray(values), "TIFF"), (1, 1, 3))[0].tolist() == [[0, 128, 255]]
    Image.fromarray(values * 255).save(tmp_path / "float.tiff")
    with pytest.raises(OvergenError, match=r"float.tiff: .*floating-point values from 0 to 255, where .* 1 white"):
        read_picture(tmp_path / "float.tiff", (1, 1, 3))
    assert read_picture(tmp_path / "float.tiff", (1, 1, 3), white=255)[0].tolist() == [[0, 128, 255]]
    for wrong in (np.nan, np.inf, -0.1):
        with pytest.raises(OvergenError, match="floating-point values from"):
            read_picture(encoded(Image.fromarray(np.array([[0, wrong]], np.float32)), "TIFF"), (1, 1, 2))


@pytest.mark.parametrize("ground", ["black", "white"])
def test_transparency_lets_the_ground_through(ground: Any) -> None:
    level = 0 if ground == "black" else 255
    alpha = np.array([[(200, 100, 50, 255), (200, 100, 50, 0)]], np.uint8)
    read = read_picture(encoded(Image.fromarray(alpha)), (3, 1, 2), ground=ground)
    assert read[:, 0].T.tolist() == [[200, 100, 50], [level] * 3]
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    for kind in ("PNG", "GIF"):
        read = read_picture(encoded(palette, kind, transparency=1), (3, 1, 2), ground=ground)
        assert read[:, 0].T.tolist() == [[10, 20, 30], [level] * 3], kind
    # one transparent value of 1, 2, 4, 8 and 16 bits: the second of two pixels
    for depth, row, value in ((1, b"\x80", 0), (2, b"\xd0", 1), (4, b"\xf8", 8), (8, b"\xff\x08", 8)):
        file = png(2, 1, depth, 0, [row], transparent=struct.pack(">H", value))
        assert read_picture(file, (1, 1, 2), ground=ground)[0].tolist() == [[255, level]], depth
    deep = png(2, 1, 16, 0, [struct.pack(">HH", 0xFFFF, 0x8040)], transparent=struct.pack(">H", 0x8040))
    assert read_picture(deep, (1, 1, 2), ground=ground)[0].tolist() == [[255, level]]


def test_a_transparent_colour_of_sixteen_bits_is_refused() -> None:
    colour = struct.pack(">HHH", 0x8040, 0xFFFF, 0x00FF)
    with pytest.raises(OvergenError, match=r"transparent colour \(32832, 65535, 255\) is of 16 bits"):
        read_picture(png(1, 1, 16, 2, [colour], transparent=colour), (3, 1, 1))
    assert read_picture(png(1, 1, 16, 2, [colour]), (3, 1, 1)).ravel().tolist() == [128, 255, 0]


def test_cmyk_and_the_first_of_several_frames() -> None:
    cyan = Image.new("CMYK", (3, 2), (255, 0, 0, 0))
    assert (read_picture(encoded(cyan, "TIFF"), (3, 2, 3)) == np.array([0, 255, 255])[:, None, None]).all()
    frames = [Image.new("L", (4, 4), level) for level in (50, 200)]
    for kind in ("GIF", "TIFF", "PNG"):
        file = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert (read_picture(file, (1, 4, 4)) == 50).all(), kind


@pytest.mark.parametrize("value", range(10))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_turns_a_photograph_as_pillow_does(kind: str, value: int) -> None:
    corner = np.zeros((16, 32), np.uint8)
    corner[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = value
    image = Image.fromarray(corner).convert("RGB")
    data = encoded(image, kind, exif=exif).getvalue()
    with Image.open(io.BytesIO(data)) as stored:
        stored.load()
        upright = np.asarray(ImageOps.exif_transpose(stored).convert("L"))
    read = read_picture(io.BytesIO(data), (1, *upright.shape))
    assert np.array_equal(read[0], upright)
    assert size_and_channels(io.BytesIO(data)) == (upright.shape, 3)
    assert upright.shape == ((32, 16) if 5 <= value <= 8 else (16, 32))


@given(st.binary(max_size=60), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\x7f", b""]))
@settings(max_examples=150, deadline=None)
def test_senseless_exif_is_ignored(rest: bytes, head: bytes) -> None:
    pixels = noise(6, 6)
    plain = encoded(Image.fromarray(pixels), "JPEG").getvalue()
    body = b"Exif\0\0" + head + b"\0" + rest  # no whole entry of an orientation
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]
    assert np.array_equal(read_picture(io.BytesIO(data), (1, 6, 6)), read_picture(io.BytesIO(plain), (1, 6, 6)))
    assert size_and_channels(io.BytesIO(data)) == ((6, 6), 1)


KINDS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_is_named(tmp_path: Path, kind: str) -> None:
    data = encoded(Image.fromarray(noise(40, 40, 3)), kind).getvalue()
    for part in (0.0, 0.1, 0.5, 0.9):
        (tmp_path / "cut.img").write_bytes(data[: int(part * len(data))])
        with pytest.raises(OvergenError, match=r"cut\.img: cannot be read as a picture \(.+\); repair or remove it"):
            read_picture(tmp_path / "cut.img", (1, 28, 28))


@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_broken_file_is_read_or_named(kind: str, place: int, junk: bytes) -> None:
    data = bytearray(encoded(Image.fromarray(noise(9, 9, 3)), kind).getvalue())
    place %= len(data)
    data[place : place + len(junk)] = junk
    with suppress(OvergenError):  # which is the one that may come
        assert read_picture(io.BytesIO(bytes(data)), (3, 9, 9)).shape == (3, 9, 9)


def test_what_is_no_picture_or_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OvergenError, match=r"none\.png: missing"):
        read_picture(tmp_path / "none.png", (1, 28, 28))
    with pytest.raises(OvergenError, match="cannot be read as a picture"):
        read_picture(tmp_path, (1, 28, 28))
    (tmp_path / "page.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(OvergenError, match=r"page\.eps: cannot be read as a picture"):  # and Ghostscript is not started
        read_picture(tmp_path / "page.eps", (1, 28, 28))
    Image.new("1", (500, 500)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200_000)
    assert read_picture(tmp_path / "large.png", (1, 2, 2)).max() == 0  # of half a bomb Pillow warns only
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    with pytest.raises(OvergenError, match=r"large\.png: too large a picture .*250000 pixels.*scale it down"):
        read_picture(tmp_path / "large.png", (1, 28, 28))


def test_a_member_of_a_zip_file_is_read(tmp_path: Path) -> None:
    pixels = noise(5, 5)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.png", encoded(Image.fromarray(pixels)).getvalue())
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("x.png") as file:
        assert np.array_equal(read_picture(file, (1, 5, 5))[0], pixels)


def test_borders() -> None:
    images = np.zeros((3, 1, 6, 6), np.uint8)
    images[1, :, [0, -1]] = images[1, :, :, [0, -1]] = 255
    images[2, :, 1:-1, 1:-1] = 255
    assert borders(images).tolist() == [0, 255, 0]
    assert bright_borders(images) == pytest.approx(1 / 3)
    assert borders(np.full((1, 3, 1, 1), 9, np.uint8)).tolist() == [9]
