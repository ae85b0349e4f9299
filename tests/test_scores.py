"""Every open-set score: one contract, tried on real digits; and each against an independent implementation."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_ood import detector as peers
from scipy.special import entr, softmax
from scipy.stats import multivariate_normal, weibull_min
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC, OneClassSVM

from overgen.scores import weibull
from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.energy import Energy
from overgen.scores.entropy import NegativeEntropy
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.k_means import KMeansDistance
from overgen.scores.knn import NearestNeighbours, smallest
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.max_logit import MaxLogit
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.openmax import OpenMax
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax
from overgen.scores.w_svm import WeibullSVM

from processes import environment

KNOWN = 6  # of ten digits

# What makes each score, and whether it judges logits rather than pixels.
SCORES: dict[str, tuple[Callable[[], Any], bool]] = {
    "softmax": (Softmax, True),
    "max_logit": (MaxLogit, True),
    "energy": (lambda: Energy(temperature=2.0), True),
    "entropy": (NegativeEntropy, True),
    "openmax": (lambda: OpenMax(alpha=4), True),
    "openmax_max": (lambda: OpenMax(alpha=4, by="max", translation=1.0), True),
    "knn": (lambda: NearestNeighbours(neighbours=3), False),
    "knn_normalised": (lambda: NearestNeighbours(neighbours=3, normalise=True), False),
    "k_means": (lambda: KMeansDistance(clusters=20), False),
    "mahalanobis": (Mahalanobis, False),
    "gaussian_density": (GaussianDensity, False),
    "pca": (lambda: PcaError(components=20), False),
    "one_class_svm": (OneClassSVMPerClass, False),
    "w_svm": (WeibullSVM, False),
    "one_vs_set": (OneVsSet, False),
    "autoencoder": (lambda: AutoencoderError(hidden=8, updates=400, batch_size=32), False),
    "other_class": (lambda: OtherClass(hidden=30, updates=500, batch_size=32, learning_rate=0.01), False),
    "other_class_linear": (lambda: OtherClass(hidden=0, updates=500, batch_size=32, learning_rate=0.01), False),
}


def fit(score: Any, x: np.ndarray, labels: np.ndarray) -> Any:
    """A score fitted; one that needs negatives gets x with the values of each row in another order."""
    if isinstance(score, OtherClass):
        return score.fit(x, labels, negatives=np.random.default_rng(0).permuted(x, axis=1))
    return score.fit(x, labels)


@pytest.fixture(scope="module")
def digits() -> dict[str, Any]:
    """Digits 0..5 to be fitted on, and images of them and of 6..9 to be scored: pixels, and logits of a classifier."""
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / 16
    train = np.arange(len(labels)) % 2 == 0
    mine = labels < KNOWN
    classifier = LogisticRegression(max_iter=200).fit(pixels[train & mine], labels[train & mine])

    def views(chosen: np.ndarray) -> dict[bool, np.ndarray]:
        return {False: pixels[chosen], True: classifier.decision_function(pixels[chosen])}

    return {
        "train": views(train & mine),
        "labels": labels[train & mine],
        "known": views(~train & mine),
        "known_labels": labels[~train & mine],
        "unknown": views(~train & ~mine),
    }


@pytest.fixture(scope="module")
def fitted(digits: dict[str, Any]) -> dict[str, Any]:
    return {name: fit(make(), digits["train"][logits], digits["labels"]) for name, (make, logits) in SCORES.items()}


every_score = pytest.mark.parametrize("name", list(SCORES))


@every_score
def test_known_images_score_above_unknown_ones(name: str, digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    """Larger = more in-distribution: a score turned round would have an area of 1 − 0.8."""
    known, unknown = (fitted[name].score(digits[kind][SCORES[name][1]]) for kind in ("known", "unknown"))
    assert known.dtype == np.float64
    assert known.shape == (len(digits["known_labels"]),)
    assert np.mean(known[:, None] > unknown) > 0.8


@every_score
def test_a_row_scores_the_same_alone_in_any_batch_and_order(
    name: str, digits: dict[str, Any], fitted: dict[str, Any]
) -> None:
    x = np.concatenate([digits[kind][SCORES[name][1]][:40] for kind in ("known", "unknown")])
    whole = fitted[name].score(x)
    order = np.random.default_rng(0).permutation(len(x))
    alone = np.concatenate([fitted[name].score(row[None]) for row in x])
    np.testing.assert_allclose(alone, whole, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fitted[name].score(x[order]), whole[order], rtol=1e-9, atol=1e-11)
    assert len(np.unique(whole.round(12))) > 20  # not because all are the same
    assert fitted[name].score(x[:0]).shape == (0,)


@every_score
def test_what_is_not_finite_or_of_another_shape_is_refused(
    name: str, digits: dict[str, Any], fitted: dict[str, Any]
) -> None:
    x = digits["known"][SCORES[name][1]][:9]
    for value in (np.nan, np.inf, -np.inf):
        broken = x.copy()
        broken[7, 3] = value
        with pytest.raises(ValueError, match=r"(nan|inf) at row 7, column 3"):
            fitted[name].score(broken)
        with pytest.raises(ValueError, match=r"(nan|inf) at row 7, column 3"):
            fit(SCORES[name][0](), broken, digits["known_labels"][:9])
    with pytest.raises(ValueError, match=r"shape \(9, 5\)"):
        fitted[name].score(x[:, :5])
    with pytest.raises(ValueError, match="shape"):
        fitted[name].score(x[0])


@every_score
def test_a_fitted_score_is_an_npz_file(name: str, digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    file = io.BytesIO()
    np.savez(file, **fitted[name].state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = type(fitted[name]).from_state(dict(stored))
    x = digits["unknown"][SCORES[name][1]]
    np.testing.assert_array_equal(again.score(x), fitted[name].score(x))
    np.testing.assert_equal(again.state(), fitted[name].state())
    if hasattr(again, "predict"):
        np.testing.assert_array_equal(again.predict(x), fitted[name].predict(x))


@pytest.mark.parametrize("name", ["one_class_svm", "w_svm", "one_vs_set", "other_class", "other_class_linear"])
def test_methods_that_decide_on_the_class_get_it_right(
    name: str, digits: dict[str, Any], fitted: dict[str, Any]
) -> None:
    """Class numbers are the labels', whatever these are: here 10, 11, 12…, and not 0, 1, 2…"""
    assert np.mean(fitted[name].predict(digits["known"][False]) == digits["known_labels"]) > 0.85
    shifted = fit(SCORES[name][0](), digits["train"][False], digits["labels"] + 10)
    assert set(shifted.predict(digits["known"][False])) <= set(range(10, 10 + KNOWN))


