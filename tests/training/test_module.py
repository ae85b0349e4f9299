"""Training: the losses against plain formulas, weight decay, noise of a member's own, and a user's network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from overgen.data import floats
from overgen.models import Output, cnn, registry
from overgen.run import params
from overgen.run.streams import generator
from overgen.training import members
from overgen.training.module import Training

import training_cases
from workspace import ROOT


def images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator("images"), dtype=torch.uint8)


LABELS = torch.arange(12) % 3


def fitted(network: torch.nn.Module, *, epochs: int = 1, **options: object) -> Training:
    arguments: dict[str, object] = {"key": ("m",), "batch_size": 5, "learning_rate": 1e-3, "l2": 0.0}
    module = Training(network, images(12), LABELS, **(arguments | options))
    return training_cases.fitted(module, epochs=epochs)


class Ten(torch.nn.Module):
    """A network of a user's own: nothing but `forward` and `initialise`."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(784, classes)

    def forward(self, x: torch.Tensor) -> Output:
        return Output(F.log_softmax(self.layer(x.flatten(1)), dim=1), None)

    initialise = cnn.CNN.initialise


def built(network: torch.nn.Module) -> torch.nn.Module:
    network.initialise(generator("n"))
    return network


def test_a_users_network_trains() -> None:
    module = fitted(built(Ten()), epochs=40)
    assert module.curves[-1]["loss"] < module.curves[0]["loss"] / 2
    assert module.curves[-1]["accuracy"] == 1
    assert [curve["epoch"] for curve in module.curves] == list(range(40))


def test_a_plain_loop_takes_the_same_path() -> None:
    """Same batches, same Adam, written out: the weights after two epochs are the same."""
    network = built(Ten())
    fitted(network, epochs=2, l2=6.0)
    plain = built(Ten())
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3)
    for epoch in range(2):
        for batch in torch.randperm(12, generator=generator("m", "order", epoch)).split(5):
            log_y = plain(floats(images(12)[batch])).log_y
            # λ/N·‖W‖² on weights, not biases
            loss = F.nll_loss(log_y, LABELS[batch]) + 6.0 / 12 * plain.layer.weight.square().sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
    torch.testing.assert_close(network.layer.weight, plain.layer.weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(network.layer.bias, plain.layer.bias, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seen", ["noisy", "clean"])
def test_denoising_loss(seen: str) -> None:
    """The corrupted image goes in, the clean one is the target; the classifier sees what is declared."""
    network = built(registry.build("dae", classes=3, tied=True))
    module = Training(
        network, images(12), LABELS, key=("m",), batch_size=12, learning_rate=1e-3, l2=0.0, noise_std=0.3,
        reconstruction_weight=2.0, classifier_input=seen,
    )  # fmt: skip
    module.noise, module.sums = generator("noise"), torch.zeros(5)
    loss = module.training_step(torch.arange(12))
    clean = floats(images(12))
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=generator("noise"))
    log_y, reconstruction = network(noisy)
    if seen == "clean":
        log_y = network(clean).log_y
    expected = F.nll_loss(log_y, LABELS) + 2 * ((reconstruction - clean.flatten(1)) ** 2).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_a_member_does_not_depend_on_what_ran_before() -> None:
    first = fitted(built(registry.build("autoencoder", hidden=4)), noise_std=0.1)
    torch.rand(11)
    second = fitted(built(registry.build("autoencoder", hidden=4)), noise_std=0.1)
    assert first.curves == second.curves
    other = fitted(built(registry.build("autoencoder", hidden=4)), noise_std=0.1, key=("other",))
    assert first.curves != other.curves


class Dropping(torch.nn.Module):
    """A network that draws in training mode, with a part that stays in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.drop, self.layer = torch.nn.Dropout(0.9), torch.nn.Dropout(0.5), torch.nn.Linear(28 * 28, 10)
        self.frozen.eval()
        self.seen: list[tuple[bool, bool, int]] = []

    def forward(self, x: torch.Tensor) -> Output:
        self.seen.append((self.frozen.training, self.drop.training, len(x)))
        return Output(F.log_softmax(self.layer(self.frozen(self.drop(x.flatten(1)))), 1), None)


def test_a_test_curve_changes_nothing_that_is_trained() -> None:
    def trained(test: bool) -> Training:
        torch.manual_seed(3)
        network = Dropping()
        module = Training(network, images(12), LABELS, key=("m",), batch_size=5, learning_rate=0.01, l2=0.0)
        module.test = (images(501), LABELS.repeat(42)[:501]) if test else None
        return training_cases.fitted(module, epochs=3)

    plain, tested = trained(False), trained(True)
    for name, weight in plain.network.state_dict().items():
        assert torch.equal(weight, tested.network.state_dict()[name])
    assert [{k: v for k, v in curve.items() if k != "test_accuracy"} for curve in tested.curves] == plain.curves
    seen = tested.network.seen
    assert [n for _, _, n in seen] == [5, 5, 2, 500, 1] * 3
    assert [(frozen, drops) for frozen, drops, _ in seen] == ([(False, True)] * 3 + [(False, False)] * 2) * 3
    network = tested.network.eval()
    right = network(floats(images(501))).log_y.argmax(1) == LABELS.repeat(42)[:501]
    assert tested.curves[-1]["test_accuracy"] == pytest.approx(float(right.float().mean()))


def test_what_does_not_classify_has_no_test_curve() -> None:
    module = Training(built(registry.build("autoencoder", hidden=4)), images(12), LABELS, key=("m",), batch_size=5,
                      learning_rate=0.01, l2=0.0)  # fmt: skip
    module.test = images(3), LABELS[:3]
    assert "test_accuracy" not in training_cases.fitted(module, epochs=1).curves[0]


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    network = built(Ten())
    with torch.no_grad():
        network.layer.weight[0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match="nan in epoch 0"):
        fitted(network)


def test_what_a_stage_changes_of_the_training_reaches_it() -> None:
    settings = params.load(ROOT / "params.yaml")
    sections = {
        "models.dae_sym_l2_10": settings.models["dae_sym_l2_10"],
        "training.mnist": settings.training["mnist"],
        "train_variants.mnist": settings.train_variants["mnist"],
    }
    item = {"dataset": "mnist", "model": "dae_sym_l2_10"}
    stage: Any = SimpleNamespace(
        name="train_variants", item=item, params=sections.__getitem__, device=torch.device("cpu")
    )
    changed = members.prepare(stage, images(12), LABELS, key=("changed",), classes=10)
    assert settings.training["mnist"].l2 != changed.l2 == settings.train_variants["mnist"].training["dae_sym_l2_10"].l2
    item["model"] = "dae_sym"  # for which the stage changes nothing
    sections["models.dae_sym"] = settings.models["dae_sym"]
    assert members.prepare(stage, images(12), LABELS, key=("not",), classes=10).l2 == settings.training["mnist"].l2


def test_the_weight_decay_of_a_part_of_the_images_may_be_that_of_all() -> None:
    """λ/N with N the images of all classes: a member that sees a tenth of them has the same decay, not ten times it."""
    network, common = built(Ten()), {"key": ("d",), "batch_size": 5, "learning_rate": 1e-3, "l2": 3.0}
    assert Training(network, images(12), LABELS, **common).decay("layer.weight") == 2 * 3.0 / 12
    assert Training(network, images(12), LABELS, of_images=120, **common).decay("layer.weight") == 2 * 3.0 / 120
