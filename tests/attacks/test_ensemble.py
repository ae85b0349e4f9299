"""An ensemble accepts as a class what all members accept as that class."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from overgen.attacks.autopgd import autopgd
from overgen.attacks.ensemble import OnEnsemble
from overgen.attacks.on_scores import ANY, OnOutput, OnScore, leads
from overgen.attacks.search import Ball
from overgen.confidence import ScaledOutput
from overgen.models import Output
from overgen.models.autoencoders import DenoisingAutoencoder

SHAPE = (1, 28, 28)
OPTIONS = {"alpha": 20.0, "beta": 10.0, "probes": 2}


@pytest.fixture(scope="module")
def networks() -> list[nn.Module]:
    made = []
    for seed in (1, 2, 3):
        network = DenoisingAutoencoder(tied=True)
        network.initialise(torch.Generator().manual_seed(seed))
        with torch.no_grad():
            network.fc2.weight.mul_(4)  # members that disagree on the class
        made.append(network.eval().requires_grad_(False))
    return made


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(40, 784, generator=torch.Generator().manual_seed(0))


def test_of_each_class_the_least_counts(networks: list[nn.Module], images: Tensor) -> None:
    look = OnEnsemble([OnOutput(network, SHAPE, **OPTIONS) for network in networks])(images)
    each = torch.stack([ScaledOutput(n, **OPTIONS)(images.view(-1, *SHAPE)).double() for n in networks])  # (M, N, K)
    least = each.amin(0)
    torch.testing.assert_close(look.score, least.amax(1), rtol=1e-5, atol=1e-5)
    assert torch.equal(look.label, least.argmax(1))
    torch.testing.assert_close(look.leads, leads(least), rtol=1e-4, atol=1e-4)
    assert (look.score <= each.amax(2).amin(0) + 1e-6).all()
    assert len({tuple(of.argmax(1).tolist()) for of in each}) > 1


def test_one_member_is_itself(networks: list[nn.Module], images: Tensor) -> None:
    alone, member = OnEnsemble([OnOutput(networks[0], SHAPE, **OPTIONS)])(images), OnOutput(
        networks[0], SHAPE, **OPTIONS
    )(images)  # fmt: skip
    for mine, other in zip(alone, member, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-9)


def test_below_a_level_scores_are_bounds_and_from_it_exact(networks: list[nn.Module], images: Tensor) -> None:
    ensemble = OnEnsemble([OnOutput(network, SHAPE, **OPTIONS) for network in networks])
    exact = ensemble(images).score
    level = float(exact.median())
    ensemble.look_from(level)
    bound = ensemble(images).score
    assert (bound >= exact - 1e-9).all()
    assert torch.equal(bound >= level, exact >= level)
    torch.testing.assert_close(bound[exact >= level], exact[exact >= level])


class Towards(nn.Module):
    """log y of two classes, 0 where an image's mean is near a centre: members differ in their centres."""

    def __init__(self, centre: float) -> None:
        super().__init__()
        self.centre = centre

    def forward(self, x: Tensor) -> Output:
        off = (x.flatten(1).mean(1) - self.centre).abs()
        return Output(torch.stack([-off, torch.full_like(off, -5)], 1), None)


def test_an_attack_follows_whichever_member_is_least() -> None:
    """From dark to between the two centres: nearer to one of them would be rejected by the other."""
    attackable = OnEnsemble([OnOutput(Towards(centre), (1, 4, 4), **OPTIONS) for centre in (0.4, 0.6)])
    known = torch.linspace(0.2, 0.8, 60)[:, None].expand(60, 16)
    objective = OnScore(attackable, -0.11, known, "accept", torch.full((2,), ANY))  # type: ignore[arg-type]
    start = torch.tensor([0.05, 0.95])[:, None].repeat(1, 16)
    found = autopgd(objective, start, start, Ball("none", float("inf")), updates=40)
    assert (found.step > 0).all()
    means = found.image.mean(1)
    assert ((means - 0.5).abs() <= 0.011).all()