@pytest.mark.parametrize("name", [name for name, (_, logits) in SCORES.items() if not logits])
def test_one_known_class_is_enough(name: str, digits: dict[str, Any]) -> None:
    mine = digits["labels"] == 0
    x = digits["train"][False]
    score = fit(SCORES[name][0](), x[mine], digits["labels"][mine])
    assert np.mean(score.score(x[mine])[:, None] > score.score(x[~mine])) > 0.8


def test_openmax_of_one_known_class(digits: dict[str, Any]) -> None:
    """One logit is left, and 1 − P₀ falls with its distance from the class's mean."""
    z, mine = digits["train"][True], digits["labels"] == 0
    score = OpenMax(translation=1.0).fit(z[mine], digits["labels"][mine])
    mean = z[mine & (z.argmax(1) == 0), 0].mean()
    near, far = (score.score(np.array([[mean + away, 0, 0, 0, 0, 0]])) for away in (0.0, 50.0))
    assert score.probabilities(z).shape == (len(z), 2)
    assert near > 0 > far


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Energy(temperature=0), "temperature = 0"),
        (lambda: NearestNeighbours(neighbours=0), "neighbours = 0"),
        (lambda: NearestNeighbours(neighbours=3).fit(np.ones((2, 4))), "2 inputs to be fitted on, fewer than"),
        (lambda: KMeansDistance(clusters=0), "clusters = 0"),
        (lambda: KMeansDistance(clusters=3).fit(np.ones((2, 4))), "2 inputs to be fitted on, fewer than"),
        (lambda: Mahalanobis(ridge=-1), "ridge = -1"),
        (lambda: Mahalanobis().fit(np.ones((3, 2)), np.zeros(3, int)), "singular: raise ridge"),
        (lambda: GaussianDensity(shrinkage=0), "shrinkage = 0"),
        (lambda: GaussianDensity().fit(np.ones((3, 2)), np.full(3, 8)), "class 8: its 3 inputs are all the same"),
        (lambda: PcaError(components=5).fit(np.ones((9, 4))), "4 columns, fewer than"),
        (lambda: OpenMax(alpha=0), "alpha = 0"),
        (lambda: OpenMax(by="min"), "by = 'min'"),  # type: ignore[arg-type]
        (lambda: OpenMax().fit(np.eye(3), np.array([1, 2, 0])), "none of the 3 inputs is labelled right"),
        (lambda: OpenMax().fit(np.eye(3), np.array([0, 1, 3])), "0 to 3, but x has 3 columns"),
        (lambda: OpenMax(tail=1).fit(np.eye(3), np.arange(3)), "tail = 1"),
        (lambda: OneClassSVMPerClass(nu=0), "nu = 0"),
        (lambda: OneClassSVMPerClass(gamma=-1.0).fit(np.eye(3), np.arange(3)), "gamma = -1.0"),
        (lambda: WeibullSVM(gate=1), "gate = 1"),
        (lambda: OneVsSet(cost=0), "cost = 0"),
        (lambda: AutoencoderError(hidden=0), "hidden = 0"),
        (lambda: AutoencoderError().fit(np.full((3, 4), 1.5)), r"values from 1.5 to 1.5, must lie in \[0, 1\]"),
        (lambda: OtherClass(updates=0), "updates = 0"),
        (lambda: OtherClass().fit(np.eye(3), np.arange(3), np.zeros((0, 3))), r"negatives: shape \(0, 3\)"),
        (lambda: OtherClass().fit(np.eye(3), np.arange(3), np.zeros((2, 4))), r"shape \(2, 4\), must be \(N, 3\)"),
        (lambda: Mahalanobis().fit(np.eye(3), np.arange(2)), r"labels: shape \(2,\)"),
        (lambda: Mahalanobis().fit(np.eye(3), np.arange(3.0)), "float64: must be"),
        (lambda: Softmax().fit(np.ones((0, 3))), r"shape \(0, 3\)"),
    ],
)
def test_impossible_options_and_inputs_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# Independent implementations, score by score.


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


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("normalise", [False, True])
def test_nearest_neighbours(digits: dict[str, Any], kind: type, normalise: bool) -> None:
    x, queries = (digits[part][False].astype(kind) for part in ("train", "unknown"))
    ours = NearestNeighbours(neighbours=7, normalise=normalise).fit(x)
    x, queries = x.astype(np.float64), queries.astype(np.float64)
    if normalise:
        x, queries = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, queries))
    theirs, _ = NearestNeighbors(n_neighbors=7, algorithm="kd_tree").fit(x).kneighbors(queries)
    found = ours.distances(digits["unknown"][False].astype(kind))
    np.testing.assert_allclose(found, theirs, rtol=1e-6 if kind == np.float32 and normalise else 1e-12)
    peer = peers.KNN(None, k=7, normalize=normalise).fit_features(
        torch.from_numpy(digits["train"][False]), torch.from_numpy(digits["labels"])
    )
    scores = peer.predict_features(torch.from_numpy(digits["unknown"][False])).numpy()
    np.testing.assert_allclose(found[:, -1], scores, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-7, 1e-3, 1.0]), st.integers(1, 6))
