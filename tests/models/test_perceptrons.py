"""Perceptrons: outputs and minima by hand and by scipy, the decay of layers, and the pretraining."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

from overgen import data
from overgen.models import params as model_params
from overgen.models.perceptrons import Perceptron, PerceptronAutoencoder
from overgen.run import params
from overgen.run.streams import generator
from overgen.stages.train_perceptrons.run import decays
from overgen.training.module import Training
from overgen.training.together import Together

from training_cases import fitted
from workspace import ROOT


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator("images"), dtype=torch.uint8)


def built(hidden: list[int], classes: int = 3) -> Perceptron:
    network = Perceptron(hidden, classes)
    network.initialise(generator("n"))  # type: ignore[misc]
    return network


def trained(network: torch.nn.Module, labels: Tensor, *, epochs: int, **options: object) -> Training:
    arguments: dict[str, object] = {"key": ("m",), "batch_size": 12, "learning_rate": 1e-3, "l2": 0.0}
    module = Training(network, images(len(labels)), labels, **(arguments | options))  # type: ignore[arg-type]
    return fitted(module, epochs=epochs)


@pytest.mark.parametrize(
    ("name", "count"),
    [("fc10_1", 7_850), ("fc100_100_10", 89_610), ("fc200_200_10", 199_210), ("ae400_10", 318_010)],
)
def test_the_committed_networks_have_these_sizes(name: str, count: int) -> None:
    described = params.load(ROOT / "params.yaml").perceptrons[name]
    assert sum(p.numel() for p in Perceptron(described.hidden).parameters()) == count


def test_the_output_by_hand() -> None:
    network, x = built([5, 4]), torch.rand(2, 1, 28, 28, generator=generator("x"))
    first, second, top = network.layers
    for i in range(2):
        h = 1 / (1 + np.exp(-(first.weight.detach().numpy() @ x[i].flatten().numpy() + first.bias.detach().numpy())))
        h = 1 / (1 + np.exp(-(second.weight.detach().numpy() @ h + second.bias.detach().numpy())))
        z = top.weight.detach().numpy() @ h + top.bias.detach().numpy()
        wanted = z - np.log(np.exp(z).sum())
        assert network(x).log_y[i].detach().numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_decay_of_each_layer_is_in_the_gradient() -> None:
    """Adam's first step against autograd of the whole loss, λ·Σw²/k included, written out."""
    factors = [0.3, 0.02, 5.0]
    network, plain, labels = built([7, 5]), built([7, 5]), torch.arange(12) % 3
    for both in (network, plain):  # decays that differ in what Adam makes of them need a large second moment
        both.double()
    module = Training(
        network, images(12), labels, key=("m",), batch_size=12, learning_rate=1e-2, l2=0.0,
        decays=decays(network, factors),
    )  # fmt: skip
    adam = module.configure_optimizers()
    module.sums = torch.zeros(5)
    module.double().training_step(torch.arange(12)).backward()
    adam.step()
    x = images(12).unsqueeze(1).double() / 255
    loss = F.nll_loss(plain(x).log_y, labels)
    for layer, factor, k in zip(plain.layers, factors, (7, 5, 3), strict=True):
        loss = loss + factor * layer.weight.square().sum() / k
    loss.backward()
    torch.optim.Adam(plain.parameters(), lr=1e-2).step()
    state = [adam.state[p]["exp_avg"] / 0.1 for p in network.parameters()]  # the gradient that Adam saw
    for gradient, weight, expected in zip(state, network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(gradient, expected.grad, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6)


def test_what_is_unknown_or_shared_is_refused() -> None:
    common = {"key": ("m",), "batch_size": 3, "learning_rate": 1e-3, "l2": 0.0}
    labels = torch.arange(3)
    with pytest.raises(ValueError, match=r"Perceptron does not have: \['layers.7.weight'\]"):
        Training(built([]), images(3), labels, decays={"layers.7.weight": 1.0}, **common)  # type: ignore[arg-type]
    falling = [Training(built([]), images(3), labels, falling=True, **common) for _ in range(2)]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="falling is for one alone"):
        Together({"a": falling[0], "b": falling[1]})


