"""Gradient attacks on ỹ against a plain loop, through every term of the loss, and what is counted of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overgen import OvergenError
from overgen.attacks import gradient
from overgen.attacks.passage import Passage
from overgen.models import Output, registry
from overgen.run.streams import generator

from attacking import Linear, trainer

RATE, UPDATES = 0.003, 150


def module(net: torch.nn.Module, images: torch.Tensor, **options: object) -> gradient.GradientAttack:
    arguments: dict[str, object] = {"shape": (1, 28, 28), "threshold": (0.9, 20.0), "beta": 10.0, "probes": 2,
                                    "learning_rate": RATE, "objective": "cross_entropy", "check": 5}  # fmt: skip
    return gradient.GradientAttack(net, images, torch.arange(len(images)), **(arguments | options))


def noise(trials: int = 3) -> torch.Tensor:
    return torch.stack([torch.rand(784, generator=generator("g", t), dtype=torch.float64) for t in range(trials)])


@pytest.mark.parametrize("objective", ["cross_entropy", "margin"])
@pytest.mark.parametrize("apart", [None, 1.0])
def test_first_passages_are_those_of_a_plain_loop(objective: str, apart: float | None) -> None:
    """One trial after another, torch's Adam on the pixels, clamped: the same updates, the same image."""
    net = Linear(apart=apart)
    found = module(net, noise(), objective=objective).run(trainer(), UPDATES)
    factor = 1.0 if apart is None else math.exp(-20 / 784 * apart)
    for trial, first in enumerate(noise()):
        x = first.clone().requires_grad_()
        adam = torch.optim.Adam([x], lr=RATE)
        update = 0
        while True:
            log_y = net(x[None]).log_y[0]
            if factor * math.exp(log_y[trial].item()) > 0.9:
                break
            others = torch.cat([log_y[:trial], log_y[trial + 1 :]])
            adam.zero_grad()
            (-log_y[trial] + (others.max() if objective == "margin" else 0)).backward()
            adam.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            update += 1
        assert 0 < update < UPDATES
        assert found.step[trial].tolist() == [update]
        torch.testing.assert_close(found.image[trial, 0], x.detach(), rtol=0, atol=1e-12)


def test_the_attack_lowers_the_distance_and_not_only_raises_y() -> None:
    """On a real autoencoder: with a large α the reconstruction comes closer; with α = 0 it does not have to."""
    net = registry.build("dae", tied=True)
    net.initialise(generator("dae"))
    net.double().requires_grad_(False)
    ends = [module(net, noise(), threshold=(0.9, alpha), beta=0.0).run(trainer(), 20).distance.mean()
            for alpha in (0.0, 500.0)]  # fmt: skip
    assert ends[1] < 0.98 * ends[0]


class Curved(Linear):
    """y = 1 everywhere, and a 'reconstruction' rᵢ = xᵢ + xᵢ²/2 that α = 0 leaves out: only γ = mean(x) can reject."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = self.flat, lambda h: h + h.square() / 2

    def forward(self, x: torch.Tensor) -> Output:
        return Output(0 * x.flatten(1)[:, :3], self.decode(self.flat(x)))


def test_the_attack_goes_through_the_curvature_where_it_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Γ = exp(−β·mean(x)): ỹ > 0.9 needs mean(x) < 0.0105, which only the gradient of γ leads to."""
    options: dict[str, object] = {"threshold": (0.9, 0.0), "learning_rate": 0.04}  # every judgement is an exact trace
    found = module(Curved(), noise(), **options).run(trainer(), 30)
    assert bool((found.step[:, 0] > 10).all())
    assert float(found.image.mean()) < 0.0106
    nothing = lambda self, update, rows, x: x.new_zeros(len(x))  # noqa: E731
    monkeypatch.setattr(gradient.GradientAttack, "curvature", nothing)
    assert module(Curved(), noise(), **options).run(trainer(), 30).step.tolist() == [[-1]] * 3


def test_with_relu_and_linear_pixels_the_curvature_has_no_gradient() -> None:
    from overgen.confidence import estimated_curvature, probe_vectors

    net = registry.build("dae", tied=True)
    net.initialise(generator("flat"))
    net.double().requires_grad_(False)
    vectors = probe_vectors(2, 784).double()
    x = noise(2).view(-1, 1, 28, 28).requires_grad_()
    gamma, _ = estimated_curvature(net, x, vectors, differentiable=True)
    plain, _ = estimated_curvature(net, x, vectors)
    torch.testing.assert_close(gamma, plain, rtol=0, atol=1e-14)
    slope = torch.autograd.grad(gamma.sum() + 0 * x.sum(), x)[0]
    assert float(slope.abs().max()) == 0


def test_starts() -> None:
    images = torch.randint(0, 256, (40, 1, 28, 28), generator=generator("images")).byte()
    labels = torch.arange(40) % 4
    targets = [0, 1, 2, 3] * 5
    for kind in gradient.STARTS:
        x, index = gradient.starts([kind] * 20, [generator("s", i) for i in range(20)], targets, images, labels)
        alone, _ = gradient.starts([kind], [generator("s", 7)], [targets[7]], images, labels)
        assert torch.equal(x[7], alone[0])  # from its own generator, whatever else is drawn
        assert 0 <= float(x.min()) < float(x.max()) <= 1
        if kind == "other_class":
            assert all(int(labels[i]) != target for i, target in zip(index, targets, strict=True))
            assert len(set(index)) > 8
            torch.testing.assert_close(x, images[index].flatten(1) / 255)
        else:
            assert index == [-1] * 20