def test_neighbours_are_exact_where_float32_cannot_tell_them_apart(seed: int, spread: float, k: int) -> None:
    """Points far from 0 and close to each other; the naive way is the oracle."""
    draws = np.random.default_rng(seed)
    x = draws.normal(size=5) * 100 + spread * draws.normal(size=(80, 5))
    queries = x[:7] + spread * draws.normal(size=(7, 5))
    naive = np.sort(np.linalg.norm(queries[:, None] - x, axis=2), 1)[:, :k]
    np.testing.assert_allclose(NearestNeighbours(neighbours=k).fit(x).distances(queries), naive, rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(0, 700))
def test_the_smallest_of_each_row_are_found(seed: int, count: int, more: int) -> None:
    values = np.random.default_rng(seed).integers(50, size=(3, count + 1 + more)).astype(np.float32)  # with ties
    place = smallest(values, count)
    assert all(len(set(row)) == count for row in place.tolist())
    np.testing.assert_array_equal(np.sort(np.take_along_axis(values, place, 1)), np.sort(values)[:, :count])


def test_neighbours_of_many_copies() -> None:
    """More equal points than candidates: none can be told from another, and the distances are right all the same."""
    x = np.concatenate([np.zeros((100, 3)), np.ones((5, 3))])
    found = NearestNeighbours(neighbours=2).fit(x).distances(np.array([[0.0, 0, 0], [1, 1, 1], [3, 0, 0]]))
    np.testing.assert_allclose(found, [[0, 0], [0, 0], [np.sqrt(6), np.sqrt(6)]])


