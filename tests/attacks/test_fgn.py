"""The collapsed Fooling Generator Network against the literal one, and its bookkeeping."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from overgen import OvergenError
from overgen.attacks import fgn
from overgen.attacks.passage import Passage
from overgen.models import Output, registry
from overgen.run.streams import generator

from attacking import Linear, trainer

RATE, UPDATES = 3e-5, 60  # some tens of updates to each threshold


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_equal_to_the_literal_generator_network(optimizer: str) -> None:
    """40 steps of 784 × 784 weights and 784 biases a trial, float64, against 784 numbers a trial."""
    trials = 2
    net = Linear(classes=4)
    z, _ = fgn.start([generator("z", t) for t in range(trials)], "normal", torch.float64, pixels=784)
    weight = torch.randn(trials, 784, 784, generator=generator("W"), dtype=torch.float64).div_(28).requires_grad_()
    bias = torch.randn(trials, 784, generator=generator("b"), dtype=torch.float64).requires_grad_()
    a = torch.nn.Parameter((torch.einsum("tij,tj->ti", weight, z) + bias).detach())
    lr = 1e-3
    literal = (torch.optim.Adam if optimizer == "adam" else torch.optim.SGD)([weight, bias], lr=lr)
    collapsed = (fgn.CollapsedAdam if optimizer == "adam" else fgn.CollapsedSGD)(a, z, lr=lr)
    targets = torch.arange(trials)
    start = a.detach().clone()
    for _ in range(40):
        pre = torch.einsum("tij,tj->ti", weight, z) + bias
        literal.zero_grad()
        F.nll_loss(net(torch.sigmoid(pre)).log_y, targets, reduction="sum").backward()
        literal.step()
        collapsed.zero_grad()
        F.nll_loss(net(torch.sigmoid(a)).log_y, targets, reduction="sum").backward()
        collapsed.step()
    end = (torch.einsum("tij,tj->ti", weight, z) + bias).detach()
    assert float((end - start).abs().max()) > 0.5  # it did move
    torch.testing.assert_close(a.detach(), end, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_tabulated_sum(kind: str) -> None:
    eps = 1e-8
    z, _ = fgn.start([generator("table", t) for t in range(4)], kind, torch.float64, pixels=784)
    table = fgn.InputSum(z, eps)
    s = torch.logspace(-22, 4, 784, dtype=torch.float64).expand(4, -1)
    exact = (z.square()[:, :, None] / (z.abs()[:, :, None] * s[:, None, :] + eps)).sum(1)
    found = table(s, torch.arange(4))
    assert float(((found - exact) / exact).abs().max()) < 2e-8
    inside = (s / eps > 1e-7) & (s / eps < 1e8)  # away from where the limits take over
    assert float(((found - exact) / exact).abs()[inside].max()) < 5e-10


def test_start_depends_on_each_trials_own_generator() -> None:
    together = fgn.start([generator("t", i) for i in range(3)], "normal", pixels=784)
    alone = fgn.start([generator("t", 1)], "normal", pixels=784)
    assert torch.equal(together[0][1], alone[0][0])
    assert torch.equal(together[1][1], alone[1][0])
    z, a = fgn.start([generator("many", i) for i in range(50)], "uniform", torch.float64, pixels=784)
    assert 0 <= float(z.min()) < float(z.max()) <= 1
    ratio = a.std(dim=1) / z.square().mean(1).sqrt()  # a given z is N(0, ‖z‖²/P)
    assert float(ratio.mean()) == pytest.approx(1, abs=0.02)


def test_initial_deviation() -> None:
    """A given z is N(0, s²‖z‖²): 0.02·28 times as wide as with Glorot's 1/28, and from the same draws."""
    draws = [[generator("many", i) for i in range(50)] for _ in range(2)]
    z, narrow = fgn.start(draws[0], "uniform", torch.float64, pixels=784, initial=0.02)
    same, glorot = fgn.start(draws[1], "uniform", torch.float64, pixels=784)
    assert torch.equal(z, same)
    torch.testing.assert_close(narrow, 0.02 * 28 * glorot)


def test_a_clipped_loss_moves_only_what_lies_above(free: Passage) -> None:
    """Trials that begin below the clip end where they began; the others go as without it."""
    _, a = fgn.start([generator("m", i) for i in range(3)], "normal", torch.float64, pixels=784)
    first = Linear()(torch.sigmoid(a)).log_y.gather(1, torch.arange(3)[:, None])[:, 0].exp()
    clip = float(first.sort().values[:2].mean())  # between the lowest and the next
    stuck = int(first.argmin())
    clipped = module(Linear(), clip=clip).run(trainer(), UPDATES)
    assert clipped.step[stuck].tolist() == [-1, -1]
    torch.testing.assert_close(clipped.image[stuck], torch.sigmoid(a[stuck]).expand(2, -1))
    others = [i for i in range(3) if i != stuck]
    assert clipped.step[others].tolist() == free.step[others].tolist()


