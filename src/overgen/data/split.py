"""Which images of a data set without a test set of its own are test images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np


def by_digest(positions: Iterable[int], keys: Sequence[str]) -> list[int]:
    """Positions in the order of the SHA-256 of their keys: as good as shuffled, and the same everywhere."""
    return sorted(positions, key=lambda i: hashlib.sha256(keys[i].encode()).digest())


def split(
    keys: Sequence[str], labels: np.ndarray, test_count: int, *, at_least: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A fixed stratified split: sorted positions of train and test images.

    keys: of the images, all different; labels: (N,); test_count: test images of all classes together.
    Each class gives its share of `test_count` (largest remainders), but `at_least` so many, namely the images whose
    keys have the smallest SHA-256: as good as drawn at random, and the same with every version of every library.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * test_count
    quotas = shares // len(labels)
    by_remainder = np.argsort(-(shares % len(labels)), kind="stable")
    quotas[by_remainder[: test_count - quotas.sum()]] += 1
    quotas = np.maximum(quotas, at_least)
    order = by_digest(range(len(keys)), keys)
    ranked = labels[order]
    test = np.concatenate(
        [np.array(order)[ranked == number][:quota] for number, quota in zip(classes, quotas, strict=True)]
    )
    return np.setdiff1d(np.arange(len(keys)), test), np.sort(test)
