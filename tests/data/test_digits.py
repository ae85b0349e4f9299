"""The digits that come with scikit-learn, and how they are split."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from overgen import data
from overgen.data.split import split

DIGITS_MD5 = [  # images and labels of train, then of test
    "87a29734824d5e244c861a03901533a2",
    "a08ebd1c138192d6b1d7f7f113374101",
    "a4380a6faabeb187ea11fb095550a8f2",
    "ef97ce645a0b9183a39b5766e20b1b92",
]


def test_digits_are_scikit_learns_brought_to_28_by_28(digits: data.Dataset) -> None:
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    boxes = torch.nn.functional.interpolate(
        torch.from_numpy(small).reshape(-1, 1, 8, 8), size=20, mode="bilinear", align_corners=False
    )
    expected = torch.nn.functional.pad(boxes * 255 / 16, (4, 4, 4, 4))
    train, test = split([str(i) for i in range(1797)], labels, 500)
    for images, numbers, part in (
        (digits.train_images, digits.train_labels, train),
        (digits.test_images, digits.test_labels, test),
    ):
        assert (images - expected[part]).abs().max() <= 0.5 + 1e-9
        assert numbers.tolist() == labels[part].tolist()
    assert digits.train_images.max() == 255
    assert digits.classes == tuple("0123456789")


def test_digits_split_is_stratified(digits: data.Dataset) -> None:
    assert digits.train_images.shape == (1297, 1, 28, 28)
    assert digits.test_images.shape == (500, 1, 28, 28)
    train, test = digits.train_labels.bincount(), digits.test_labels.bincount()
    assert ((train + test) * 500 / 1797 - test).abs().max() < 1


def test_digits_are_the_same_bytes_on_every_machine(digits: data.Dataset) -> None:
    tensors = (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels)
    assert [hashlib.md5(tensor.numpy().tobytes()).hexdigest() for tensor in tensors] == DIGITS_MD5


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.data())
def test_split_gives_each_class_its_share(labels: list[int], draw: st.DataObject) -> None:
    count = draw.draw(st.integers(0, len(labels)))
    numbers = np.array(labels)
    train, test = split([f"image {i}" for i in range(len(labels))], numbers, count)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert len(test) == count
    assert list(train) == sorted(train)
    assert list(test) == sorted(test)
    for label in set(labels):
        assert abs((numbers[test] == label).sum() - labels.count(label) * count / len(labels)) < 1


def test_split_takes_the_smallest_sha256_of_each_class() -> None:
    keys = [f"{i}" for i in range(9)]
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    rank = {key: hashlib.sha256(key.encode()).hexdigest() for key in keys}
    expected = sorted(keys[:6], key=rank.get)[:2] + sorted(keys[6:], key=rank.get)[:1]
    train, test = split(keys, labels, 3)
    assert sorted(expected) == [keys[i] for i in test]
    assert len(train) == 6