def module(net: torch.nn.Module, **options: object) -> fgn.FoolingGenerator:
    z, a = fgn.start([generator("m", i) for i in range(3)], "normal", torch.float64, pixels=784)
    arguments: dict[str, object] = {
        "shape": (1, 28, 28), "thresholds": [(0.9, 20.0), (0.99, 3.0)], "beta": 10.0, "probes": 2,
        "learning_rate": RATE,
    }  # fmt: skip
    return fgn.FoolingGenerator(net, z, a, torch.arange(3), **(arguments | options))


@pytest.fixture(scope="module")
def free() -> Passage:
    """What trials against the linear network come to."""
    return module(Linear()).run(trainer(), UPDATES)


def reference(net: torch.nn.Module, *taus: float) -> list[list[int]]:
    """First passages of y by a plain loop, with torch's own Adam on the literal weights: of each trial, at each τ."""
    steps = []
    for trial in range(3):
        z, a = fgn.start([generator("m", trial)], "normal", torch.float64, pixels=784)
        weight = (a[0][:, None] * z[0][None, :] / z.square().sum()).requires_grad_()  # W z = a
        bias = torch.zeros(784, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([weight, bias], lr=RATE)
        found = [-1] * len(taus)
        for update in range(UPDATES + 1):
            log_y = net(torch.sigmoid(weight @ z[0] + bias)[None]).log_y[0, trial]
            found = [
                update if n < 0 and math.exp(log_y.item()) > tau else n for n, tau in zip(found, taus, strict=True)
            ]
            if -1 not in found:
                break
            adam.zero_grad()
            (-log_y).backward()
            adam.step()
        steps.append(found)
    return steps


def test_first_passages_are_those_of_a_plain_loop(free: Passage) -> None:
    assert free.step.tolist() == reference(Linear(), 0.9, 0.99)
    assert bool((free.step[:, 0] > 0).all())
    assert bool((free.step[:, 1] > free.step[:, 0]).all())


def test_success_is_judged_on_the_scaled_output() -> None:
    """A reconstruction 1.0 away: ỹ = exp(−α/784)·y, so τ = 0.9 is met later than by y, and 0.99 (α = 20) never."""
    net = Linear(apart=1.0)
    passage = module(net, thresholds=[(0.9, 20.0), (0.99, 20.0), (0.99, 0.0)]).run(trainer(), UPDATES)
    assert passage.step[:, [0, 2]].tolist() == reference(net, 0.9 / math.exp(-20 / 784), 0.99)
    assert passage.step[:, 1].tolist() == [-1, -1, -1]
    assert passage.distance.tolist() == pytest.approx([1, 1, 1])


def test_curvature_can_refuse_what_everything_else_accepts() -> None:
    class Expanding(Linear):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)

        def decode(self, h: torch.Tensor) -> torch.Tensor:
            return 2 * h  # γ = 1: Γ = exp(−10)

        def forward(self, x: torch.Tensor) -> Output:
            return Output(super().forward(x).log_y, self.decode(self.encode(x)))

    # α = 0: only Γ can lower ỹ. A fast attack, as every image that y accepts costs an exact trace.
    options: dict[str, object] = {"thresholds": [(0.9, 0.0)], "learning_rate": 10 * RATE}
    gateless = module(Expanding(), beta=0.0, **options).run(trainer(), 10)
    assert bool((gateless.step[:, 0] >= 0).all())
    assert module(Expanding(), **options).run(trainer(), 10).step[:, 0].tolist() == [-1, -1, -1]


def test_the_stored_images_are_those_of_the_first_passages(free: Passage) -> None:
    net, passage = Linear(), free
    score = net(passage.image.view(-1, 1, 28, 28)).log_y.view(3, 2, -1)
    score = torch.stack([score[t, :, t] for t in range(3)])  # (trials, pairs)
    torch.testing.assert_close(score[:, 0], passage.log_y)
    assert bool((score > torch.tensor([0.9, 0.99]).log()).all())
    assert bool((score < torch.tensor([0.99, 0.9999]).log()).all())  # at the passage, not at the end of the run
    for updates in passage.step[:, 1].tolist():  # a trial that has passed nothing yet, or one pair, ends where it is
        short = module(net).run(trainer(), updates - 1)
        end = module(net, thresholds=[(1 - 1e-12, 0.0)]).run(trainer(), updates - 1).image  # that none passes
        passed = short.step[..., None] >= 0
        assert not bool(passed.all())
        torch.testing.assert_close(short.image, torch.where(passed, passage.image, end))


def test_attacking_the_scaled_output_lowers_the_distance() -> None:
    """The loss on ỹ has the reconstruction term in it: on a real autoencoder it brings r closer to x."""
    net = registry.build("dae", tied=True)
    net.initialise(generator("dae"))
    net.double().requires_grad_(False)
    ends = {}
    for alpha in (None, 500.0):
        run = module(net, alpha=alpha, thresholds=[(0.9, 500.0)], learning_rate=1e-3)
        ends[alpha] = float(run.run(trainer(), 5).distance.mean())
    assert ends[500.0] < ends[None]


def test_scores_that_are_not_finite_end_the_run() -> None:
    net = Linear()
    net.weight[0, 0] = math.nan
    with pytest.raises(OvergenError, match="not finite after 0 updates"):
        module(net).run(trainer(), 5)