def test_memory_of_neighbours_is_bounded() -> None:
    """60,000 × 784, of which the matrix alone takes 188 MB, searched in several blocks, and again in float64."""
    script = """
import numpy as np
from pathlib import Path
from overgen.scores.knn import NearestNeighbours
x = np.zeros((60_000, 784), np.float32)
x[:, :30] = np.random.default_rng(0).normal(size=(60_000, 30))
x[:50] = x[0]  # more copies than candidates: float32 does not settle these
score = NearestNeighbours(neighbours=5).fit(x)
found = score.score(x[40:1200] + 1e-4)
# this program's own peak: getrusage's would be that of the process that started it, if that was larger
used = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # KiB
assert used < 1.5 * 2**20, used
assert found.shape == (1160,) and found[:10].min() > -0.01 > found[10:].max()
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_k_means(digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    theirs = KMeans(20, n_init=1, random_state=0).fit(digits["train"][False]).transform(digits["unknown"][False])
    np.testing.assert_allclose(fitted["k_means"].score(digits["unknown"][False]), -theirs.min(1))


def test_k_means_are_the_same_bits_again_with_many_threads() -> None:
    """scikit-learn's sums hang on the order in which its threads end: of four they would differ from fit to fit."""
    code = (
        "import numpy as np; from overgen.scores.k_means import KMeansDistance;"
        "x = np.random.default_rng(0).random((5000, 400)).astype(np.float32);"
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
    ours = AutoencoderError(hidden=10, updates=1500, batch_size=64).fit(x)
    found = np.sqrt(np.mean(ours.score(x) ** 2))
    errors = {k: np.sqrt(np.mean(PcaError(components=k).fit(x).score(x) ** 2)) for k in (2, 30)}
    assert errors[30] < found < errors[2]
    with torch.no_grad():
        direct = ours.network(torch.from_numpy(x)).numpy() - x
    np.testing.assert_allclose(ours.score(x), -np.linalg.norm(direct, axis=1))


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


# Meta-recognition: Weibull fits, OpenMax, W-SVM, 1-vs-Set.


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 20), st.floats(0.01, 1e3), st.integers(5, 60))
def test_weibull_fits_are_scipys(seed: int, shape: float, scale: float, count: int) -> None:
    values = scale * np.random.default_rng(seed).weibull(shape, count)
    smallest = values.min()
    found = weibull.fit_largest([values], tail=count, translation=float(smallest))  # x = values
    ours = weibull_min(found.shape[0], scale=np.exp(found.log_scale[0]))
    k, _, lam = weibull_min.fit(values, floc=0)
    theirs = weibull_min(k, scale=lam)
    gained = ours.logpdf(values).sum() - theirs.logpdf(values).sum()
    assert gained >= -1e-6  # at least as likely
    np.testing.assert_allclose(found.cdf(values[:, None])[:, 0], ours.cdf(values), atol=1e-12)
    if gained < 1e-5:  # else scipy's search stopped short of the one maximum there is
        np.testing.assert_allclose(ours.cdf(values), theirs.cdf(values), atol=2e-3)


