"""Box-constrained L-BFGS and the smallest change: against scipy, in closed form, each problem as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from overgen.attacks.lbfgs import minimise, smallest_change


def rosenbrock(x: Tensor) -> Tensor:
    """(R, D) → (R,): a curved valley with its floor at 1, 1, …"""
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)


@pytest.mark.parametrize("upper", [2.0, 0.8])  # the minimum inside the box, and outside
def test_minima_are_those_of_scipy(upper: float) -> None:
    start = torch.rand(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * upper
    x, value = minimise(lambda _, x: rosenbrock(x), start, upper=upper, iterations=2000, tolerance=1e-8)
    for i, first in enumerate(start.numpy()):

        def both(p: np.ndarray) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(p)[None].requires_grad_()
            found = rosenbrock(point)
            found.sum().backward()
            return found.item(), point.grad[0].numpy()  # type: ignore[index]

        options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}
        theirs = minimize(both, first, jac=True, method="L-BFGS-B", bounds=[(0, upper)] * 8, options=options)
        assert float(value[i]) == pytest.approx(theirs.fun, abs=1e-8)
        assert x[i].numpy() == pytest.approx(theirs.x, abs=1e-4)
    assert bool(((x >= 0) & (x <= upper)).all())


def test_a_problem_is_solved_as_if_it_were_alone() -> None:
    """Of different lengths, scales and ends, and with rows that end early: the others do not notice."""
    start = torch.rand(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    start[2] = 1.0  # there already
    scales = torch.tensor([1.0, 50.0, 1.0, 0.01, 3.0], dtype=torch.float64)
    together, _ = minimise(lambda rows, x: scales[rows] * rosenbrock(x), start, upper=2, iterations=300)
    for i in range(5):
        alone, _ = minimise(lambda _, x, i=i: scales[i] * rosenbrock(x), start[i : i + 1], upper=2, iterations=300)
        assert together[i].numpy() == pytest.approx(alone[0].numpy(), abs=1e-12)
    assert bool((together[2] == 1).all())


def test_it_needs_no_more_evaluations_than_scipy() -> None:
    """A quadratic of condition 1,000 in a box that is far away: gradient descent would need thousands."""
    calls = 0
    weights = torch.logspace(0, 3, 20, dtype=torch.float64)

    def objective(_: Tensor, x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return (weights * (x - 0.3) ** 2).sum(1)

    start = torch.ones(1, 20, dtype=torch.float64)
    x, _ = minimise(objective, start, lower=-9, upper=9, iterations=300, tolerance=1e-6)
    assert x[0].numpy() == pytest.approx(0.3, abs=1e-5)
    w = weights.numpy()
    theirs = minimize(
        lambda p: ((w * (p - 0.3) ** 2).sum(), 2 * w * (p - 0.3)), np.ones(20), jac=True, method="L-BFGS-B",
        options={"gtol": 1e-6, "ftol": 0},
    )  # fmt: skip
    assert calls < 1.3 * theirs.nfev


def test_what_is_not_finite_is_an_error() -> None:
    with pytest.raises(FloatingPointError, match="not finite after 0 iterations"):
        minimise(lambda _, x: (x - 0.5).sqrt().sum(1), torch.zeros(2, 3))


def linear(weight: Tensor, bias: Tensor, target: int) -> tuple[object, object]:
    """log softmax of a linear map of images (R, 1, 4, 4), and whether it sees the target."""

    def log_score(_: Tensor, x: Tensor) -> Tensor:
        return (x.flatten(1) @ weight + bias).log_softmax(1)[:, target]

    def succeeds(_: Tensor, x: Tensor) -> Tensor:
        return (x.flatten(1) @ weight + bias).argmax(1) == target

    return log_score, succeeds


def test_the_smallest_change_of_a_linear_network_is_known() -> None:
    """Two classes: the distance to the plane between them, as long as the box is far away."""
    draws = torch.Generator().manual_seed(3)
    weight = torch.randn(16, 2, dtype=torch.float64, generator=draws)
    images = 0.4 + 0.2 * torch.rand(7, 1, 4, 4, dtype=torch.float64, generator=draws)
    normal = weight[:, 1] - weight[:, 0]
    logits = images.flatten(1) @ weight
    bias = torch.tensor([0.0, float((logits[:, 0] - logits[:, 1]).min() - 0.3)], dtype=torch.float64)
    log_score, succeeds = linear(weight, bias, 1)
    found = smallest_change(log_score, succeeds, images, bisections=20, iterations=200)  # type: ignore[arg-type]
    assert bool(found.found.all())
    wanted = (logits[:, 0] - logits[:, 1] - bias[1]) / normal.norm()
    apart = (found.image - images).flatten(1).norm(dim=1)
    assert apart.numpy() == pytest.approx(wanted.numpy(), rel=1e-3)
    assert bool((apart >= wanted * (1 - 1e-9)).all())  # no change can be smaller


def test_where_nothing_succeeds_the_image_is_unchanged() -> None:
    weight = torch.zeros(16, 2, dtype=torch.float64)
    log_score, succeeds = linear(weight, torch.tensor([1.0, 0.0], dtype=torch.float64), 1)
    images = torch.rand(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = smallest_change(log_score, succeeds, images, brackets=2, bisections=1)  # type: ignore[arg-type]
    assert not bool(found.found.any())
    assert torch.equal(found.image, images)
    assert found.c.tolist() == [0, 0]
