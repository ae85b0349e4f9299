"""Synthesis: its regularisers and parametrisation against formulas of their own, and that objectives rise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overgen.attacks import synthesis
from overgen.attacks.ascent import Regularisers
from overgen.attacks.synthesis import Way
from overgen.run.streams import generator

PIXELS, FOURIER = Way("pixels", 0.02), Way("fourier", 0.05)


def random(*shape: int, key: str = "x") -> torch.Tensor:
    return torch.rand(*shape, generator=generator("synthesis", key), dtype=torch.float64)


def test_total_variation_is_its_sum_and_has_its_gradient() -> None:
    x = random(2, 3, 5, 4).requires_grad_()
    a = x.detach().numpy()
    expected = [
        sum(
            (a[n, c, i, j + 1] - a[n, c, i, j]) ** 2 * (j < 3) if j < 3 else 0
            for c in range(3) for i in range(5) for j in range(4)
        )
        + sum((a[n, c, i + 1, j] - a[n, c, i, j]) ** 2 for c in range(3) for i in range(4) for j in range(4))
        for n in range(2)
    ]  # fmt: skip
    assert synthesis.total_variation(x).tolist() == pytest.approx([total / 60 for total in expected])
    assert torch.autograd.gradcheck(synthesis.total_variation, x)  # by finite differences
    assert synthesis.total_variation(torch.full((1, 3, 4, 4), 0.3)).tolist() == [0]


@given(st.integers(2, 9), st.integers(2, 9), st.sampled_from([1, 3]))
def test_a_spectrum_and_its_image_are_each_others_inverse(height: int, width: int, channels: int) -> None:
    x = 0.01 + 0.98 * random(2, channels, height, width, key=f"{height}-{width}")
    spectrum = synthesis.spectrum_of(x)
    assert spectrum.shape == (2, channels, height, width // 2 + 1, 2)
    torch.testing.assert_close(synthesis.image_of(spectrum, (height, width)), x, rtol=0, atol=1e-5)


def test_an_image_of_a_spectrum_is_numpys() -> None:
    spectrum = torch.randn(1, 3, 6, 4, 2, generator=generator("spectrum"), dtype=torch.float64)
    y, x = np.fft.fftfreq(6)[:, None], np.fft.rfftfreq(7)[None]
    frequency = np.maximum(np.sqrt(x**2 + y**2), 1 / 7)
    values = spectrum[0].numpy()
    mixed = np.fft.irfft2((values[..., 0] + 1j * values[..., 1]) / frequency, s=(6, 7), norm="ortho") / 4
    matrix = np.array(synthesis.COLOURS)
    matrix /= np.sqrt((matrix**2).sum(0).max())
    expected = 1 / (1 + np.exp(-np.tensordot(matrix, mixed, axes=1)))
    found = synthesis.image_of(spectrum, (6, 7))[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_images_are_rolled_each_by_its_own_stream() -> None:
    x = random(2, 3, 6, 6)
    streams = [generator("a"), generator("b")]
    rolled = synthesis.rolled(x, 2, streams)
    for image, moved in zip(x, rolled, strict=True):
        places = [(down, across) for down in range(-2, 3) for across in range(-2, 3)
                  if torch.equal(image.roll((down, across), (1, 2)), moved)]  # fmt: skip
        assert len(places) == 1
    torch.testing.assert_close(synthesis.rolled(x[1:], 2, [generator("b")]), rolled[1:])
    assert torch.equal(synthesis.rolled(x, 0, streams), x)


def brightness(x: torch.Tensor) -> torch.Tensor:
    """Rises where the upper half is light and the lower dark."""
    middle = x.shape[2] // 2
    return x[:, :, :middle].flatten(1).mean(1) - x[:, :, middle:].flatten(1).mean(1)


@pytest.mark.parametrize(
    "way",
    [
        PIXELS,
        Way("pixels", 0.02, Regularisers(decay=0.01, blur=0.5)),
        Way("pixels", 0.02, total_variation=0.1),
        FOURIER,
        Way("fourier", 0.05, jitter=1),
    ],
)
def test_an_objective_rises_in_every_way(way: Way) -> None:
    streams = [generator("rise", i) for i in range(2)]
    start = torch.cat([synthesis.noise((3, 8, 8), way, stream) for stream in streams])
    made = synthesis.synthesise(brightness, start, way, steps=20, streams=streams)
    assert made.shape == start.shape
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert bool((brightness(made) > brightness(start) + 0.1).all())
    streams = [generator("rise", i) for i in range(2)]
    for stream in streams:
        synthesis.noise((3, 8, 8), way, stream)
    alone = synthesis.synthesise(brightness, start[1:], way, steps=20, streams=streams[1:])
    torch.testing.assert_close(alone, made[1:])  # an image does not hang on those beside it


def test_total_variation_makes_smoother_images() -> None:
    start, streams = random(1, 3, 8, 8).float(), [generator("smooth")]
    free, bound = (
        synthesis.synthesise(brightness, start, Way("pixels", 0.02, total_variation=weight), steps=10, streams=streams)
        for weight in (0.0, 10.0)
    )
    assert float(synthesis.total_variation(bound)) < 0.7 * float(synthesis.total_variation(free))


def test_a_dream_keeps_the_photograph_and_grows_in_octaves() -> None:
    photograph = random(3, 32, 32).float()
    dreamt = synthesis.dream(brightness, photograph, PIXELS, sides=[16, 24], steps=4, stream=generator("dream"))
    still = synthesis.resized(photograph[None], 24)
    assert dreamt.shape == (3, 24, 24)
    assert float(brightness(dreamt[None])) > float(brightness(still)) + 0.1
    assert float(torch.corrcoef(torch.stack([dreamt.flatten(), still.flatten()]))[0, 1]) > 0.5


def test_an_objective_without_a_gradient_is_named() -> None:
    start, streams = torch.full((1, 3, 4, 4), 0.5), [generator("none")]
    with pytest.raises(FloatingPointError, match=r"norms \[0\.0\] after 0 steps"):
        synthesis.synthesise(lambda x: 0 * x.flatten(1).sum(1), start, PIXELS, steps=2, streams=streams)
    with pytest.raises(FloatingPointError, match=r"norms \[nan\]"):
        synthesis.synthesise(lambda x: torch.nan * x.flatten(1).sum(1), start, FOURIER, steps=2, streams=streams)
