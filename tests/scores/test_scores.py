"""Scores against independent implementations, one after another."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_ood import detector as peers
from scipy.special import entr, softmax
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.svm import OneClassSVM
from torch import nn

from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.contractive import ContractiveError, squared_jacobian
from overgen.scores.denoising import DenoisingError
from overgen.scores.energy_gan import EnergyGan, likeness
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax

from processes import environment
from scores_of_digits import KNOWN


def test_scores_of_logits(digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    z = digits["unknown"][True]
    np.testing.assert_allclose(fitted["softmax"].score(z), np.log(softmax(z, axis=1).max(1)))
    np.testing.assert_allclose(fitted["max_logit"].score(z), z.max(1))
    np.testing.assert_allclose(fitted["entropy"].score(z), -entr(softmax(z, axis=1)).sum(1))
    theirs = peers.EnergyBased.score(torch.from_numpy(z), t=2.0)
    np.testing.assert_allclose(fitted["energy"].score(z), -theirs.numpy())
    np.testing.assert_allclose(np.exp(fitted["softmax"].score(z)), -peers.MaxSoftmax.score(torch.from_numpy(z)).numpy())


def test_softmax_tells_certain_rows_apart_beyond_the_last_bit_of_one() -> None:
    z = np.array([[50.0, 0.0], [60.0, 0.0], [800.0, 0.0]])
    found = Softmax().fit(z).score(z)
    assert found[0] < found[1] < 0
    assert found[2] == 0
    assert found[0] == pytest.approx(-math.exp(-50))


def test_k_means(digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    theirs = KMeans(20, n_init=1, random_state=0).fit(digits["train"][False]).transform(digits["unknown"][False])
    np.testing.assert_allclose(fitted["k_means"].score(digits["unknown"][False]), -theirs.min(1))


def test_k_means_are_the_same_bits_again_with_many_threads() -> None:
    """scikit-learn's sums hang on the order in which its threads end: of four they would differ from fit to fit."""
    code = (
        "import numpy as np; from overgen.scores.k_means import KMeansDistance;"
        "x = np.random.default_rng(0).random((3000, 100)).astype(np.float32);"
        "print(len({KMeansDistance(clusters=20).fit(x).means.tobytes() for _ in range(6)}))"
    )
    given = environment(OMP_NUM_THREADS="4")
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_mahalanobis(digits: dict[str, Any]) -> None:
    """The peer inverts the sum of outer products in place of their mean, and adds its own ridge to that."""
    draws = np.random.default_rng(0)
    x = digits["train"][False] + 0.01 * draws.normal(size=digits["train"][False].shape)
    ours = Mahalanobis(ridge=0).fit(x, digits["labels"]).score(digits["unknown"][False])
    peer = peers.Mahalanobis(None).fit_features(torch.from_numpy(x), torch.from_numpy(digits["labels"]))
    peer.precision = peer.precision.double()
    theirs = peer.predict_features(torch.from_numpy(digits["unknown"][False])).numpy()
    np.testing.assert_allclose(ours, -2 * len(x) * theirs, rtol=2e-3)


def test_gaussian_density(digits: dict[str, Any]) -> None:
    x, labels = digits["train"][False], digits["labels"]
    parts = []
    for label in range(KNOWN):
        mine = x[labels == label]
        sample = np.cov(mine.T, bias=True)
        covariance = 0.7 * sample + 0.3 * np.trace(sample) / 64 * np.eye(64)
        density = multivariate_normal(mine.mean(0), covariance).logpdf(digits["unknown"][False])
        parts.append(density + np.log(len(mine) / len(x)))
    ours = GaussianDensity(shrinkage=0.3).fit(x, labels).score(digits["unknown"][False])
    np.testing.assert_allclose(ours, np.logaddexp.reduce(parts))


def test_an_autoencoder_of_one_linear_plane_does_what_components_do(digits: dict[str, Any]) -> None:
    """It comes near the best error of its kind: less than that of a fifth of the components, on images it has seen."""
    x = digits["train"][False]
    ours = AutoencoderError(hidden=10, updates=500, batch_size=64).fit(x)
    found = np.sqrt(np.mean(ours.score(x) ** 2))
    errors = {k: np.sqrt(np.mean(PcaError(components=k).fit(x).score(x) ** 2)) for k in (2, 30)}
    assert errors[30] < found < errors[2]
    with torch.no_grad():
        direct = ours.network(torch.from_numpy(x)).numpy() - x
    np.testing.assert_allclose(ours.score(x), -np.linalg.norm(direct, axis=1))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_the_penalty_is_in_the_mean_the_squared_jacobian(seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU()).double()
    x = torch.randn(4, 7, generator=draws, dtype=torch.float64)
    jacobians = torch.stack([torch.func.jacrev(encoder)(row) for row in x])
    masks = encoder[0](x) > 0, encoder(x) > 0
    weights = encoder[0].weight, encoder[2].weight
    every = torch.tensor(list(product((-1.0, 1.0), repeat=3)), dtype=torch.float64)  # the mean over all is exact
    found = torch.stack([squared_jacobian(*weights, *masks, signs.expand(4, 3)) for signs in every]).mean(0)
    torch.testing.assert_close(found, jacobians.square().sum((1, 2)))


def test_contraction_makes_the_code_change_less(digits: dict[str, Any]) -> None:
    x = digits["train"][False]
    slopes = []
    for contraction in (1e-6, 0.1, 10.0):
        score = ContractiveError(contraction=contraction, hidden=8, updates=200, batch_size=64).fit(x)
        jacobians = torch.func.vmap(torch.func.jacrev(score.network[:4]))(torch.tensor(x[:50]))
        slopes.append(float(jacobians.detach().square().sum()))
    assert slopes[0] > 2 * slopes[1] > 4 * slopes[2]


