"""Every open-set score keeps one contract, tried on real digits."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen import OvergenError
from overgen.scores import gaussian_density, mahalanobis
from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.contractive import ContractiveError
from overgen.scores.denoising import DenoisingError
from overgen.scores.energy import Energy
from overgen.scores.energy_gan import EnergyGan
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.k_means import KMeansDistance
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.openmax import OpenMax
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax
from overgen.scores.w_svm import WeibullSVM

from scores_of_digits import KNOWN, SCORES, fit

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


@every_score
def test_a_score_is_not_asked_before_it_is_fitted(name: str, digits: dict[str, Any]) -> None:
    score = SCORES[name][0]()
    method = type(score).__name__
    for ask in ("score", "predict", "state"):
        if hasattr(score, ask):
            with pytest.raises(OvergenError, match=rf"^{method} is not fitted: call fit\(x, labels\) before"):
                getattr(score, ask)(*[digits["known"][SCORES[name][1]]] * (ask != "state"))
    assert not hasattr(score, "anything_else")


def short(name: str) -> Any:
    """A new score, trained for few updates if it is trained at all."""
    score = SCORES[name][0]()
    if hasattr(score, "updates"):
        score.updates = 10
    return score


@every_score
def test_a_further_fit_leaves_nothing_of_an_earlier_one(name: str, digits: dict[str, Any]) -> None:
    """On other classes, of other values and another width: as new; so is what an npz file gave back."""
    x, labels = digits["train"][SCORES[name][1]], digits["labels"]
    first = np.isin(labels, [0, 1, 2]) if not SCORES[name][1] else labels >= 0
    second = labels >= 3
    columns = slice(None) if SCORES[name][1] else slice(0, 48)
    a, b = (x[first], labels[first]), ((0.2 + 0.5 * x[second])[:, columns], labels[second])
    new = fit(short(name), *b)
    queries = (0.2 + 0.5 * digits["unknown"][SCORES[name][1]])[:, columns]
    again = fit(short(name), *a)
    stored = type(again).from_state(again.state())
    for score in (fit(again, *b), fit(stored, *b), fit(fit(short(name), *b), *b)):
        np.testing.assert_array_equal(score.score(queries), new.score(queries))
        np.testing.assert_equal(score.state(), new.state())


def refusal(score: Any, x: np.ndarray, labels: np.ndarray) -> str:
    """Fit a score. Returns what its ValueError says if it does not take the input, else ""."""
    try:
        fit(score, x, labels)
    except np.linalg.LinAlgError:  # a ValueError, too, but nobody's answer
        raise
    except ValueError as error:
        return str(error)
    return ""


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(SCORES)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 3, 7, 30]),
    st.sampled_from([1, 2, 5, 40, 2000]),
    st.integers(1, 60),
)
def test_any_sizes_work_or_are_named_in_one_line(name: str, seed: int, classes: int, width: int, count: int) -> None:
    """Classes of one example, one class alone, fewer inputs than classes, columns, neighbours, means or components."""
    draws = np.random.default_rng(seed)
    if SCORES[name][1]:
        width = max(classes, 2)
    x, labels = draws.random((count, width)).astype(np.float32), draws.integers(classes, size=count)
    labels[:classes] = np.arange(min(classes, count))
    queries = draws.random((9, width)).astype(np.float32)
    score = short(name)
    if refused := refusal(score, x, labels):
        assert re.search(r"\d", refused)
        assert "\n" not in refused
        return
    scores = score.score(queries)
    assert scores.shape == (9,)
    assert scores.dtype == np.float64
    assert not np.isnan(scores).any()
    alone = np.concatenate([score.score(row[None]) for row in queries])
    np.testing.assert_allclose(alone, scores, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(type(score).from_state(score.state()).score(queries), scores)
    if hasattr(score, "predict"):
        assert set(score.predict(queries)) <= set(labels)


@pytest.mark.parametrize("name", ["softmax", "energy", "openmax", "mahalanobis", "knn", "gaussian_density"])
def test_a_thousand_classes(name: str) -> None:
    draws = np.random.default_rng(0)
    labels = np.arange(2000) % 1000
    centres = draws.normal(0, 5, (1000, 20))
    if SCORES[name][1]:
        x = draws.random((2000, 1000)) + 9 * np.eye(1000)[labels]
        queries = draws.random((20, 1000))
    else:
        x, queries = centres[labels] + draws.normal(size=(2000, 20)), draws.normal(0, 5, (20, 20))
    score = short(name).fit(x, labels)
    known, unknown = score.score(x[:50]), score.score(queries)
    assert np.isfinite([*known, *unknown]).all()
    assert name == "openmax" or np.median(known) > np.median(unknown)  # whose tails are of two examples each


def test_whitening_once_for_many_classes_is_whitening_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(0)
    x, labels = draws.normal(50, 3, (400, 12)), np.arange(400) % 60
    score = Mahalanobis().fit(x, labels)
    once = score.score(x)
    monkeypatch.setattr(mahalanobis, "MANY", 60)
    np.testing.assert_allclose(score.score(x), once, rtol=1e-9)


def test_covariances_that_would_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian_density, "LARGEST", 99)
    with pytest.raises(ValueError, match="4 classes of 5 columns each: their covariances take more than"):
        GaussianDensity().fit(np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 4)


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
        (lambda: DenoisingError(noise_std=0), "noise_std = 0"),
        (lambda: ContractiveError(contraction=0), "contraction = 0"),
        (lambda: EnergyGan(margin=0), "margin = 0, repelling = 0.1"),
        (lambda: EnergyGan().fit(np.full((3, 4), 1.5)), r"values from 1.5 to 1.5, must lie in \[0, 1\]"),
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
