"""Neighbours of an image: changes of a given norm in the box, noise on n pixels, and the stability fitted to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen.attacks.neighbours import brought_to, fit_stability, noisy, replaced


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), norm=st.floats(0.01, 2.0))
def test_what_the_clipping_leaves_has_the_norm(seed: int, norm: float) -> None:
    """An image half of whose pixels lie at an end of [0, 1], as those of digits do."""
    draws = torch.Generator().manual_seed(seed)
    images = torch.rand(3, 60, generator=draws, dtype=torch.float64)
    images[:, ::2] = (images[:, ::2] > 0.5).double()
    change = torch.randn(3, 60, generator=draws, dtype=torch.float64)
    found = brought_to(images, change, torch.full((3,), norm, dtype=torch.float64))
    assert bool(((found >= 0) & (found <= 1)).all())
    assert (found - images).norm(dim=1).numpy() == pytest.approx(norm, rel=1e-9)
    moved = found != images
    assert torch.equal((found - images)[moved].sign(), change[moved].sign())  # along the change or not at all


def test_inside_the_box_nothing_bends() -> None:
    images, change = torch.full((1, 9), 0.5), torch.ones(1, 9)
    found = brought_to(images, change, torch.tensor([0.3]))
    torch.testing.assert_close(found, torch.full((1, 9), 0.6))


def test_a_norm_that_the_box_has_no_room_for_is_an_error() -> None:
    images = torch.tensor([[0.5, 0.5], [1.0, 0.25]])
    with pytest.raises(ValueError, match=r"image 1 reaches L2 0.75 in \[0, 1\], not 0.8"):
        brought_to(images, torch.ones(2, 2), torch.tensor([0.5, 0.8]))


def test_noise_is_gaussian_of_the_norm_and_of_its_own_stream() -> None:
    image = torch.full((784,), 0.5)
    first = noisy(image, 1.0, 50, torch.Generator().manual_seed(1))
    assert torch.equal(first, noisy(image, 1.0, 50, torch.Generator().manual_seed(1)))
    change = (first - image).double()
    assert change.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    values = change.flatten() * 28
    assert float(values.mean()) == pytest.approx(0, abs=0.02)
    assert float((values**4).mean()) == pytest.approx(3, abs=0.15)  # the kurtosis of a Gaussian


def test_n_pixels_are_replaced_and_those_of_fewer_are_among_them() -> None:
    image = torch.full((784,), 2.0)  # no value that the noise could have
    found = replaced(image, [1, 10, 784], torch.Generator().manual_seed(0))
    changed = found != image
    assert changed.sum(1).tolist() == [1, 10, 784]
    assert bool((changed[0] <= changed[1]).all())
    assert torch.equal(found[1][changed[1]], found[2][changed[1]])
    assert 0 <= float(found[2].min()) < float(found[2].max()) < 1


@pytest.mark.parametrize("epsilon", [1e-6, 0.002, 0.3])
def test_the_curve_itself_is_found(epsilon: float) -> None:
    pixels = [1, 3, 10, 100, 784]
    fit = fit_stability(pixels, (1 - epsilon) ** np.array(pixels))
    assert fit.epsilon == pytest.approx(epsilon, rel=1e-3)
    assert fit.unexplained == pytest.approx(0, abs=1e-6)


def test_the_fit_is_the_best_of_a_fine_grid_and_says_what_it_leaves() -> None:
    pixels, shares = [1, 4, 16, 64, 256, 784], np.array([1.0, 1.0, 0.99, 0.97, 0.6, 0.1])
    fit = fit_stability(pixels, shares)
    grid = np.logspace(-5, -0.5, 20_001)
    errors = np.square((1 - grid[:, None]) ** np.array(pixels) - shares).sum(1)
    assert fit.epsilon == pytest.approx(grid[errors.argmin()], rel=1e-3)
    assert fit.unexplained == pytest.approx(errors.min() / (6 * shares.var()), rel=1e-6)
    assert fit.fitted == pytest.approx((1 - fit.epsilon) ** np.array(pixels))


def test_labels_that_always_stay_leave_nothing_to_explain() -> None:
    fit = fit_stability([1, 784], np.ones(2))
    assert fit.epsilon < 1e-6
    assert fit.unexplained == 0
