"""Scores of many kinds as attacks meet them, against the scores of record: values, Γ and its pull, and successes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from overgen.attacks.autopgd import autopgd
from overgen.attacks.on_scores import ANY, Attackable, BlackBox, OnOutput, OnScore, OnView, leads
from overgen.attacks.search import Ball, Found
from overgen.attacks.square import square
from overgen.confidence import ScaledOutput, curvature
from overgen.models import Output
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.softmax import Softmax
from overgen.scores.tensors import plain, tensor_score

from attacking import stream

SHAPE = (1, 8, 8)
CUBE = Ball("none", float("inf"))


class Network(nn.Module):
    """A smooth network of digits, 8 × 8, which reconstructs; γ is on both sides of 0 for random images."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 32), nn.Linear(32, classes)
        self.back = nn.Parameter(torch.randn(32, 64, generator=stream(2)))
        with torch.no_grad():
            for i, weight in enumerate(self.parameters()):
                weight.normal_(0, 0.7, generator=stream(10 + i))
            # what decodes is what encodes: the trace is a sum of squares, about as large as that of the identity
            self.back.copy_(5.5 * self.fc1.weight)
        self.requires_grad_(False)

    def encode(self, x: Tensor) -> Tensor:
        return self.fc1(x.flatten(1)).sigmoid()  # type: ignore[no-any-return]

    def classify(self, h: Tensor) -> Tensor:
        return self.fc2(h).log_softmax(1)  # type: ignore[no-any-return]

    def decode(self, h: Tensor) -> Tensor:
        return h @ self.back / 8

    def forward(self, x: Tensor) -> Output:
        h = self.encode(x)
        return Output(self.classify(h), self.decode(h))


