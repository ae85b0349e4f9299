"""Unknowns: each kind has the property that it is called after, in any shape, and its bytes from its stream alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from torch import Tensor

from overgen import OvergenError, data
from overgen.data import sources, unknowns
from overgen.run.streams import generator

DIGESTS = {"uniform": "b4a09fc8", "constant": "27c4ba21", "shuffled": "83ce0f55", "patches": "78fabc13"}
SHAPES = [(1, 28, 28), (3, 32, 20), (3, 96, 96), (1, 1, 5)]


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return sources.SOURCES["digits"](Path("none"), None).test_images[:60]


def made(shape: tuple[int, ...], count: int = 9) -> dict[str, Tensor]:
    known = torch.randint(0, 256, (30, *shape), generator=generator("known")).byte()
    streams = {kind: generator("unknowns", kind) for kind in unknowns.KINDS}
    return unknowns.generated(known, count, streams)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_in_every_shape_is_bytes_by_its_stream_alone(shape: tuple[int, ...]) -> None:
    first, second = made(shape), made(shape)
    assert tuple(first) == unknowns.KINDS
    for kind, images in first.items():
        assert (images.shape, images.dtype) == ((9, *shape), torch.uint8), kind
        assert torch.equal(images, second[kind])
        assert len(np.unique(images.flatten(1).numpy(), axis=0)) > 6, kind  # each its own
    alone = unknowns.generated(first["uniform"], 9, {"smooth": generator("unknowns", "smooth")})
    assert torch.equal(alone["smooth"], first["smooth"])


def test_bytes_of_generators_stay() -> None:
    """So that scores can be compared with published ones; of those kinds that need no function of a float."""
    images = made((1, 28, 28))
    digests = {kind: hashlib.md5(images[kind].numpy().tobytes()).hexdigest()[:8] for kind in DIGESTS}
    assert digests == DIGESTS


def test_noise_has_its_distribution() -> None:
    noise = unknowns.uniform_images(200, (1, 28, 28), generator("a")).double()
    assert abs(noise.mean() - 127.5) < 1
    assert abs(noise.std() - 255 / 12**0.5) < 1
    normal = unknowns.normal_images(200, (3, 8, 8), 120.0, 20.0, generator("a")).double()
    assert abs(normal.mean() - 120) < 0.5
    assert abs(normal.std() - 20) < 0.5


def test_normal_noise_is_as_bright_as_the_known_images(digits: Tensor) -> None:
    assert unknowns.moments(digits) == pytest.approx(
        (float(digits.double().mean()), float(digits.double().std())), 1e-4
    )
    known = torch.full((9, 1, 16, 16), 100, dtype=torch.uint8)
    known[::2] = 140
    noise = unknowns.generated(known, 200, {"normal": generator("a")})["normal"].double()
    assert noise.mean() == pytest.approx(140 * 5 / 9 + 100 * 4 / 9, abs=0.5)


def test_large_images_are_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknowns, "BLOCK", 3 * 28 * 28)
    images = made((1, 28, 28), 8)
    assert all(len(x) == 8 and len(np.unique(x.flatten(1).numpy(), axis=0)) > 5 for x in images.values())


def test_shuffled_images_keep_their_histogram(digits: Tensor) -> None:
    for kind in (unknowns.shuffled, unknowns.shuffled_patches):
        mixed = kind(digits, generator("a"))
        assert torch.equal(mixed.flatten(1).sort(1).values, digits.flatten(1).sort(1).values)
        assert (mixed != digits).flatten(1).any(1).float().mean() > 0.9
    numbered = torch.arange(28 * 28).div(49, rounding_mode="floor").view(1, 1, 28, 28).byte()
    orders = {tuple(unknowns.shuffled_patches(numbered, generator(i)).flatten().tolist()) for i in range(5)}
    assert len(orders) == 5


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 13), st.integers(1, 13), st.integers(0, 99))
def test_patches_are_whole_and_what_is_left_over_stays(height: int, width: int, seed: int) -> None:
    images = torch.arange(2 * 3 * height * width).view(2, 3, height, width)
    mixed = unknowns.shuffled_patches(images, generator(seed))
    h, w = max(height // 4, 1), max(width // 4, 1)
    rows, columns = min(4, height) * h, min(4, width) * w
    assert torch.equal(mixed[:, :, rows:], images[:, :, rows:])
    assert torch.equal(mixed[:, :, :, columns:], images[:, :, :, columns:])
    for n in range(2):
        patches = [
            {
                tuple(x[n, :, i : i + h, j : j + w].flatten().tolist())
                for i in range(0, rows, h)
                for j in range(0, columns, w)
            }
            for x in (images, mixed)
        ]
        assert patches[0] == patches[1]


def test_phases_go_and_amplitudes_stay(digits: Tensor) -> None:
    """Of images far from black and white nothing is clipped; of digits the mean stays within what clipping does."""
    middle = 96 + digits.double().div(8).round().byte()
    changed = unknowns.phase_randomised(middle, generator("a"))
    before, after = (np.abs(np.fft.fft2(x.numpy().astype(float))) for x in (middle, changed))
    assert np.abs(before - after).max() < 60  # rounding to bytes: up to 0.5 in each of 784 pixels
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99999
    correlation = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(middle.numpy(), changed.numpy(), strict=True)
    ]
    assert abs(np.mean(correlation)) < 0.2
    colour = middle.expand(-1, 3, -1, -1)
    same = unknowns.phase_randomised(colour, generator("a"))
    assert torch.equal(same[:, 0], same[:, 2])  # one phase for all channels: gray stays gray


def test_smooth_noise_falls_as_one_over_f() -> None:
    noise = unknowns.smooth_noise(50, (3, 64, 64), generator("a"))
    assert (noise.amin((2, 3)) == 0).all()
    assert (noise.amax((2, 3)) == 255).all()
    power = np.abs(np.fft.fft2(noise.numpy().astype(float))).mean((0, 1))
    f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64))
    chosen = (f > 0.02) & (f < 0.4)
    slope = np.polyfit(np.log(f[chosen]), np.log(power[chosen]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)
    white = unknowns.uniform_images(50, (3, 64, 64), generator("a"))
    power = np.abs(np.fft.fft2(white.numpy().astype(float))).mean((0, 1))
    assert abs(np.polyfit(np.log(f[chosen]), np.log(power[chosen]), 1)[0]) < 0.1


def test_constant_images_are() -> None:
    images = unknowns.constant_images(300, (3, 9, 7), generator("a"))
    assert (images.amin((2, 3)) == images.amax((2, 3))).all()
    assert len(images[:, 0, 0, 0].unique()) > 150


def test_gray_constant_images_are_draws_from_256() -> None:
    images = unknowns.constant_images(500, (1, 28, 28), generator("unknowns", "mnist", "constant"))
    assert len(images[:, 0, 0, 0].unique()) == 223  # docs/extending.md says so
    expected = 256 * (1 - (255 / 256) ** 2_000)
    levels = unknowns.constant_images(2_000, (1, 2, 2), generator("a"))[:, 0, 0, 0]
    assert abs(len(levels.unique()) - expected) < 2
    assert abs(float(levels.float().mean()) - 127.5) < 4 * 73.9 / 2_000**0.5
    in_colour = unknowns.constant_images(500, (3, 2, 2), generator("a"))[:, :, 0, 0]
    assert len(in_colour.unique(dim=0)) == 500


def test_silhouettes_and_boards_have_two_colours_and_waves_more() -> None:
    for kind, few in ((unknowns.silhouettes, True), (unknowns.checkers, True), (unknowns.stripes, False),
                      (unknowns.clouds, False)):  # fmt: skip
        images = kind(40, (3, 48, 64), generator("a"))
        colours = [len(image.flatten(1).unique(dim=1).T) for image in images]
        assert (max(colours) == min(colours) == 2) if few else min(colours) > 20, kind
        values = images.flatten(2)
        gap = values.amax(2).int() - values.amin(2).int()
        assert gap.min() >= 60, kind
    shapes = unknowns.silhouettes(200, (1, 64, 64), generator("b"))[:, 0].int()
    edge = torch.cat([shapes[:, 0], shapes[:, -1], shapes[:, :, 0], shapes[:, :, -1]], 1)
    assert (edge == edge[:, :1]).float().mean() > 0.98  # the ground is around it
    inside = (shapes != shapes[:, :1, :1]).flatten(1).float().mean(1)
    assert 0.01 < inside.min() < inside.max() < 0.7


def test_stripes_vary_along_one_direction_only() -> None:
    for image in unknowns.stripes(20, (1, 64, 64), generator("a"))[:, 0].numpy().astype(float):
        spectrum = np.abs(np.fft.fft2((image - image.mean()) * np.outer(np.hanning(64), np.hanning(64))))
        top = np.sort(spectrum.ravel())[::-1]
        assert (top[:40] ** 2).sum() > 0.97 * (top**2).sum()


def test_unknowns_of_ones_own(tmp_path: Path) -> None:
    gray, colour = np.zeros((4, 5, 6), np.uint8), np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)
    np.savez(tmp_path / "gray.npz", image=gray)
    save_file({"image": colour}, tmp_path / "colour.safetensors")
    save_file({"image": np.ascontiguousarray(colour.transpose(0, 3, 1, 2))}, tmp_path / "planes.safetensors")
    assert unknowns.read(tmp_path / "gray.npz", (1, 5, 6)).shape == (4, 1, 5, 6)
    found = unknowns.read(tmp_path / "colour.safetensors", (3, 5, 6))
    assert torch.equal(found, data.planes(torch.from_numpy(colour)))
    assert torch.equal(unknowns.read(tmp_path / "planes.safetensors", (3, 5, 6)), found)
    np.savez(tmp_path / "other.npz", pictures=gray)
    np.savez(tmp_path / "float.npz", image=gray / 255)
    np.savez(tmp_path / "objects.npz", image=np.array([{}]))
    (tmp_path / "text.npz").write_text("no archive")
    for name, shape, message in (
        ("none.npz", (1, 5, 6), "none.npz: missing"),
        ("other.npz", (1, 5, 6), "has no array `image`; there are pictures"),
        ("float.npz", (1, 5, 6), r"image is float64 \(4, 5, 6\); it must be uint8"),
        ("gray.npz", (1, 6, 6), r"image is uint8 \(4, 5, 6\).* = \(1, 6, 6\)"),
        ("gray.npz", (3, 5, 6), r"= \(3, 5, 6\)"),
        ("objects.npz", (1, 5, 6), "objects.npz: neither"),
        ("text.npz", (1, 5, 6), "text.npz: neither .npz nor .safetensors"),
    ):
        with pytest.raises(OvergenError, match=message):
            unknowns.read(tmp_path / name, shape)
