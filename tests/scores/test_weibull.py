"""Scores with Weibull tails: the fits, OpenMax and W-SVM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_ood import detector as peers
from scipy.stats import weibull_min
from sklearn.svm import SVC, OneClassSVM

from overgen.scores import weibull
from overgen.scores.openmax import OpenMax
from overgen.scores.w_svm import WeibullSVM

from scores_of_digits import KNOWN


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
