"""Laws of how many changed pixels a label outlives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, multinomial

from overgen.measures.stability import Law, fit, losses, misfit, survivors

PIXELS = [1, 4, 16, 64, 256, 784]


def counts_under(law: Law, images: int, seed: int = 0) -> np.ndarray:
    chances = -np.diff(np.concatenate([[1.0], law(PIXELS), [0.0]]))
    return np.random.default_rng(seed).multinomial(images, chances / chances.sum())


def test_a_label_is_lost_where_it_first_changes() -> None:
    kept = np.array([[True, True, True], [True, False, True], [False, False, False], [True, True, False]])
    assert losses(kept).tolist() == [1, 1, 1, 1]
    assert survivors(losses(kept)).tolist() == [3, 2, 1]


def test_epsilon_is_the_most_likely_on_a_grid() -> None:
    counts = counts_under(Law(0.01, 1.0, 0.0), 500)
    found = fit(PIXELS, counts)
    grid = np.geomspace(1e-3, 1e-1, 4001)  # of ε
    shares = (1 - grid[:, None]) ** np.array(PIXELS)
    chances = -np.diff(np.concatenate([np.ones((4001, 1)), shares, np.zeros((4001, 1))], 1), axis=1)
    likelihoods = multinomial.logpmf(counts, counts.sum(), chances)
    assert found.epsilon == pytest.approx(grid[likelihoods.argmax()], rel=2e-3)
    constant = likelihoods.max() - found.log_likelihood  # the multinomial coefficient, whatever ε
    assert constant == pytest.approx(multinomial.logpmf(counts, 500, counts / 500) - counts @ np.log(counts / 500))


def test_one_number_of_pixels_has_a_closed_form() -> None:
    """Of 100 images 25 keep their labels under n pixels: (1 − ε)ⁿ = 1/4."""
    for n in (1, 10, 300):
        assert fit([n], np.array([75, 25])).epsilon == pytest.approx(1 - 0.25 ** (1 / n), rel=1e-4)


def test_the_exponent_is_found_and_only_the_right_law_passes_the_test() -> None:
    for exponent in (0.5, 1.0, 2.0):
        law = Law(0.01, exponent, 0.0)
        counts = counts_under(law, 4000)
        wider, power = fit(PIXELS, counts, exponent=None), fit(PIXELS, counts)
        assert wider.exponent == pytest.approx(exponent, rel=0.1)
        assert wider.rate == pytest.approx(0.01, rel=0.1)
        assert wider.log_likelihood >= power.log_likelihood - 1e-9
        assert misfit(PIXELS, counts, wider, fitted=2).p > 1e-3
        assert (misfit(PIXELS, counts, power, fitted=1).p > 1e-3) == (exponent == 1)


def test_the_chi_squared_test_is_pearsons() -> None:
    law = Law(0.01, 1.0, 0.0)
    counts = counts_under(law, 1000)
    expected = -np.diff(np.concatenate([[1.0], law(PIXELS), [0.0]])) * 1000
    # the bins beyond 256 pixels hold fewer than 5 images together with their neighbours
    kept, last = expected[:5], expected[5:].sum()
    assert kept.min() > 5
    groups, held = np.append(kept, last), np.append(counts[:5], counts[5:].sum())
    if last < 5:
        groups, held = np.append(kept[:-1], kept[-1] + last), np.append(counts[:4], counts[4:].sum())
    value = float(((held - groups) ** 2 / groups).sum())
    found = misfit(PIXELS, counts, law, fitted=1)
    assert found.chi_squared == pytest.approx(value)
    assert found.freedom == len(groups) - 2
    assert found.p == pytest.approx(chi2.sf(value, len(groups) - 2))


def test_small_bins_are_put_together_from_either_end() -> None:
    pixels, counts = (1, 2, 3, 100, 101), np.array([3, 1, 2, 80, 1, 13])
    expected = 100 * -np.diff([1, *np.exp(-0.02 * np.array(pixels)), 0])
    assert (expected[[0, 1, 2, 4]] < 2).all()  # the first three hold more than 5 together
    held, groups = np.array([6, 80, 14]), np.array([expected[:3].sum(), expected[3], expected[4:].sum()])
    found = misfit(pixels, counts, Law(0.02, 1.0, 0.0), fitted=0)
    assert found.chi_squared == pytest.approx(((held - groups) ** 2 / groups).sum())
    assert found.freedom == 2


@pytest.mark.parametrize("counts", [[0, 0, 0, 0, 0, 0, 50], [50, 0, 0, 0, 0, 0, 0]])
def test_labels_that_all_stay_or_all_go_end_at_an_edge(counts: list[int]) -> None:
    found = fit(PIXELS, np.array(counts))
    assert found(PIXELS)[0] == pytest.approx(1 if counts[0] == 0 else 0, abs=1e-6)
    assert math.isfinite(fit(PIXELS, np.array(counts), exponent=None).exponent)
    assert math.isnan(misfit(PIXELS, np.array(counts), found, fitted=1).p)