class Plain(nn.Module):
    """As `Network`, but the features have to be looked for in the forward pass, and nothing is reconstructed."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*list(Network().children())[:1], nn.Sigmoid(), *list(Network().children())[1:])

    def forward(self, x: Tensor) -> Output:
        return Output(self.layers(x.flatten(1)).log_softmax(1), None)


@pytest.fixture(scope="module")
def images() -> tuple[Tensor, np.ndarray]:
    """Flat digits of classes 0, 2 and 5, (N, 64) float32 in [0, 1], and labels."""
    x, labels = load_digits(return_X_y=True)
    mine = np.isin(labels, (0, 2, 5))
    return torch.from_numpy(x[mine] / 16).float(), labels[mine]


@pytest.fixture(scope="module")
def noise() -> Tensor:
    return torch.rand(60, 64, generator=stream(3))


def what_it_judges(network: nn.Module, view: str, x: Tensor) -> np.ndarray:
    """By the layers themselves."""
    first, last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    h = first(x).sigmoid()
    return {"pixels": x, "features": h, "logits": last(h)}[view].numpy()


@pytest.mark.parametrize("network", [Network(), Plain()], ids=["named", "looked_for"])
@pytest.mark.parametrize(
    ("make", "view"),
    [(lambda: NearestNeighbours(neighbours=3), "features"), (lambda: NearestNeighbours(neighbours=3), "pixels"),
     (Mahalanobis, "features"), (GaussianDensity, "features"), (Softmax, "logits"),
     (OneClassSVMPerClass, "features"), (OneClassSVMPerClass, "pixels")],
)  # fmt: skip
def test_a_view_is_the_score_of_record(
    network: nn.Module, make: Any, view: str, images: tuple[Tensor, np.ndarray], noise: Tensor
) -> None:
    """Values; labels of the score where it decides, else of the network; leads that agree with the labels."""
    x, labels = images
    fitted = make().fit(what_it_judges(network, view, x), labels)
    tried = torch.cat([x[::9], noise])
    look = OnView(network, tensor_score(fitted), view, SHAPE)(tried)
    seen = what_it_judges(network, view, tried)
    np.testing.assert_allclose(look.score.numpy(), fitted.score(seen), rtol=1e-5, atol=1e-6)
    by_network = network(tried.view(-1, *SHAPE)).log_y.double()
    if hasattr(fitted, "predict"):
        assert (look.label.numpy() == fitted.predict(seen)).mean() > 0.98  # rounding, where two classes are alike
        unknown = [c for c in range(look.leads.shape[1]) if c not in (0, 2, 5)]
        assert (look.leads[:, unknown] == -torch.inf).all()  # no image may be asked to be of such a class
    else:
        assert torch.equal(look.label, by_network.argmax(1))
        assert torch.equal(look.leads, leads(by_network))
    assert torch.equal(look.leads.argmax(1), look.label)


def test_a_view_has_a_gradient_in_pixels(images: tuple[Tensor, np.ndarray], noise: Tensor) -> None:
    network, (x, labels) = Network(), images
    fitted = Mahalanobis().fit(what_it_judges(network, "features", x), labels)
    view = OnView(network.double(), tensor_score(fitted), "features", SHAPE)
    point = noise[:4].double().requires_grad_()
    (gradient,) = torch.autograd.grad(view(point).guide.sum(), point)
    direction = torch.randn(64, generator=stream(5), dtype=torch.float64)
    up, down = (view(point.detach() + sign * 1e-6 * direction).guide for sign in (1, -1))
    torch.testing.assert_close((up - down) / 2e-6, gradient @ direction, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("confidence", [False, True])
def test_an_output_is_the_scaled_output(confidence: bool, images: tuple[Tensor, np.ndarray], noise: Tensor) -> None:
    """With Γ < 1 among them: γ of random images is on both sides of 0."""
    network, x = Network(), torch.cat([images[0][:20], noise])
    pictures = x.view(-1, *SHAPE)
    gamma = curvature(network, pictures, probes=2)[0]
    assert (gamma > 0).sum() > 10
    assert (gamma <= 0).sum() > 10
    look = OnOutput(network, SHAPE, alpha=20, beta=10, probes=2, confidence=confidence)(x)
    log_y = network(pictures).log_y
    expected = ScaledOutput(network, alpha=20, beta=10, probes=2)(pictures).amax(1) - confidence * log_y.amax(1)
    torch.testing.assert_close(look.score.float(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(look.label, log_y.argmax(1))
    torch.testing.assert_close(look.leads, leads(log_y.double()))
    without = OnOutput(network, SHAPE, alpha=20, beta=0, probes=2, confidence=confidence)(x).score
    assert torch.equal(look.score < without, gamma > 0)


def test_the_guide_of_an_output_pulls_on_gamma(noise: Tensor) -> None:
    network = Network()
    with_gamma, without = (OnOutput(network, SHAPE, alpha=20, beta=beta, probes=64) for beta in (10.0, 0.0))
    acts = with_gamma(noise).score < without(noise).score
    gradients = []
    for attackable in (with_gamma, without):
        point = noise.clone().requires_grad_()
        gradients.append(torch.autograd.grad(attackable(point).guide.sum(), point)[0])
    pull = gradients[0] - gradients[1]
    assert (pull[acts].abs().amax(1) > 1e-4).all()
    torch.testing.assert_close(pull[~acts], torch.zeros_like(pull[~acts]))
    # along the pull γ itself falls, of most images: the estimate's gradient is not just any
    before, after = (curvature(network, x.view(-1, *SHAPE), probes=2)[0][acts]
                     for x in (noise, noise + 0.1 * pull / pull.norm(dim=1, keepdim=True).clamp(min=1e-9)))  # fmt: skip
    assert (after < before).float().mean() > 0.9


def by_answers(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the left half; class 1 where the top is brighter than the bottom, else 0."""
    halves = x.view(-1, 8, 8).numpy()
    return halves[:, :, :4].mean((1, 2)).astype(float), (halves[:, :4].sum((1, 2)) > halves[:, 4:].sum((1, 2))) * 1