def test_nearest_training_images() -> None:
    draw = np.random.default_rng(0)
    training = draw.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    labels, targets = draw.integers(0, 3, 60), np.array([0, 1, 2, 0])
    x = training[[5, 9, 30, 40]].reshape(4, -1) / 255 + draw.normal(0, 0.1, (4, 784))
    label, apart, of_target = gradient.nearest(
        torch.from_numpy(x), torch.from_numpy(training), torch.from_numpy(labels), torch.from_numpy(targets)
    )
    distances = np.linalg.norm(training.reshape(1, 60, -1) / 255 - x[:, None], axis=2)
    assert label.tolist() == labels[distances.argmin(1)].tolist() == labels[[5, 9, 30, 40]].tolist()
    np.testing.assert_allclose(apart, distances.min(1))
    np.testing.assert_allclose(of_target, [distances[i, labels == t].min() for i, t in enumerate(targets)])


def passage(steps: list[int], log_y: list[float], mark: float, apart: float = math.nan) -> Passage:
    """What an attack of one (τ, α) came to, its images of one grey."""
    n = len(steps)
    return Passage(
        step=torch.tensor(steps)[:, None],
        image=torch.full((n, 1, 784), mark),
        log_y=torch.tensor(log_y).log(),
        distance=torch.full((n,), apart),
        gamma=torch.full((n,), 0.0 if math.isfinite(apart) else math.nan),
    )


def test_attacks_in_turn() -> None:
    """Three trials, worked by hand: fooled by the first attack, by the second, and by none."""
    seen = []

    def first(rows: torch.Tensor) -> Passage:
        seen.append(rows.tolist())
        return passage([7, -1, -1], [0.95, 0.5, 0.6], 0.1)

    def second(rows: torch.Tensor) -> Passage:
        seen.append(rows.tolist())
        return passage([4, -1], [0.91, 0.3], 0.2)

    def third(rows: torch.Tensor) -> Passage:
        seen.append(rows.tolist())
        return passage([-1], [0.7], 0.3)

    found = gradient.in_turn([(first, 20), (second, 30), (third, 5)], trials=3, pixels=784, alpha=3, beta=10)
    assert seen == [[0, 1, 2], [1, 2], [2]]  # who has been fooled is left alone
    assert found.step.tolist() == [7, 24, -1]  # with the 20 updates of the attack that failed
    late = gradient.in_turn([(lambda rows: passage([-1], [0.1], 0.1), n) for n in (20, 30)]
                            + [(lambda rows: passage([2], [0.95], 0.1), 5)],
                            trials=1, pixels=784, alpha=3, beta=10)  # fmt: skip
    assert late.step.tolist() == [20 + 30 + 2]
    assert found.attack.tolist() == [0, 1, 2]  # of the trial that none fooled, the attack with the highest score
    torch.testing.assert_close(found.score.exp(), torch.tensor([0.95, 0.91, 0.7]).double())
    torch.testing.assert_close(found.image[:, 0], torch.tensor([0.1, 0.2, 0.3]))
    assert bool(found.distance.isnan().all())
    done = gradient.in_turn(
        [(lambda rows: passage([0, 0, 0], [1, 1, 1], 0.5), 9), (first, 9)], trials=3, pixels=784, alpha=3, beta=1
    )
    assert (done.step.tolist(), len(seen)) == ([0, 0, 0], 3)  # nothing was left for the other


def test_what_an_attack_that_failed_is_kept_for_is_the_score_and_not_y() -> None:
    """y = 0.9 far from its reconstruction is less than y = 0.8 near to it: 0.9·exp(−3·300/784) < 0.8·exp(−3·9/784)."""
    far, near = (
        lambda rows, y=y, apart=apart: passage([-1], [y], apart, apart) for y, apart in ((0.9, 300.0), (0.8, 9.0))
    )
    for order, kept in (((far, near), 1), ((near, far), 0)):
        found = gradient.in_turn([(attack, 5) for attack in order], trials=1, pixels=784, alpha=3, beta=10)
        assert found.attack.tolist() == [kept]
        assert found.score.exp().item() == pytest.approx(0.8 * math.exp(-3 * 9 / 784))
        assert found.distance.tolist() == [9.0]


@pytest.mark.parametrize("broken", ["score", "distance", "curvature"])
def test_what_is_not_finite_ends_the_run_and_never_counts_as_not_fooled(broken: str) -> None:
    class Broken(Linear):
        def flat(self, x: torch.Tensor) -> torch.Tensor:
            h = super().flat(x)
            return h + (h - h.detach()).sqrt() if broken == "curvature" else h  # 0 is added, with a slope of ∞

        def forward(self, x: torch.Tensor) -> Output:
            log_y, reconstruction = super().forward(x.detach())
            ruined = log_y * math.nan if broken == "score" else log_y + 0 * x.sum()
            return Output(ruined, reconstruction * math.nan if broken == "distance" else self.moved(self.flat(x)))

    attack = module(Broken(apart=1.0), noise(), threshold=(1e-9, 20.0))
    with pytest.raises(OvergenError, match=f"{broken}.* is not finite after 0 updates"):
        attack.run(trainer(), UPDATES)
