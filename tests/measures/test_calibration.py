"""Temperatures against a grid, torch's LBFGS and known cases; calibration errors of scores that are calibrated."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen.measures import calibration, metrics
from overgen.measures.accuracy import accuracy_rows
from overgen.models.cnn import COOL


def problem(seed: int = 0, n: int = 400, classes: int = 4, omega: int = 1, sure: float = 2.0):
    """Logits and labels with some mistakes among them."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(classes, size=n)
    logits = draw.normal(0, 2, (n, classes, omega))
    logits[np.arange(n), labels] += sure
    return logits.reshape(n, -1), labels


def by_torch(logits: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """The temperature by torch's LBFGS with autograd, of a loss that is written out."""
    z = torch.from_numpy(logits).view(len(logits), classes, -1)
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        log_p = (z / log_t.exp()).flatten(1).log_softmax(1).view_as(z)
        loss = -log_p.sum(2)[torch.arange(len(z)), torch.from_numpy(labels)].mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return float(log_t.detach().exp())


@pytest.mark.parametrize("omega", [1, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_temperature_is_that_of_a_grid_and_of_lbfgs(seed: int, omega: int) -> None:
    logits, labels = problem(seed, omega=omega)
    found = calibration.fit(logits, labels, 4)
    grid = np.geomspace(0.1, 20, 2001)
    rows = np.arange(len(labels))
    losses = [-calibration.log_scores(logits, t, 4)[rows, labels].mean() for t in grid]
    assert abs(math.log(found.value / grid[int(np.argmin(losses))])) < 1.01 * math.log(grid[1] / grid[0])
    assert found.value == pytest.approx(by_torch(logits, labels, 4), rel=1e-5)
    assert found.images == 400


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), factor=st.floats(0.2, 5), omega=st.sampled_from([1, 3]), shift=st.floats(-50, 50))
def test_logits_times_c_have_a_temperature_times_c(seed: int, factor: float, omega: int, shift: float) -> None:
    """And its interval; and what is added to all logits of an image changes nothing."""
    logits, labels = problem(seed, n=120, omega=omega)
    first, other = (calibration.fit(z, labels, 4) for z in (logits, factor * logits + shift))
    assert other.value == pytest.approx(factor * first.value, rel=1e-4)
    assert first.interval is not None
    assert other.interval == pytest.approx(tuple(factor * end for end in first.interval), rel=1e-3)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), temperature=st.floats(0.05, 50), omega=st.sampled_from([1, 4]))
def test_a_temperature_changes_no_class_and_turns_confidence_one_way(seed: int, temperature: float, omega: int) -> None:
    logits, _ = problem(seed, n=60, omega=omega)
    plain, other = (calibration.log_scores(logits, t, 4) for t in (1.0, temperature))
    np.testing.assert_array_equal(plain.argmax(1), other.argmax(1))
    assert (other <= 1e-12).all()
    if omega == 1:
        np.testing.assert_allclose(np.exp(other).sum(1), 1)
        rise = other.max(1) - plain.max(1)
        assert (rise * (1 - temperature) >= -1e-9).all()


def test_the_units_of_cool_give_its_score() -> None:
    network = COOL(classes=10, omega=10, output_std=0.5).eval()
    network.initialise(torch.Generator().manual_seed(1))
    x = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        units, log_y = network.fc2(network.encode(x)), network(x).log_y
    np.testing.assert_allclose(calibration.log_scores(units.numpy(), 1, 10), log_y.numpy(), atol=1e-4, rtol=1e-5)


def test_an_interval_covers_the_temperature_of_the_source_as_often_as_it_says() -> None:
    """Labels are drawn from softmax(z / 2): T = 2. Of 200 draws 95 % are to be covered, at least 90 %, not all."""
    draw = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        z = draw.normal(0, 4, (150, 3))
        p = np.exp(calibration.log_scores(z, 2.0, 3))
        labels = (p.cumsum(1) < draw.random((150, 1))).sum(1)
        low, high = calibration.fit(z, labels, 3).interval
        covered += low < 2 < high
    assert 180 <= covered < 200


def test_without_a_mistake_a_temperature_falls_to_the_end_and_has_no_interval() -> None:
    logits = np.eye(3)[[0, 1, 2, 1]]
    found = calibration.fit(logits, np.array([0, 1, 2, 1]), 3)
    assert found.value == pytest.approx(calibration.RANGE[0], rel=0.01)
    assert found.interval is None


def test_a_top_score_is_fitted_to_how_often_it_is_right() -> None:
    """Against a grid of its loss, written out; of a softmax it is much the temperature of the likelihood."""
    logits, labels = problem(7, n=3000, classes=3, sure=1.5)
    found = calibration.fit_top_score(logits, labels, 3)
    grid = np.geomspace(0.5, 8, 1001)
    costs = []
    for t in grid:
        p = np.exp(logits / t) / np.exp(logits / t).sum(1, keepdims=True)
        right = p.argmax(1) == labels
        costs.append(-np.log(np.where(right, p.max(1), 1 - p.max(1))).mean())
    assert found.value == pytest.approx(grid[int(np.argmin(costs))], rel=0.01)
    likely = calibration.fit(logits, labels, 3)
    low, high = found.interval
    assert low < likely.value < high
    assert high - low == pytest.approx(likely.interval[1] - likely.interval[0], rel=0.5)
    with pytest.raises(ValueError, match="must be one for each"):
        calibration.fit_top_score(logits, labels[1:], 3)


