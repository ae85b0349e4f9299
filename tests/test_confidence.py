"""Confidence: Eq. 3–6 against the formula, against finite differences and full Jacobians, and where logs matter."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen import confidence
from overgen.measures import outputs
from overgen.models import Output, registry
from overgen.run.streams import generator


@pytest.fixture(scope="module")
def dae() -> torch.nn.Module:
    net = registry.build("dae", tied=True)
    net.initialise(generator("dae"))
    return net.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.rand(3, 1, 28, 28, generator=generator("x"), dtype=torch.float64)


def jacobian(net: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """∂r/∂x of one image (1, 28, 28), whole: the gradients of all 784 pixels of r, some at once."""
    v = image.flatten().requires_grad_()
    r = net(v.view(1, 1, 28, 28)).reconstruction[0]
    rows = [
        torch.autograd.grad(r, v, some, retain_graph=True, is_grads_batched=True)[0]
        for some in torch.eye(784, dtype=v.dtype).split(98)
    ]
    return torch.cat(rows)


class Affine(torch.nn.Module):
    """r(x) = c·x + d through an identity 'hidden layer': γ = c − 1 exactly, and ‖r − x‖ is known."""

    def __init__(self, c: float, d: float) -> None:
        super().__init__()
        self.c, self.d = c, d

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def decode(self, h: torch.Tensor) -> torch.Tensor:
        return self.c * h + self.d

    def forward(self, x: torch.Tensor) -> Output:
        log_y = torch.tensor([[0.3, 0.7]], dtype=x.dtype).log().repeat(len(x), 1)
        return Output(log_y, self.decode(self.encode(x)))


@given(alpha=st.floats(0.1, 100), beta=st.floats(0, 50), c=st.floats(-1, 3), d=st.floats(-2, 2))
@settings(max_examples=15, deadline=None)
def test_scaled_output_is_the_formula(alpha: float, beta: float, c: float, d: float) -> None:
    image = torch.rand(1, 1, 28, 28, generator=generator("formula"), dtype=torch.float64)
    found = confidence.ScaledOutput(Affine(c, d), alpha=alpha, beta=beta)(image).exp()
    apart = math.sqrt(sum((c * v + d - v) ** 2 for v in image.flatten().tolist()))  # L2, not squared
    gamma = c - 1
    gate = 1.0 if gamma <= 0 else math.exp(-beta * gamma)
    expected = math.exp(-alpha / 784 * apart) * gate
    assert found[0].tolist() == pytest.approx([0.3 * expected, 0.7 * expected], rel=1e-9)
    stored = {
        "log_y": torch.tensor([[[0.3, 0.7]]]).log().numpy(),
        "distance": torch.tensor([[apart]], dtype=torch.float64).numpy(),
        "gamma": torch.tensor([[gamma]], dtype=torch.float64).numpy(),
    }
    scores = outputs.scaled_scores(stored, 0, alpha=alpha, beta=beta)
    assert scores[0].tolist() == pytest.approx(found[0].log().tolist(), rel=1e-6)


def test_a_hopeless_distance_stays_finite() -> None:
    """exp would underflow to 0 and its log's gradient to NaN, which looks like 'never fooled'."""
    image = torch.full((1, 1, 28, 28), 0.5, requires_grad=True)
    value = confidence.ScaledOutput(Affine(0.5, 1e4), alpha=1e3, beta=10.0).upper_bound(image)[0, 0]
    assert value.item() < -1000
    value.backward()
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())
    assert bool((image.grad != 0).any())


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        confidence.distance(torch.zeros(2, 784), torch.zeros(1, 784))


@pytest.mark.parametrize("unpooling", ["nearest", "switches", "zeros"])
def test_exact_curvature_is_the_trace_of_the_whole_jacobian(unpooling: str, x: torch.Tensor) -> None:
    dae = registry.build("dae", tied=True, unpooling=unpooling)
    dae.initialise(generator("dae"))
    dae = dae.double().eval().requires_grad_(False)
    found = confidence.exact_curvature(dae, x[:2])
    for i in range(2 if unpooling == "switches" else 1):  # which alone take something from the image besides h
        assert float(found[i]) == pytest.approx((float(jacobian(dae, x[i]).trace()) - 784) / 784, abs=1e-12)