def test_weibull_tails_by_hand() -> None:
    """Largest three of 1, 5, 6, 8 with translation 1: x = 1, 2, 4, of which κ solves the likelihood's equation.

    Σ x^κ ln x / Σ x^κ − 1/κ = mean ln x. With t = 2^κ, x^κ = 1, t, t² and ln x = 0, ln 2, 2 ln 2, so divided by ln 2 it
    is (t + 2t²)/(1 + t + t²) − 1/(κ ln 2) = 1, or (t² − 1)/(1 + t + t²) = 1/(κ ln 2). At κ = 2 that is 0.71429 against
    0.72135, at κ = 2.02 (t = 4.05584) 0.71841 against 0.71421: between them κ = 2 + 0.02·706/1126 = 2.0125.
    λ^κ = (1 + t + t²)/3 = 7.105 at t = 4.0348, so λ = 7.105^(1/2.0125) = 2.6493.
    """
    found = weibull.fit_largest([np.array([5.0, 8, 1, 6])], tail=3, translation=1.0)
    assert found.smallest[0] == 5
    assert found.shape[0] == pytest.approx(2.0125, abs=2e-4)
    assert np.exp(found.log_scale[0]) == pytest.approx(2.6493, abs=2e-4)
    assert found.cdf(np.array([[8.0]]))[0, 0] == pytest.approx(1 - math.exp(-((4 / 2.6493) ** 2.0125)), abs=1e-3)
    assert found.cdf(np.array([[4.0], [3.9], [-7.0]])).tolist() == [[0], [0], [0]]
    equal = weibull.fit_largest([np.full(9, 3.0)], tail=5, translation=1.0)
    np.testing.assert_array_equal(equal.cdf(np.array([[2.99], [3.01]])), [[0], [1]])


def test_smallest_values_are_fitted_from_below() -> None:
    values = np.random.default_rng(0).normal(size=100)
    found = weibull.fit_smallest([values], tail=10, translation=1.0)
    assert found.smallest[0] == values.min()
    low, high = found.cdf(np.array([[values.min() - 1], [np.median(values)]]))[:, 0]
    assert (low, round(high, 3)) == (0, 1)


def test_openmax_is_the_peers_where_the_peer_sees_every_class(digits: dict[str, Any]) -> None:
    """pytorch-ood fits all samples (so all given here are right) and needs every class among a batch's answers."""
    z, labels = digits["train"][True], digits["labels"]
    right = z.argmax(1) == labels
    z, labels = z[right], labels[right]
    peer = peers.OpenMax(None, tailsize=25, alpha=4).fit_logits(torch.from_numpy(z), torch.from_numpy(labels))
    queries = np.concatenate([digits["unknown"][True], z[:60]])
    assert set(queries.argmax(1)) == set(range(KNOWN))
    ours = OpenMax(tail=25, alpha=4).fit(z, labels)
    theirs = peer.predict_logits(torch.from_numpy(queries)).numpy()
    np.testing.assert_allclose(ours.probabilities(queries)[:, 0], theirs, atol=2e-3)
    # the peer's P₀ of a row changes with its batch; ours does not (see above)
    assert abs(peer.predict_logits(torch.from_numpy(queries[:1])).numpy()[0] - theirs[0]) > 1e-3