def attackables(images: tuple[Tensor, np.ndarray]) -> dict[str, tuple[Attackable, Any]]:
    """Judges, and the score of each as it is used: flat images to values and labels."""
    network, (x, labels) = Network(), images
    found: dict[str, tuple[Attackable, Any]] = {"black_box": (BlackBox(by_answers, 3), by_answers)}
    scaled = ScaledOutput(network, alpha=20, beta=10, probes=2)

    def of_output(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
        values = scaled(x.view(-1, *SHAPE)).double()
        return values.amax(1).numpy(), values.argmax(1).numpy()

    found["output"] = OnOutput(network, SHAPE, alpha=20, beta=10, probes=2), of_output
    for name, score in (("neighbours", NearestNeighbours(neighbours=3)), ("svm", OneClassSVMPerClass())):
        fitted = score.fit(what_it_judges(network, "features", x), labels)

        def of_view(x: Tensor, fitted: Any = fitted) -> tuple[np.ndarray, np.ndarray]:
            seen = what_it_judges(network, "features", x)
            label = fitted.predict(seen) if hasattr(fitted, "predict") else network(x).log_y.argmax(1).numpy()
            return fitted.score(seen), label

        found[name] = OnView(network, tensor_score(fitted), "features", SHAPE), of_view
    return found


def attacked(name: str, objective: OnScore, start: Tensor) -> Found:
    if name == "black_box":
        draws = [stream(i) for i in range(len(start))]
        return square(objective, start, start, CUBE, queries=200, generators=draws, shape=SHAPE)
    return autopgd(objective, start, start, CUBE, updates=40)


@pytest.mark.parametrize("name", ["black_box", "output", "neighbours", "svm"])
def test_what_succeeds_is_confirmed_by_the_score_of_record(
    name: str, images: tuple[Tensor, np.ndarray], noise: Tensor
) -> None:
    """Accepted as the class that was asked for, as any, and rejected; and most of the trials succeed."""
    attackable, score = attackables(images)[name]
    known = noise if name in ("black_box", "output") else images[0]
    values, labels = score(known)
    threshold = float(np.quantile(values, 0.9 if name in ("black_box", "output") else 0.05))
    accepted = values >= threshold
    classes = {"black_box": (0, 1), "svm": (0, 2, 5)}.get(name, tuple(np.unique(labels)[:3]))
    start = torch.rand(12, 64, generator=stream(7))
    if name not in ("black_box", "output"):
        assert (score(start)[0] < threshold).all()
    for targets in (torch.tensor(np.resize(classes, 12)), torch.full((12,), ANY)):
        found = attacked(name, OnScore(attackable, threshold, known[accepted], "accept", targets), start)
        done = (found.step >= 0).numpy()
        assert done.mean() >= 0.5
        values, labels = score(found.image)
        assert (values >= threshold)[done].all()
        if targets[0] != ANY:
            assert (labels == targets.numpy())[done].all()
    begin = known[accepted][:12]
    found = attacked(name, OnScore(attackable, threshold, known[accepted], "reject", torch.full((12,), ANY)), begin)
    done = (found.step >= 0).numpy()
    assert done[: len(begin)].mean() >= 0.5
    assert (score(found.image)[0] < threshold)[done].all()


def test_a_guide_ends_where_the_score_is_past_its_threshold_by_a_slack() -> None:
    """By hand: a score of the first pixel, spread 0.9 (0.05 to 0.95) on known images, threshold 0.5."""
    network = Network()
    attackable = OnView(network, plain(lambda x: x[:, 0].double()), "pixels", SHAPE)
    known = torch.rand(101, 64, generator=stream(1))
    known[:, 0] = torch.arange(101) / 100
    x = torch.rand(4, 64, generator=stream(2))
    x[:, 0] = torch.tensor([0.05, 0.499, 0.5 + 2e-5, 0.6])
    rows = torch.arange(4)
    nobody = torch.full((4,), ANY)
    guide, done = OnScore(attackable, 0.5, known, "accept", nobody)(rows, x)
    assert guide.tolist() == pytest.approx([-np.log1p(0.02 + d / 0.9) for d in (0.45, 0.001, -2e-5)] + [0], rel=1e-5)
    assert done.tolist() == [False, False, False, True]  # the third is above by less than the tolerance, 9e-5
    guide, done = OnScore(attackable, 0.5, known, "reject", nobody)(rows, x)
    expected = [0, -np.log1p(0.02 - 0.001 / 0.9), -np.log1p(0.02 + 2e-5 / 0.9), -np.log1p(0.02 + 0.1 / 0.9)]
    assert guide.tolist() == pytest.approx(expected, rel=1e-5)
    assert done.tolist() == [True, True, False, False]


def test_a_target_is_asked_of_its_own_trial_alone(noise: Tensor) -> None:
    """Rows say which trials are looked at. A score that accepts everything leaves the label alone to be followed."""
    network = Network()
    attackable = OnView(network, plain(lambda x: x[:, 0].double() * 0 + 1), "pixels", SHAPE)
    log_y = network(noise.view(-1, *SHAPE)).log_y
    best = log_y.argmax(1)
    targets = torch.where(torch.arange(60) % 3 == 0, ANY, (best + torch.arange(60) % 3 - 1) % 10)
    objective = OnScore(attackable, 0.0, noise, "accept", targets)
    rows = torch.arange(60).flip(0)[:31]
    guide, done = objective(rows, noise[rows])
    asked = targets[rows]
    assert torch.equal(done, (asked == ANY) | (asked == best[rows]))
    assert (guide[~done] < 0).all()
    assert (guide[asked == ANY] == 0).all()