def test_curvature_against_finite_differences() -> None:
    """A smooth network: central differences of r_i by x_i, summed, are the trace."""
    net = registry.build("autoencoder", hidden=5)
    net.initialise(generator("smooth"))
    net = net.double().requires_grad_(False)
    net.encoder[1], net.encoder[3], net.decoder[1] = torch.nn.Tanh(), torch.nn.Tanh(), torch.nn.Tanh()
    image = torch.rand(1, 1, 28, 28, generator=generator("fd"), dtype=torch.float64)
    steps = 1e-5 * torch.eye(784, dtype=torch.float64).view(784, 1, 28, 28)
    with torch.no_grad():
        ahead, behind = net(image + steps).reconstruction, net(image - steps).reconstruction
    trace = float(((ahead - behind) / 2e-5).diagonal().sum())
    assert float(confidence.exact_curvature(net, image)[0]) == pytest.approx((trace - 784) / 784, abs=1e-8)


def test_estimated_curvature_is_within_its_error(dae: torch.nn.Module, x: torch.Tensor) -> None:
    exact = confidence.exact_curvature(dae, x)
    estimate, error = confidence.estimated_curvature(dae, x, confidence.probe_vectors(64, 784).double())
    assert bool(((estimate - exact).abs() < 5 * error).all())
    # the error is a bound by the Frobenius norm: no smaller than the true one, and not idle
    bound = math.sqrt(2 / 64) * float(jacobian(dae, x[0]).norm()) / 784
    assert float(error[0]) == pytest.approx(bound, rel=0.15)


def test_an_image_scores_the_same_alone_and_in_a_batch(dae: torch.nn.Module, x: torch.Tensor) -> None:
    together = confidence.curvature(dae, x, probes=2)[0]
    alone = torch.cat([confidence.curvature(dae, image, probes=2)[0] for image in x.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-14)


def test_where_the_estimate_does_not_settle_it_the_trace_is_exact() -> None:
    x = torch.rand(2, 1, 28, 28, generator=generator("expanding"), dtype=torch.float64)
    gamma, error = confidence.curvature(Affine(3, 0), x, probes=2)
    assert gamma.tolist() == pytest.approx([2, 2])
    assert error.tolist() == [0, 0]
    scaled = confidence.ScaledOutput(Affine(3, 0), alpha=7.0, beta=10.0)
    expected = math.log(0.3) - 7 / 784 * (2 * x.flatten(1)).norm(dim=1) - 10 * 2
    torch.testing.assert_close(scaled(x)[:, 0], expected)
    assert bool((scaled(x) <= scaled.upper_bound(x)).all())


def test_a_plain_classifier_is_certain_of_its_input() -> None:
    net = registry.build("cnn")
    net.initialise(generator("cnn"))
    x = torch.rand(2, 1, 28, 28, generator=generator("x"))
    scaled = confidence.ScaledOutput(net, alpha=20.0, beta=10.0)
    assert torch.equal(scaled(x), net(x).log_y)


def test_stored_outputs_give_the_same_scores(dae: torch.nn.Module) -> None:
    images = (255 * torch.rand(5, 1, 28, 28, generator=generator("u8"))).to(torch.uint8)
    net = registry.build("dae", tied=True)
    net.load_state_dict({k: v.float() for k, v in dae.state_dict().items()})
    stored = {k: v[None] for k, v in outputs.image_outputs(net, images, chunk=2, probes=2).items()}
    from overgen.data import floats

    direct = confidence.ScaledOutput(net, alpha=3.0, beta=10.0)(floats(images)).detach().numpy()
    assert outputs.scaled_scores(stored, 0, alpha=3.0, beta=10.0) == pytest.approx(direct, abs=1e-5)
    stored["distance"][0, 1] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        outputs.scaled_scores(stored, 0, alpha=3.0, beta=10.0)


@pytest.mark.parametrize(("tau", "alpha", "radius"), [(0.9, 20, 4.13), (0.99, 3, 2.63), (0.99, 2, 3.94)])
def test_acceptance_radius_is_where_the_scaled_output_meets_the_threshold(
    tau: float, alpha: float, radius: float
) -> None:
    found = confidence.acceptance_radius(tau, alpha=alpha, pixels=784)
    assert found == pytest.approx(radius, abs=0.005)
    assert math.exp(confidence.log_reconstruction(found, alpha=alpha, pixels=784)) == pytest.approx(tau)