def test_a_denoising_autoencoder_restores_noisy_images_better(digits: dict[str, Any]) -> None:
    x, clean = digits["train"][False], torch.from_numpy(digits["known"][False])
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    errors = []
    for score in (AutoencoderError(hidden=16, updates=600), DenoisingError(noise_std=0.3, hidden=16, updates=600)):
        errors.append(float((score.fit(x).network(noisy) - clean).detach().square().mean()))
    assert errors[1] < 0.9 * errors[0]  # what sees the noise and is asked for the noise comes to 0.94


def test_an_energy_based_gan_trains_both_networks(digits: dict[str, Any]) -> None:
    """Its energy of known images falls below that of generated ones, which goes to the margin."""
    score = EnergyGan(hidden=16, updates=400, batch_size=64, margin=0.05).fit(digits["train"][False])
    first, last = score.curves[:20].mean(0), score.curves[-100:].mean(0)
    assert score.curves.shape == (400, 2)
    assert last[0] < 0.7 * first[0]
    assert last[0] < last[1] < 1.2 * 0.05
    codes = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert float(likeness(codes)) == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert float(likeness(codes[:1])) == 0


def test_an_other_class_knows_the_negatives_it_has_seen_and_not_others(digits: dict[str, Any]) -> None:
    """Fitted on noise it tells digits from noise, and takes the digits that it does not know for known ones."""
    noise = np.random.default_rng(1).uniform(size=(2, *digits["train"][False].shape))
    score = OtherClass(updates=500, batch_size=32).fit(digits["train"][False], digits["labels"], noise[0])
    known, unknown, unseen = (score.score(x) for x in (digits["known"][False], digits["unknown"][False], noise[1]))
    assert np.mean(known[:, None] > unseen) > 0.999
    assert np.mean(unknown > 0) > 0.9


def test_the_odds_of_an_other_class_without_hidden_units_are_those_of_a_softmax(digits: dict[str, Any]) -> None:
    """Against scikit-learn's logistic regression on the same three kinds of rows, both fitted to the end."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(300, 2)) + np.repeat([[2, 0], [-1, 2], [-1, -2]], 100, axis=0)  # classes that overlap
    score = OtherClass(hidden=0, updates=2400, batch_size=50, learning_rate=0.05)
    score.fit(x[:200], np.repeat([4, 7], 100), negatives=x[200:])
    peer = LogisticRegression(C=np.inf, max_iter=1000).fit(x, np.repeat([0, 1, 2], 100))
    p = peer.predict_proba(x)
    np.testing.assert_allclose(score.score(x), np.log(p[:, :2].sum(1) / p[:, 2]), atol=0.05)
    assert (score.predict(x) == np.where(p[:, 0] > p[:, 1], 4, 7)).mean() > 0.99


def test_pca(digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    x = digits["unknown"][False]
    theirs = PCA(20, svd_solver="full").fit(digits["train"][False])
    error = np.linalg.norm(theirs.inverse_transform(theirs.transform(x)) - x, axis=1)
    np.testing.assert_allclose(fitted["pca"].score(x), -error)


@pytest.mark.parametrize("gamma", ["scale", 0.05])
def test_one_class_svm_per_class(digits: dict[str, Any], gamma: Any) -> None:
    x, labels, queries = digits["train"][False], digits["labels"], digits["unknown"][False]
    number = 1 / (64 * x.var()) if gamma == "scale" else gamma
    theirs = [OneClassSVM(nu=0.2, gamma=number).fit(x[labels == c]).decision_function(queries) for c in range(KNOWN)]
    ours = OneClassSVMPerClass(nu=0.2, gamma=gamma).fit(x, labels)
    np.testing.assert_allclose(ours.decisions(queries), np.stack(theirs, 1), atol=1e-6)


def test_slabs_by_hand() -> None:
    """A class between two others on a line has a slab around it, of which both sides reject."""
    x = np.array([[0.0], [0.1], [0.2], [4.0], [4.1], [4.2], [9.0], [9.1], [9.2]])
    labels = np.repeat([0, 1, 2], 3)
    score = OneVsSet().fit(x, labels)
    assert score.predict(np.array([[0.1], [9.1]])).tolist() == [0, 2]
    assert (score.score(np.array([[0.1], [9.1]])) > 0).all()
    assert (score.score(np.array([[-60.0], [80.0]])) < 0).all()  # a half-space would take them
    depths = score.depths(np.array([[-60.0], [80.0]]))
    assert depths.max() < 0
    assert score.depths(x).max() <= 0.5


def test_a_slab_has_the_least_risk_of_all_that_were_tried() -> None:
    draws = np.random.default_rng(0)
    inside, outside = draws.normal(2, 1, 60), draws.normal(-2, 1.5, 300)
    machine = OneVsSet(errors=4.0)
    a, omega = machine._slab(inside, outside)

    def risk(a: float, omega: float) -> float:
        width, extent = inside.max() - inside.min(), omega - a
        hits = np.sum((inside >= a) & (inside <= omega))
        answers = hits + np.sum((outside >= a) & (outside <= omega))
        f = 2 * hits / (answers + len(inside))
        return max(1, extent / width) + max(1, width / extent) + (4.0 / f if f else np.inf)

    found = risk(a, omega)
    every = np.concatenate([inside, outside])
    places = np.concatenate([np.quantile(v, np.linspace(0, 1, 100)) for v in (inside, every)])
    least = min(risk(x, y) for x in places for y in places if y > x)
    assert found == pytest.approx(least)