def test_units_that_are_calibrated_make_no_calibrated_product() -> None:
    """As COOL's, of 8 units a class: its own temperature brings the error down, that of the likelihood does not."""
    draw = np.random.default_rng(8)
    labels = draw.integers(4, size=4000)
    z = draw.normal(0, 0.05, (4000, 4, 8)) + 3 * draw.normal(0, 1, (4000, 4, 1))
    z[np.arange(4000), labels] += 8
    z = z.reshape(4000, -1)
    errors = {}
    fitted = {name: fit(z, labels, 4).value for name, fit in (("likelihood", calibration.fit),
                                                               ("top", calibration.fit_top_score))}  # fmt: skip
    for name, temperature in ({"plain": 1.0} | fitted).items():
        log_y = calibration.log_scores(z, temperature, 4)
        diagram = metrics.reliability(np.exp(log_y.max(1)), log_y.argmax(1) == labels, 15)
        errors[name] = metrics.calibration_error(diagram)
    assert errors["top"] < errors["plain"] / 2 < errors["likelihood"] / 2


def test_a_top_score_that_is_always_right_falls_to_the_end() -> None:
    found = calibration.fit_top_score(np.eye(3)[[0, 1, 2, 1]], np.array([0, 1, 2, 1]), 3)
    assert found.interval is None
    assert found.value == pytest.approx(calibration.RANGE[0], rel=0.01)


def test_what_is_no_problem_is_refused() -> None:
    logits, labels = problem(n=5)
    with pytest.raises(ValueError, match="must be one of"):
        calibration.fit(logits, labels + 4, 4)
    with pytest.raises(ValueError, match="must be one of"):
        calibration.fit(logits[:0], labels[:0], 4)
    with pytest.raises(ValueError, match="of 3 classes"):
        calibration.log_scores(logits, 1.0, 3)
    with pytest.raises(ValueError, match="must be above 0"):
        calibration.log_scores(logits, 0.0, 4)


def test_losses_by_hand() -> None:
    y = np.array([[0.7, 0.2, 0.1], [0.0625, 0.125, 0.25]])  # the second row as COOL's: it sums to less than 1
    found = calibration.losses(np.log(y), np.array([0, 2]))
    assert found["negative_log_likelihood"].tolist() == pytest.approx([-math.log(0.7), math.log(4)])
    assert found["brier_score"].tolist() == pytest.approx([0.3**2 + 0.2**2 + 0.1**2, 0.0625**2 + 0.125**2 + 0.75**2])


def test_calibrated_scores_have_an_error_by_chance_alone() -> None:
    """Scores that are right as often as they say: the error is small, and among what chance gives."""
    draw = np.random.default_rng(5)
    scores = draw.uniform(0.3, 1, 20_000)
    right = draw.random(20_000) < scores
    error = metrics.calibration_error(metrics.reliability(scores, right, 15))
    mean, (low, high) = calibration.error_by_chance(scores, 15, 100, torch.Generator().manual_seed(0))
    assert error < 0.012
    assert low < error < high
    assert low < mean < high
    too_sure = metrics.calibration_error(metrics.reliability(scores**0.5, right, 15))
    assert too_sure > 5 * high
    ends = calibration.resampled_error(scores**0.5, right, 15, 100, torch.Generator().manual_seed(0))
    assert ends[0] < too_sure < ends[1]


def test_calibration_takes_the_error_from_scores_that_are_too_sure() -> None:
    """Labels from softmax(z), logits 3z: T = 3 brings the error down to chance, and the accuracy stays."""
    draw = np.random.default_rng(6)
    z = draw.normal(0, 2, (20_000, 5))
    p = np.exp(calibration.log_scores(z, 1.0, 5))
    labels = (p.cumsum(1) < draw.random((len(z), 1))).sum(1).clip(max=4)
    found = calibration.fit(3 * z, labels, 5)
    assert found.value == pytest.approx(3, rel=0.03)
    errors, rights = [], []
    for temperature in (1.0, found.value):
        log_y = calibration.log_scores(3 * z, temperature, 5)
        right = log_y.argmax(1) == labels
        errors.append(metrics.calibration_error(metrics.reliability(np.exp(log_y.max(1)), right, 15)))
        outputs = {"log_y": log_y[None], "labels": labels, "seeds": np.zeros(1, int)}
        rights.append(accuracy_rows(outputs, [(0.9, 0.0)], 10.0)[0]["reproduced"])
    assert errors[0] > 0.15
    assert errors[1] < 0.015
    assert rights[0] == rights[1]
