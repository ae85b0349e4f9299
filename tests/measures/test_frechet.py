"""The Fréchet distance of two Gaussians, by a closed form and by scipy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from overgen.measures.frechet import frechet_distance


def clouds(seed: int, n: int = 60, m: int = 40, d: int = 5) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, d)) @ draw.normal(size=(d, d)), draw.normal(1, 2, size=(m, d))


def test_clouds_whose_axes_agree_have_the_closed_form() -> None:
    """Corners of boxes: ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)², the covariances being diagonal."""
    corners = np.array([[i, j] for i in (-1.0, 1.0) for j in (-1.0, 1.0)])
    first, second = corners * [3, 1], corners * [1, 2] + [5, -7]
    scale = 4 / 3  # of a variance with n − 1 in its denominator
    expected = 25 + 49 + scale * ((3 - 1) ** 2 + (1 - 2) ** 2)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 10_000))
def test_it_is_scipys_matrix_root_in_the_formula(seed: int) -> None:
    first, second = clouds(seed)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    found = frechet_distance(first, second)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found == pytest.approx(frechet_distance(second, first), rel=1e-9)


def test_a_cloud_is_at_no_distance_from_itself_whatever_its_rank() -> None:
    flat = np.random.default_rng(0).normal(size=(4, 9))  # rank 3 of 9
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(flat, flat + 2) == pytest.approx(4 * 9, rel=1e-6)


@pytest.mark.parametrize("wrong", [np.zeros((3, 2)), np.zeros((1, 3)), np.zeros(3), np.full((3, 3), np.nan)])
def test_other_features_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="features"):
        frechet_distance(wrong, np.zeros((3, 3)))
