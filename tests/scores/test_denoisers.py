"""Scores of a denoiser: of normal data, whose best denoiser is known, they are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

from overgen import OvergenError
from overgen.models.denoisers import Denoiser, folded
from overgen.run.streams import generator
from overgen.scores.flow_likelihood import flow_log_likelihood, levels
from overgen.scores.restoration import restoration

SIZE = 4


class OfNormal:
    """The best denoiser of data N(mean, covariance): E[clean | x] = mean + C (C + σ²)⁻¹ (x − mean)."""

    data_std = 0.3

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        self.mean, self.covariance = mean, covariance

    def restore(self, x: Tensor, sigma: float) -> Tensor:
        noisy = self.covariance + sigma**2 * torch.eye(len(self.mean), dtype=x.dtype)
        return self.mean + (x - self.mean) @ torch.linalg.solve(noisy, self.covariance)


def normal(seed: int) -> OfNormal:
    draws = torch.Generator().manual_seed(seed)
    root = 0.3 * torch.randn(SIZE, SIZE, generator=draws, dtype=torch.float64)
    return OfNormal(0.3 * torch.rand(SIZE, generator=draws, dtype=torch.float64), root @ root.T)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10_000))
def test_the_likelihood_of_normal_data_is_their_density(seed: int) -> None:
    network = normal(seed)
    x = torch.rand(5, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    sigmas, probes = levels(0.1, 100.0, 60), torch.eye(SIZE, dtype=torch.float64) * math.sqrt(SIZE)
    found = flow_log_likelihood(network, x, sigmas, probes)  # these probes give the exact trace
    density = MultivariateNormal(network.mean, network.covariance + 0.1**2 * torch.eye(SIZE))
    torch.testing.assert_close(found, density.log_prob(x), atol=0.05, rtol=0.01)


def test_the_likelihood_has_the_gradient_of_the_density_and_is_exact_in_the_limit() -> None:
    network = normal(1)
    x = torch.rand(3, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    probes = torch.eye(SIZE, dtype=torch.float64) * math.sqrt(SIZE)
    density = MultivariateNormal(network.mean, network.covariance + 0.1**2 * torch.eye(SIZE)).log_prob(x)
    (wanted,) = torch.autograd.grad(density.sum(), x)
    errors = []
    for steps in (12, 24, 48):
        found = flow_log_likelihood(network, x, levels(0.1, 100.0, steps), probes)
        (gradient,) = torch.autograd.grad(found.sum(), x)
        errors.append(float((gradient - wanted).abs().max() / wanted.abs().max()))
    assert errors[2] < 0.03
    assert errors[0] > 2.5 * errors[1] > 6 * errors[2]  # Heun: four times less for twice the steps


def test_restoration_is_the_length_of_the_score_of_the_noisy_data() -> None:
    network = normal(3)
    x = torch.rand(4, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).requires_grad_()
    for sigma in (0.1, 0.5):
        density = MultivariateNormal(network.mean, network.covariance + sigma**2 * torch.eye(SIZE)).log_prob(x)
        (score,) = torch.autograd.grad(density.sum(), x)
        found = restoration(network, x, [sigma])
        torch.testing.assert_close(found, -(sigma**2) * score.norm(dim=1))
    mean = (restoration(network, x, [0.1]) + restoration(network, x, [0.5])) / 2
    torch.testing.assert_close(restoration(network, x, [0.1, 0.5]), mean)
    with pytest.raises(ValueError, match="one level at least"):
        restoration(network, x, [])


def test_a_gradient_that_is_held_back_points_to_the_restored_image() -> None:
    network = normal(5)
    x = torch.rand(4, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(6)).requires_grad_()
    (whole,) = torch.autograd.grad(restoration(network, x, [0.3]).sum(), x)
    (held,) = torch.autograd.grad(restoration(network, x, [0.3], held_back=True).sum(), x)
    to = (network.restore(x, 0.3) - x).detach()
    torch.testing.assert_close(held, to / to.norm(dim=1, keepdim=True))
    assert not torch.allclose(whole, held, rtol=1e-3)


@pytest.mark.parametrize("wrong", [(0.0, 1.0, 3), (1.0, 1.0, 3), (0.1, 1.0, 0)])
def test_levels_that_do_not_rise_are_refused(wrong: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="need 0 < smallest < largest"):
        levels(*wrong)


def test_levels_rise_from_the_smallest_to_the_largest() -> None:
    sigmas = levels(0.02, 5.0, 7)
    assert len(sigmas) == 8
    assert sigmas == sorted(sigmas)
    np.testing.assert_allclose([sigmas[0], sigmas[-1]], [0.02, 5.0])


def drawn(**options: int) -> Denoiser:
    network = Denoiser(width=8, **options)
    network.initialise(generator("test"))
    for layer in network.modules():  # no weight is 0, or the network is c_skip·x
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.xavier_uniform_(layer.weight, generator=generator("test", "further"))
    return network.double().eval()


def test_a_denoiser_judges_each_image_by_itself_and_at_its_own_level() -> None:
    network, x = drawn(), torch.rand(3, 784, dtype=torch.float64, generator=generator("images"))
    sigmas = torch.tensor([0.05, 0.2, 1.0], dtype=torch.float64)
    together = network.restore(x, sigmas)
    for i, sigma in enumerate(sigmas.tolist()):
        torch.testing.assert_close(network.restore(x[i : i + 1], sigma), together[i : i + 1])
    torch.testing.assert_close(network(x.view(3, 1, 28, 28)).reconstruction, network.restore(x, 0.2))
    probes = torch.ones(1, 784, dtype=torch.float64)
    both = flow_log_likelihood(network, x, levels(0.05, 5.0, 2), probes)
    torch.testing.assert_close(flow_log_likelihood(network, x[:1], levels(0.05, 5.0, 2), probes), both[:1])


def test_images_are_folded_as_torch_does_and_none_of_them_too() -> None:
    x = torch.rand(2, 3, 8, 4)
    torch.testing.assert_close(folded(x), torch.nn.functional.pixel_unshuffle(x, 2), rtol=0, atol=0)
    assert folded(x[:0]).shape == (0, 12, 4, 2)
    assert drawn().restore(torch.zeros(0, 784, dtype=torch.float64)).shape == (0, 784)


def test_a_denoiser_begins_as_the_best_linear_one_of_white_data() -> None:
    network = Denoiser(width=8)
    network.initialise(generator("test"))
    x = torch.rand(2, 784)
    torch.testing.assert_close(network.restore(x, 0.3), x / 2)  # σ_data² / (σ² + σ_data²)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"shape": (1, 28, 27)}, "multiples of 4, not"), ({"width": 12}, "width of a denoiser: 12 is no multiple of 8")],
)
def test_a_denoiser_that_cannot_be_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(OvergenError, match=says):
        Denoiser(**options)  # type: ignore[arg-type]
