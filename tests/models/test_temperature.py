"""Networks at a temperature against the logits of stored outputs, and what they keep of the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from overgen.confidence import ScaledOutput, exact_curvature
from overgen.measures import calibration
from overgen.models import Output, temperature
from overgen.models.autoencoders import DenoisingAutoencoder
from overgen.models.cnn import CNN, COOL, LeNet

IMAGES = torch.randint(0, 256, (5, 1, 28, 28), generator=torch.Generator().manual_seed(4)).byte()
NETWORKS = {
    "cnn": CNN,
    "cool": lambda: COOL(output_std=0.3),
    "lenet": LeNet,
    "dae": lambda: DenoisingAutoencoder(output="sigmoid", unpooling="switches"),
}


def built(name: str) -> nn.Module:
    network = NETWORKS[name]()
    network.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.5
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_at_a_temperature_says_what_its_divided_logits_say(name: str) -> None:
    network = built(name)
    x = IMAGES / 255
    before = network(x)
    found = temperature.at_temperature(network, 2.5)(x)
    z = temperature.logits(network, IMAGES, chunk=2)
    wanted = calibration.log_scores(z, 2.5, 10)
    np.testing.assert_allclose(found.log_y.numpy(), wanted, atol=2e-4, rtol=1e-4)
    np.testing.assert_allclose(before.log_y.numpy(), calibration.log_scores(z, 1, 10), atol=2e-4, rtol=1e-4)
    assert torch.equal(network(x).log_y, before.log_y)  # the network itself stays as it is
    assert not torch.allclose(found.log_y, before.log_y, atol=1e-2)


def test_a_dae_at_a_temperature_reconstructs_as_before_and_has_the_same_confidence() -> None:
    network = built("dae")
    modest = temperature.at_temperature(network, 3.0)
    x = IMAGES / 255
    assert torch.equal(modest(x).reconstruction, network(x).reconstruction)
    assert torch.equal(exact_curvature(modest, x[:2]), exact_curvature(network, x[:2]))
    plain, scaled = (ScaledOutput(each, alpha=20, beta=10)(x) for each in (network, modest))
    gap = (scaled - modest(x).log_y) - (plain - network(x).log_y)
    assert float(gap.abs().max()) < 1e-5


def test_the_score_at_a_temperature_has_the_gradient_of_its_own() -> None:
    """Against differences of the calibrated score, not of the score as it was."""
    network = temperature.at_temperature(built("cnn").double(), 2.0)
    x = (IMAGES[:1] / 255).double().requires_grad_()
    score = network(x).log_y[0, 3]
    (slope,) = torch.autograd.grad(score, x)
    step = 1e-5 * slope / slope.norm()
    with torch.no_grad():
        rise = network(x + step).log_y[0, 3] - network(x - step).log_y[0, 3]
    assert float(rise) == pytest.approx(2 * float((slope * step).sum()), rel=1e-3)


class Independent(nn.Module):
    """A score for each class by itself, as detectors have."""

    def forward(self, x: Tensor) -> Output:
        return Output(nn.functional.logsigmoid(x.flatten(1)[:, :10] - 0.5), None)


class Blind(nn.Module):
    def forward(self, x: Tensor) -> Output:
        return Output(None, x.flatten(1))


@pytest.mark.parametrize(("network", "says"), [(Independent(), "are no softmax"), (Blind(), "does not classify")])
def test_what_has_no_logits_to_divide_is_told_apart(network: nn.Module, says: str) -> None:
    assert says in temperature.refused(network, IMAGES)
    assert [temperature.refused(built(name), IMAGES) for name in NETWORKS] == [""] * len(NETWORKS)


def test_a_temperature_is_above_0() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        temperature.at_temperature(built("cnn"), 0.0)