def test_a_linear_network_reaches_the_minimum_that_scipy_finds(digits: Path) -> None:
    """The loss with its decay is convex: there is one minimum, and the falling rate ends there."""
    source = data.load("digits", digits / "data")
    x = data.floats(source.train_images[:400]).flatten(1).double()
    y = source.train_labels[:400]

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        point = torch.from_numpy(p).requires_grad_()
        weight, bias = point[:7840].view(10, 784), point[7840:]
        value = F.cross_entropy(x @ weight.t() + bias, y) + 0.1 * weight.square().sum()
        value.backward()
        return value.item(), point.grad.numpy()  # type: ignore[union-attr]

    best = minimize(loss, np.zeros(7850), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    network = built([], 10)
    module = Training(
        network, source.train_images[:400], y, key=("m",), batch_size=100, learning_rate=0.02, l2=0.0, falling=True,
        decays=decays(network, [1.0]),
    )  # fmt: skip
    trainer = pl.Trainer(
        max_epochs=80, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    trainer.fit(module)
    layer = network.layers[0]
    reached = loss(np.concatenate([p.detach().double().numpy().ravel() for p in (layer.weight, layer.bias)]))[0]
    assert best.fun <= reached < best.fun * 1.005


def test_the_rate_falls_to_nothing_on_a_line() -> None:
    module = trained(built([]), torch.arange(12) % 3, epochs=4, falling=True)
    assert module.lr_schedulers().get_last_lr() == [0.0]  # type: ignore[union-attr]
    plain = trained(built([]), torch.arange(12) % 3, epochs=1)
    slower = trained(built([]), torch.arange(12) % 3, epochs=1, falling=True)
    for a, b in zip(plain.network.parameters(), slower.network.parameters(), strict=True):
        assert torch.equal(a, b)  # the first epoch has the whole rate


def test_a_pretrained_layer_stays_and_the_softmax_moves() -> None:
    network = built([6])
    before = {name: p.clone() for name, p in network.named_parameters()}
    trained(PerceptronAutoencoder(network), torch.arange(12) % 3, epochs=2)
    learnt = {name: p.clone() for name, p in network.named_parameters()}
    assert not torch.equal(learnt["layers.0.weight"], before["layers.0.weight"])
    assert torch.equal(learnt["layers.1.weight"], before["layers.1.weight"])
    network.layers[0].requires_grad_(False)
    trained(network, torch.arange(12) % 3, epochs=2, decays=decays(network, [9.0, 0.0]))
    assert torch.equal(network.layers[0].weight, learnt["layers.0.weight"])
    assert not torch.equal(network.layers[1].weight, learnt["layers.1.weight"])


def test_the_penalty_is_the_divergence_from_the_wanted_activation() -> None:
    """Against torch's own divergence of Bernoulli distributions; and units come near to that."""
    whole = PerceptronAutoencoder(built([6]), sparsity=2.0, activation=0.05)
    x = torch.rand(12, 1, 28, 28)
    mean = whole.perceptron.encode(x).mean(0)
    wanted, found = (torch.distributions.Bernoulli(p) for p in (torch.full((6,), 0.05), mean))
    expected = 2.0 * torch.distributions.kl_divergence(wanted, found).sum() / 784
    torch.testing.assert_close(whole.penalty(x), expected)
    away = []
    for sparsity in (0.0, 50.0):
        whole = PerceptronAutoencoder(built([6]), sparsity=sparsity, activation=0.05)
        trained(whole, torch.arange(12) % 3, epochs=60, learning_rate=3e-3)
        active = whole.perceptron.encode(images(12)[:, None] / 255).mean(0)
        away.append((active - 0.05).abs().max().item())
    assert away[1] < 0.02 < 0.04 < away[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": [3], "decays": [0.1]}, r"decays: \[0.1\] for 1 hidden layers and the softmax"),
        ({"hidden": [], "decays": [0.1], "pretrained": True}, "there is no hidden layer"),
    ],
)
def test_impossible_networks_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_params.Perceptron.model_validate(change)
