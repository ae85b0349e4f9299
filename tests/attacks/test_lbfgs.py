"""Box-constrained L-BFGS and the smallest change: against scipy, in closed form, each problem as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from overgen.attacks.lbfgs import least_of_linear, minimise, smallest_change


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
    change = smallest_change(log_score, succeeds, images, bisections=20, iterations=200)  # type: ignore[arg-type]
    assert bool(change.succeeded.all())
    wanted = (logits[:, 0] - logits[:, 1] - bias[1]) / normal.norm()
    norm = (change.image - images).flatten(1).norm(dim=1)
    assert norm.numpy() == pytest.approx(wanted.numpy(), rel=1e-3)
    assert bool((norm >= wanted * (1 - 1e-9)).all())  # no change can be smaller


@pytest.mark.parametrize("seed", range(4))
def test_the_least_change_of_a_linear_network_is_that_of_a_general_solver(seed: int) -> None:
    """Against SLSQP on the primal; an impossible class is infinitely far."""
    rng = np.random.default_rng(seed)
    weight, bias, image = rng.normal(size=(5, 12)), 0.3 * rng.normal(size=5), rng.random(12).round()
    others = [j for j in range(5) if j != 2]
    ahead = weight[2] - weight[others]
    theirs = minimize(
        lambda z: np.square(z - image).sum(), np.full(12, 0.5), jac=lambda z: 2 * (z - image), method="SLSQP",
        bounds=[(0, 1)] * 12, options={"maxiter": 500, "ftol": 1e-14},
        constraints={"type": "ineq", "fun": lambda z: ahead @ z + bias[2] - bias[others], "jac": lambda z: ahead},
    )  # fmt: skip
    assert theirs.success
    assert least_of_linear(image, weight, bias, 2) == pytest.approx(np.sqrt(theirs.fun), rel=1e-5, abs=1e-6)
    bias[2] = -100.0
    assert least_of_linear(image, weight, bias, 2) == np.inf


@pytest.mark.parametrize(("scale", "excess"), [(10.0, (1.0, 1.02)), (1.0, (1.05, 1.3))])
def test_the_search_on_c_ends_above_the_least_change_where_a_network_is_not_certain(
    scale: float, excess: tuple[float, float]
) -> None:
    """Ten classes: the loss asks for more than being ahead, unless the logits are large."""
    draws = torch.Generator().manual_seed(5)
    weight = scale * torch.randn(16, 10, dtype=torch.float64, generator=draws)
    images = torch.rand(20, 1, 4, 4, dtype=torch.float64, generator=draws)
    images[images < 0.4] = 0.0
    images = images[(images.flatten(1) @ weight).argmax(1) != 3]
    log_score, succeeds = linear(weight, torch.zeros(10, dtype=torch.float64), 3)
    change = smallest_change(log_score, succeeds, images, c=scale, bisections=12, iterations=300)  # type: ignore[arg-type]
    assert int(change.succeeded.sum()) >= 10
    succeeded = change.succeeded.numpy()
    norm = (change.image - images).flatten(1).norm(dim=1).numpy()[succeeded]
    flat, of_class = images.flatten(1).numpy()[succeeded], weight.T.numpy()
    least = np.array([least_of_linear(x, of_class, np.zeros(10), 3) for x in flat])
    assert (norm >= least * (1 - 1e-6)).all()
    assert excess[0] <= np.median(norm / least) < excess[1]


def test_every_image_gets_its_bisections_and_no_more() -> None:
    """Images whose c differ by orders of magnitude: what is settled takes no part in what follows."""
    asked: list[int] = []
    scale = torch.tensor([1.0, 1e3], dtype=torch.float64)

    def log_score(rows: Tensor, x: Tensor) -> Tensor:
        return -scale[rows] * (1 - x.flatten(1)[:, 0]).square()

    def succeeds(rows: Tensor, x: Tensor) -> Tensor:
        asked.extend(rows.tolist())
        return x.flatten(1)[:, 0] > 0.5

    images = torch.zeros(2, 1, 1, 1, dtype=torch.float64)
    change = smallest_change(log_score, succeeds, images, c=0.1, bisections=6)
    # c‖r‖² + s(1 − r)² is least at r = s/(s + c): more than a half for c < s
    assert change.c.numpy() == pytest.approx(scale.numpy(), rel=0.05)
    assert bool((change.c < scale).all())
    assert (asked.count(0), asked.count(1)) == (2 + 6, 5 + 6)  # 0.1, 1; and on to 1,000


def test_a_problem_at_the_limit_of_precision_ends_at_once() -> None:
    """No step is halved that promises less than float32 can show: such halvings once were most of the time."""
    calls = 0

    def objective(_: Tensor, x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return 1e4 + (x - 0.3).square().sum(1) * torch.linspace(1, 3, len(x))

    start = torch.rand(40, 8, generator=torch.Generator().manual_seed(0))
    x, _ = minimise(objective, start, tolerance=0.0, iterations=100)
    assert calls < 40
    assert x.numpy() == pytest.approx(0.3, abs=0.05)  # 1e4 hides what is below 1e-3


def sigmoid_network() -> tuple[torch.nn.Module, Tensor, Tensor]:
    """A network of 784-30-10 on digits, with images that it labels right and their labels."""
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(small).float() / 16, torch.from_numpy(labels)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 30), torch.nn.Sigmoid(),
                                  torch.nn.Linear(30, 10))  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            shape, draws = parameter.shape, torch.Generator().manual_seed(parameter.numel())
            parameter.copy_(0.1 * torch.randn(shape, generator=draws))
    adam = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(250):
        loss = torch.nn.functional.cross_entropy(network(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
    network.requires_grad_(False).eval()
    right = (network(x).argmax(1) == y).nonzero()[:20, 0]
    return network, x[right].view(-1, 1, 8, 8), y[right]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_foolbox_finds_no_smaller_changes() -> None:
    """Carlini and Wagner's attack and DDN, both minimal in L2 and towards the same classes, as second opinions."""
    import foolbox

    network, images, labels = sigmoid_network()
    target = (labels + 3) % 10

    def log_score(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_softmax(1).gather(1, target[rows][:, None])[:, 0]

    def succeeds(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).argmax(1) == target[rows]

    change = smallest_change(log_score, succeeds, images, c=1.0)
    assert bool(change.succeeded.all())
    norm = (change.image - images).flatten(1).norm(dim=1)
    model = foolbox.PyTorchModel(network, bounds=(0, 1))
    wanted = foolbox.criteria.TargetedMisclassification(target)
    for attack in (
        foolbox.attacks.L2CarliniWagnerAttack(steps=1000, binary_search_steps=6, stepsize=0.02),
        foolbox.attacks.DDNAttack(steps=500),
    ):
        _, clipped, success = attack(model, images, wanted, epsilons=None)
        norm_of_oracle = (clipped - images).flatten(1).norm(dim=1)
        both = success & clipped.flatten(1).any(1)  # foolbox 3.3.4 also calls a black image a success: it found none
        assert int(both.sum()) >= 15
        ratio = norm[both] / norm_of_oracle[both]
        assert float(ratio.mean()) < 1.03, type(attack).__name__
        assert float(ratio.max()) < 1.25, type(attack).__name__


def test_where_nothing_succeeds_the_image_is_unchanged() -> None:
    weight = torch.zeros(16, 2, dtype=torch.float64)
    log_score, succeeds = linear(weight, torch.tensor([1.0, 0.0], dtype=torch.float64), 1)
    images = torch.rand(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    change = smallest_change(log_score, succeeds, images, brackets=2, bisections=1)  # type: ignore[arg-type]
    assert not bool(change.succeeded.any())
    assert torch.equal(change.image, images)
    assert change.c.tolist() == [0, 0]
