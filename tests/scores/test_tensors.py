"""Every score as a function of tensors: the score's own values, and gradients that numbers confirm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from overgen import OvergenError
from overgen.scores.methods import CLASSES
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.tensors import FORMS, TensorScore, log_chance, tensor_score
from overgen.scores.w_svm import WeibullSVM

from scores_of_digits import SCORES

every_score = pytest.mark.parametrize("name", list(SCORES))


def images(digits: dict[str, Any], logits: bool) -> np.ndarray:
    """Known ones, unknown ones, and what lies far from both."""
    near = np.concatenate([digits[kind][logits] for kind in ("known", "unknown")])
    rng = np.random.default_rng(0)
    far = rng.permuted(near, axis=1)
    return np.concatenate([near, far, rng.uniform(near.min(), near.max(), near.shape)]).astype(np.float32)


def test_every_score_of_the_study_has_a_form() -> None:
    assert set(CLASSES.values()) <= set(FORMS)


@every_score
def test_a_form_has_the_values_and_the_classes_of_its_score(
    name: str, digits: dict[str, Any], fitted: dict[str, Any]
) -> None:
    x = images(digits, SCORES[name][1])
    form = tensor_score(fitted[name])
    values = form.of(torch.from_numpy(x))
    np.testing.assert_allclose(values.score.numpy(), fitted[name].score(x), rtol=1e-7, atol=1e-9)
    assert (form.classes is not None) == hasattr(fitted[name], "predict") == (values.classes is not None)
    if form.classes is not None and values.classes is not None:
        decided = values.classes.numpy().max(1) > 0  # W-SVM: behind every gate all classes are alike
        predicted = form.classes[values.classes.numpy().argmax(1)]
        np.testing.assert_array_equal(predicted[decided], fitted[name].predict(x)[decided])


@every_score
def test_the_gradient_of_the_guide_is_the_slope_of_its_values(
    name: str, digits: dict[str, Any], fitted: dict[str, Any]
) -> None:
    """Central differences along a random direction, where the guide is smooth."""
    form, x = tensor_score(fitted[name]), images(digits, SCORES[name][1])[::37].astype(float)
    point = torch.from_numpy(x).requires_grad_()
    (gradient,) = torch.autograd.grad(form.of(point).guide.sum(), point)
    assert gradient.isfinite().all()
    assert (gradient.abs().amax(1) > 0).all()  # nowhere flat, far from all classes neither
    direction = np.random.default_rng(1).normal(size=x.shape)
    slope = (gradient.numpy() * direction).sum(1)
    for step in (1e-6, 1e-7):
        up, down = (form.of(torch.from_numpy(x + sign * step * direction)).guide.numpy() for sign in (1, -1))
        error = np.abs((up - down) / (2 * step) - slope)
        assert np.median(error / (np.abs(slope) + 1e-6)) < 1e-4


@every_score
def test_the_guide_rises_with_the_score_and_ends_where_it_is(
    name: str, digits: dict[str, Any], fitted: dict[str, Any]
) -> None:
    form = tensor_score(fitted[name])
    values = form.of(torch.from_numpy(images(digits, SCORES[name][1])))
    score, guide = values.score.numpy(), values.guide.numpy()
    somewhere = (score > 0) & (score < 1 - 1e-9) if name == "w_svm" else np.ones(len(score), dtype=bool)
    risen = np.array([form.rise(value) for value in score[somewhere]])
    np.testing.assert_allclose(guide[somewhere], risen, rtol=1e-6, atol=1e-9)
    assert somewhere.sum() > 50
    for flat in (score == 0, score == 1) if name == "w_svm" else ():
        assert flat.sum() > 10
        assert len(np.unique(guide[flat])) > 0.9 * flat.sum()  # falls and rises on where the score does not


@every_score
def test_a_row_has_the_same_values_alone(name: str, digits: dict[str, Any], fitted: dict[str, Any]) -> None:
    form, x = tensor_score(fitted[name]), torch.from_numpy(images(digits, SCORES[name][1])[::41])
    alone = torch.cat([form.of(row[None]).score for row in x])
    torch.testing.assert_close(alone, form.of(x).score, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("made", [WeibullSVM, OneClassSVMPerClass])
def test_a_single_class_has_a_form(made: Any, digits: dict[str, Any]) -> None:
    of_class = digits["train"][False][digits["labels"] == 3]
    score = made().fit(of_class, np.full(len(of_class), 3))
    values = tensor_score(score).of(torch.from_numpy(digits["known"][False]))
    np.testing.assert_allclose(values.score.numpy(), score.score(digits["known"][False]), rtol=1e-7, atol=1e-9)


def test_the_logarithm_of_a_chance_keeps_its_digits() -> None:
    powers = np.array([1e-300, 1e-20, 3e-7, 4e-7, 1e-3, 0.5, 5.0, 40.0])
    logs = log_chance(torch.from_numpy(np.log(powers))).numpy()
    exact = np.log(-np.expm1(-powers.astype(np.longdouble))).astype(float)
    np.testing.assert_allclose(logs, exact, rtol=1e-12, atol=1e-15)


class Own:
    def tensor_score(self, x: torch.Tensor) -> torch.Tensor:
        return -x.square().sum(1)


def test_ones_own_score_brings_its_form_or_is_said_to_have_none() -> None:
    x = torch.ones(3, 2)
    form = tensor_score(Own())
    assert isinstance(form, TensorScore)
    assert form.of(x).score.tolist() == [-2.0] * 3
    assert form.of(x).score.dtype == torch.float64
    with pytest.raises(OvergenError, match=r"object: has no form in tensors.*tensor_score\(x\)"):
        tensor_score(object())