def test_openmax_by_hand() -> None:
    """Two classes with means (4, 0) and (0, 4) and all distances 1, so F steps at 1: 0 nearer, 1 further away.

    At (4, 0) nothing is revised. At (6, 0), 2 from its mean, the first logit loses all of its weight: ω = 0 at rank
    1, and the second (alpha = 2: weight ½, at distance √52) keeps half of 0: ẑ = (6; 0, 0). With alpha 1, at (6, 2):
    ẑ_0 = 6 and ẑ = (0, 2).
    """
    around = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    z = np.concatenate([around + np.array(mean) for mean in ([4, 0], [0, 4])])
    labels = np.repeat([0, 1], 4)
    score = OpenMax(tail=4, alpha=2, translation=0.5).fit(z, labels)
    np.testing.assert_allclose(score.means, [[4, 0], [0, 4]])
    np.testing.assert_allclose(score.revised(np.array([[4.0, 0], [6, 0]])), [[0, 4, 0], [6, 0, 0]], atol=1e-12)
    p = 1 / (1 + math.exp(6) + 1)
    np.testing.assert_allclose(score.probabilities(np.array([[6.0, 0]]))[0], [math.exp(6) * p, p, p])
    np.testing.assert_allclose(score.score(np.array([[6.0, 0]])), [math.log(2) - 6])
    one = OpenMax(tail=4, alpha=1, translation=0.5, by="max").fit(z, labels)
    np.testing.assert_allclose(one.revised(np.array([[6.0, 2]])), [[6, 0, 2]], atol=1e-12)
    np.testing.assert_allclose(one.score(np.array([[6.0, 2]])), [2 - np.logaddexp.reduce([6, 0, 2])])


def test_openmax_is_fitted_on_right_answers_and_known_outputs_only(digits: dict[str, Any]) -> None:
    z, labels = digits["train"][True], digits["labels"].copy()
    wider = np.concatenate([z, np.full((len(z), 2), -3.0)], 1)  # outputs that no class was trained on
    first = OpenMax().fit(z, labels)
    np.testing.assert_array_equal(first.classes, np.arange(KNOWN))
    np.testing.assert_allclose(OpenMax().fit(wider, labels).score(wider), first.score(z))
    labels[labels == 2] = 3  # a class that is never the right answer is left out, like one that does not occur
    np.testing.assert_array_equal(OpenMax().fit(z, labels).classes, [0, 1, 3, 4, 5])
    labels = digits["labels"].copy()
    labels[:50] = (labels[:50] + 1) % KNOWN  # wrong answers change nothing
    right = z.argmax(1) == labels
    again = OpenMax().fit(z, labels)
    np.testing.assert_allclose(again.means, OpenMax().fit(z[right], labels[right]).means)


def test_w_svm_by_its_definition(digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    """scikit-learn's machines on the inputs themselves, and scipy's Weibull distribution."""
    x, labels, queries = digits["train"][False], digits["labels"], digits["unknown"][False][:50]
    gamma = 1 / (64 * x.var())

    def inclusion(training: np.ndarray, values: np.ndarray) -> np.ndarray:
        tail = np.sort(training)[:20]
        k, _, lam = weibull_min.fit(tail - tail[0] + 1, floc=0)
        return weibull_min(k, scale=lam).cdf(values - tail[0] + 1)

    expected = []
    for label in range(KNOWN):
        mine = labels == label
        alone = OneClassSVM(nu=0.1, gamma=gamma).fit(x[mine])
        apart = SVC(gamma=gamma).fit(x, mine)
        gate = inclusion(alone.decision_function(x[mine]), alone.decision_function(queries)) > 0.001
        values, f = apart.decision_function(x), apart.decision_function(queries)
        expected.append(gate * inclusion(values[mine], f) * (1 - inclusion(-values[~mine], -f)))
    np.testing.assert_allclose(fitted["w_svm"].probabilities(queries), np.stack(expected, 1), atol=5e-3)


def test_the_gate_of_w_svm_closes(digits: dict[str, Any]) -> None:
    """Far away, where f of an RBF machine is its offset, only the one-class gate says no."""
    x, labels = digits["train"][False], digits["labels"]
    far = np.full((1, 64), 50.0)
    assert WeibullSVM(gate=0.999, translation=0.01).fit(x, labels).score(far)[0] == 0
    near = x[:20]
    assert np.all(WeibullSVM().fit(x, labels).score(near) >= WeibullSVM(gate=0.9).fit(x, labels).score(near))


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
