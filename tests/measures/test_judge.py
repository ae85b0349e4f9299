"""The independent judge, on digits: its two witnesses against other implementations, and what it says of images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from overgen import OvergenError
from overgen.data import Dataset
from overgen.data.sources import digits as make_digits
from overgen.measures import judge as module
from overgen.measures.hog import hog
from overgen.measures.judge import Judge, Verdict, flat, reach


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """With the half of the test images that the judge sees; the others are `unseen`."""
    return make_digits(tmp_path_factory.mktemp("archives"), None)


def part(dataset: Dataset, start: int) -> Dataset:
    """With every second test image, from a first."""
    return replace(dataset, test_images=dataset.test_images[start::2], test_labels=dataset.test_labels[start::2])


@pytest.fixture(scope="module")
def judge(digits: Dataset) -> Judge:
    return Judge(part(digits, 0))


@pytest.fixture(scope="module")
def unseen(digits: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return flat(digits.test_images[1::2].numpy()), digits.test_labels[1::2].numpy()


def test_distance_is_to_the_nearest_training_image_of_the_class(digits: Dataset, judge: Judge) -> None:
    images = np.random.default_rng(0).uniform(size=(20, 784))
    targets = np.arange(20) % 10
    verdict = judge.verdict(images, targets)
    train, labels = digits.train_images.flatten(1).numpy() / 255, digits.train_labels.numpy()
    expected = [cdist(images[[i]], train[labels == c]).min() for i, c in enumerate(targets)]
    np.testing.assert_allclose(verdict.distance, expected, rtol=1e-6)


def test_a_class_reaches_as_far_as_most_of_its_test_images(digits: Dataset, judge: Judge) -> None:
    held_out = part(digits, 0)
    verdict = judge.verdict(flat(held_out.test_images.numpy()), held_out.test_labels.numpy())
    for c in range(10):
        own = verdict.target == c
        n = int(own.sum())
        allowed = n - min(n, int(np.ceil(0.95 * (n + 1))))
        assert verdict.beyond[own].sum() == allowed
        assert (~verdict.familiar[own]).sum() == allowed


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 200), seed=st.integers(0, 1000))
def test_reach_is_the_conformal_quantile(n: int, seed: int) -> None:
    """As many of n + 1 exchangeable distances as promised lie within the reach of the other n."""
    distances = np.random.default_rng(seed).exponential(size=n + 1)
    within = np.mean([distances[i] <= reach(np.delete(distances, i)) for i in range(n + 1)])
    assert within >= (0.95 if n >= 19 else n / (n + 1)) - 1e-12
    assert within <= max(0.95 + 1 / (n + 1), n / (n + 1)) + 1e-12


def test_the_machine_is_kernel_ridge_regression(judge: Judge, unseen: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = unseen
    of_class = np.repeat(np.arange(10), [len(nearest.x) for nearest in judge.gradients])
    signs = 2.0 * (of_class[:, None] == np.arange(10)) - 1
    other = KernelRidge(alpha=module.RIDGE, kernel="rbf", gamma=judge.gamma).fit(judge.vectors.astype(float), signs)
    features = hog(images.reshape(-1, 1, 28, 28))
    expected = other.predict(features.astype(float))
    ours = module.decisions(features, judge.vectors, judge.weights, np.zeros(10), judge.gamma)
    np.testing.assert_allclose(ours, expected, atol=2e-3)
    np.testing.assert_array_equal(judge.verdict(images, labels).seen, expected.argmax(1))
    assert (expected.argmax(1) == labels).mean() > 0.96


def test_images_of_the_class_are_of_the_class(judge: Judge, unseen: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = unseen
    for deviation, most in ((0.0, 0.05), (0.1, 0.15)):
        noise = np.random.default_rng(0).normal(0, deviation, images.shape)
        verdict = judge.verdict(np.clip(images + noise, 0, 1), labels)
        assert verdict.not_of_class.mean() <= most
        assert verdict.seen_is_target.mean() > 0.8


@pytest.mark.parametrize("kind", ["noise", "shuffled", "of another class"])
def test_other_images_are_not_of_the_class(judge: Judge, unseen: tuple[np.ndarray, np.ndarray], kind: str) -> None:
    images, labels = unseen
    draw = np.random.default_rng(0)
    if kind == "noise":
        images = draw.uniform(size=images.shape)
    elif kind == "shuffled":
        images = draw.permuted(images, axis=1)
    else:
        labels = (labels + draw.integers(1, 10, len(labels))) % 10
    verdict = judge.verdict(images, labels)
    assert verdict.seen_is_target.mean() < 0.02
    assert verdict.not_of_class.mean() > 0.95


def test_both_witnesses_are_needed() -> None:
    """All eight cases: beyond or not, the target seen or another class, familiar or not."""
    beyond, right, familiar = (np.array(x, bool) for x in zip(*np.ndindex(2, 2, 2), strict=True))
    verdict = Verdict(np.full(8, 3), np.zeros(8), beyond, np.where(right, 3, 5), familiar)
    assert verdict.seen_is_target.tolist() == [r and f for r, f in zip(right, familiar, strict=True)]
    assert verdict.not_of_class.tolist() == [False] * 4 + [True, True, True, False]


def test_an_image_gets_the_same_verdict_alone_and_in_any_order(
    judge: Judge, unseen: tuple[np.ndarray, np.ndarray]
) -> None:
    images, targets = unseen[0][:30], np.arange(30) % 10
    together, turned = judge.verdict(images, targets), judge.verdict(images[::-1], targets[::-1])
    alone = [judge.verdict(images[i : i + 1], targets[i : i + 1]) for i in range(30)]
    for name in ("seen", "beyond", "familiar", "not_of_class"):
        np.testing.assert_array_equal(getattr(together, name), getattr(turned, name)[::-1])
        np.testing.assert_array_equal(getattr(together, name), [getattr(one, name)[0] for one in alone])


def test_a_seed_draws_training_images_of_every_class(digits: Dataset) -> None:
    few = [Judge(digits, seed=seed, most=55) for seed in (0, 0, 1)]
    assert [len(nearest.x) for nearest in few[0].gradients] == [5] * 10
    assert [len(nearest.x) for nearest in few[0].pixels] == torch.bincount(digits.train_labels).tolist()
    np.testing.assert_array_equal(few[0].vectors, few[1].vectors)
    assert not np.array_equal(few[0].vectors, few[2].vectors)


def test_colour_is_judged(digits: Dataset) -> None:
    """Of red digits on blue the judge sees what it sees of gray ones."""

    def coloured(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images, torch.zeros_like(images), torch.full_like(images, 80)], 1)

    small = replace(part(digits, 0), train_images=digits.train_images[:600], train_labels=digits.train_labels[:600])
    colour = replace(small, train_images=coloured(small.train_images), test_images=coloured(small.test_images))
    images, targets = digits.test_images[1:100:2], digits.test_labels[1:100:2].numpy()
    gray, judged = Judge(small).verdict(flat(images.numpy()), targets), None
    judged = Judge(colour).verdict(flat(coloured(images).numpy()), targets)
    np.testing.assert_allclose(judged.distance, gray.distance, rtol=1e-6)
    np.testing.assert_array_equal(judged.seen, gray.seen)
    np.testing.assert_array_equal(judged.not_of_class, gray.not_of_class)


def test_images_without_a_label_take_no_part(digits: Dataset) -> None:
    labels = digits.train_labels.clone()
    labels[::3] = -1
    kept = labels >= 0
    without = replace(digits, train_images=digits.train_images[kept], train_labels=digits.train_labels[kept])
    np.testing.assert_array_equal(
        Judge(replace(digits, train_labels=labels), most=100).vectors, Judge(without, most=100).vectors
    )


def test_what_cannot_be_judged_is_refused(digits: Dataset, judge: Judge) -> None:
    image = np.zeros((2, 784))
    for wrong, targets, message in (
        (image + 1.01, [0, 1], r"pixels outside \[0, 1\]: image 0"),
        (image, [0, 10], r"outside 0..9: image 1, target 10"),
        (image, [0, -1], r"outside 0..9: image 1"),
        (image * np.nan, [0, 1], "nan at row 0"),
        (image[:, 1:], [0, 1], r"\(N, 784\)"),
        (image, [0], r"\(2,\) integers"),
    ):
        with pytest.raises(ValueError, match=message):
            judge.verdict(wrong, np.array(targets))
    assert judge.verdict(image[:0], np.zeros(0, int)).not_of_class.shape == (0,)
    known = digits.test_labels != 7
    with pytest.raises(OvergenError, match="class 7 has 129 training and 0 test images"):
        Judge(replace(digits, test_images=digits.test_images[known], test_labels=digits.test_labels[known]))
    with pytest.raises(OvergenError, match="most = 9"):
        Judge(digits, most=9)
