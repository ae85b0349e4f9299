"""Scores as attacks meet them: what they follow, and when they have succeeded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from overgen.attacks.autopgd import autopgd
from overgen.attacks.on_scores import ANY, BlackBox, OnOutput, OnScore, OnView, leads, spread
from overgen.attacks.search import Ball
from overgen.confidence import ScaledOutput
from overgen.models.autoencoders import DenoisingAutoencoder
from overgen.models.cnn import CNN
from overgen.models.features import seen
from overgen.scores.knn import NearestNeighbours
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.tensors import plain, tensor_score

SHAPE = (1, 28, 28)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(30, 784, generator=torch.Generator().manual_seed(0))


def initialised(network: Any) -> Any:
    network.initialise(torch.Generator().manual_seed(1))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def cnn() -> nn.Module:
    return initialised(CNN())


@pytest.fixture(scope="module")
def dae() -> nn.Module:
    return initialised(DenoisingAutoencoder(tied=True))


def test_leads_are_over_the_best_other_class() -> None:
    values = torch.tensor([[3.0, 1.0, 2.5], [0.0, 0.0, -1.0]])
    assert leads(values).tolist() == [[0.5, -2.0, -0.5], [0.0, 0.0, -1.0]]
    assert leads(torch.zeros(2, 1)).isinf().all()


def test_a_spread_is_of_what_is_finite_and_never_0() -> None:
    assert spread(torch.arange(101.0)) == pytest.approx(90)
    assert spread(torch.tensor([2.0, 2.0, torch.inf])) == 1
    assert spread(torch.tensor([torch.nan])) == 1


@pytest.mark.parametrize("view", ["features", "logits", "pixels"])
def test_a_view_gives_the_score_of_record_and_the_networks_class(view: str, cnn: nn.Module, images: Tensor) -> None:
    hidden, logits = seen(cnn, images.view(-1, *SHAPE))
    judged = {"features": hidden, "logits": logits, "pixels": images}[view].numpy()
    score = NearestNeighbours(neighbours=3).fit(judged[:20])
    look = OnView(cnn, tensor_score(score), view, SHAPE)(images)
    np.testing.assert_allclose(look.score.numpy(), score.score(judged), rtol=1e-6, atol=1e-9)
    log_y = cnn(images.view(-1, *SHAPE)).log_y
    assert torch.equal(look.label, log_y.argmax(1))
    torch.testing.assert_close(look.leads, leads(log_y.double()))


def test_a_score_that_decides_on_the_class_gives_its_own(cnn: nn.Module, images: Tensor) -> None:
    """Of classes 2, 5 and 7: the others have no lead."""
    labels = np.array([2, 5, 7] * 10)
    score = OneVsSet().fit(images.numpy(), labels)
    look = OnView(cnn, tensor_score(score), "pixels", SHAPE)(images)
    assert look.label.tolist() == score.predict(images.numpy()).tolist()
    assert look.leads.shape == (30, 8)
    assert look.leads[:, [0, 1, 3, 4, 6]].isneginf().all()
    assert (look.leads.argmax(1) == look.label).all()


@pytest.mark.parametrize("confidence", [False, True])
def test_an_output_is_the_scaled_output_with_its_gate(confidence: bool, dae: nn.Module, images: Tensor) -> None:
    attackable = OnOutput(dae, SHAPE, alpha=3.0, beta=10.0, probes=2, confidence=confidence)
    look = attackable(images)
    x = images.view(-1, *SHAPE)
    log_y = dae(x).log_y.double()
    scaled = ScaledOutput(dae, alpha=3.0, beta=10.0, probes=2)(x).double().amax(1)
    expected = scaled - log_y.amax(1) if confidence else scaled
    torch.testing.assert_close(look.score, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(look.label, log_y.argmax(1))
    attackable.level = float(look.score.median())  # below it the gate is not looked at: an upper bound
    bound = attackable(images).score
    assert (bound >= look.score - 1e-9).all()
    torch.testing.assert_close(bound[look.score >= attackable.level], look.score[look.score >= attackable.level])


def test_a_black_box_has_no_gradient_and_its_label_alone(images: Tensor) -> None:
    box = BlackBox(lambda x: (x.mean(1).numpy(), np.full(len(x), 3)), classes=5)
    look = box(images.clone().requires_grad_())
    assert not look.guide.requires_grad
    assert look.leads[0].tolist() == [-1, -1, -1, 1, -1]
    torch.testing.assert_close(look.score, images.mean(1).double())


class Brightness(nn.Module):
    """log y of three classes: 0 where dark, 2 where bright, 1 between."""

    def forward(self, x: Tensor) -> Any:
        from overgen.models import Output

        mean = x.flatten(1).mean(1, keepdim=True)
        return Output((-((mean - torch.tensor([[0.1, 0.5, 0.9]])) ** 2) * 40).log_softmax(1), None)


def bright(direction: Any, targets: Tensor, threshold: float) -> OnScore:
    """The score is the mean of the pixels; known images have means from 0.2 to 0.8."""
    attackable = OnView(Brightness(), plain(lambda x: x.double().mean(1)), "pixels", (1, 4, 4))
    known = torch.linspace(0.2, 0.8, 60)[:, None].expand(60, 16)
    return OnScore(attackable, threshold, known, direction, targets)


@pytest.mark.parametrize(
    ("direction", "target", "level", "done"),
    [("accept", ANY, 0.61, True), ("accept", ANY, 0.59, False), ("reject", ANY, 0.59, True),
     ("reject", ANY, 0.61, False), ("accept", 1, 0.65, True), ("accept", 2, 0.65, False), ("accept", 2, 0.75, True)],
)  # fmt: skip
def test_success_is_past_the_threshold_and_under_the_label(
    direction: Any, target: int, level: float, done: bool
) -> None:
    objective = bright(direction, torch.tensor([target]), 0.6)
    guide, verdict = objective(torch.tensor([0]), torch.full((1, 16), level))
    assert verdict.tolist() == [done]
    assert (guide <= 0).all()


def test_the_guide_counts_distances_in_spreads_and_in_logarithms() -> None:
    objective = bright("accept", torch.tensor([ANY, ANY]), 0.6)
    assert objective.spread == pytest.approx(0.54)
    guide, _ = objective(torch.tensor([0, 1]), torch.stack([torch.full((16,), 0.33), torch.full((16,), 0.7)]))
    assert guide[0] == pytest.approx(-np.log1p(0.27 / 0.54 + 0.02))
    assert guide[1] == 0
    rejected, _ = bright("reject", torch.tensor([ANY]), 0.6)(torch.tensor([0]), torch.full((1, 16), 0.87))
    assert rejected[0] == pytest.approx(-np.log1p(0.27 / 0.54 + 0.02))


def test_an_attack_reaches_the_threshold_and_the_label_that_were_asked_for() -> None:
    targets = torch.tensor([2, 1, ANY])
    start = torch.full((3, 16), 0.05)
    found = autopgd(bright("accept", targets, 0.6), start, start, Ball("none", float("inf")), updates=50)
    assert (found.step > 0).all()
    means = found.image.mean(1)
    assert (means >= 0.6).all()
    labels = Brightness()(found.image.view(-1, 1, 4, 4)).log_y.argmax(1)
    assert labels[:2].tolist() == [2, 1]


def test_a_score_of_features_is_fooled_as_the_score_itself_says(cnn: nn.Module, images: Tensor) -> None:
    hidden = seen(cnn, images.view(-1, *SHAPE))[0].numpy()
    score = NearestNeighbours(neighbours=1).fit(hidden)
    attackable = OnView(cnn, tensor_score(score), "features", SHAPE)
    start = torch.zeros(4, 784)
    begins = score.score(seen(cnn, start.view(-1, *SHAPE))[0].numpy())
    threshold = 0.5 * float(begins.max())  # half as far as black is
    objective = OnScore(attackable, threshold, images, "accept", torch.full((4,), ANY))
    assert (begins < threshold).all()
    found = autopgd(objective, start, start, Ball("none", float("inf")), updates=100)
    record = score.score(seen(cnn, found.image.view(-1, *SHAPE))[0].numpy()) >= threshold
    assert (found.step >= 0).tolist() == record.tolist()
    assert record.any()
