"""Pairs of test images, of one class and of two, spread over the classes."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from overgen import OvergenError
from overgen.run.streams import generator

KINDS = ("within", "across")  # one class, two classes


class Pairs(NamedTuple):
    """kind: (P,) of `KINDS`; first, second: (P,) places of images; of: (P, 2) their classes."""

    kind: np.ndarray
    first: np.ndarray
    second: np.ndarray
    of: np.ndarray


def draw_pairs(labels: np.ndarray, count: int, dataset: str) -> Pairs:
    """Random pairs, `count` of each kind: as many of each class, and of each two classes, as can be alike.

    labels: (N,), −1 for none. No image is in two pairs of the same class, or of the same two classes. Raises
    OvergenError where a class has too few images.
    """
    classes = [int(c) for c in np.unique(labels) if c >= 0]
    groups = {
        "within": [(c, c) for c in classes],
        "across": shuffled(list(combinations(classes, 2)), "class pairs"),
    }
    kinds, chosen, of = [], [], []
    for kind in KINDS:
        for i, (a, b) in enumerate(groups[kind]):
            own = len(range(i, count, len(groups[kind])))
            orders = [shuffled(np.flatnonzero(labels == c).tolist(), kind, a, b, c) for c in (a, b)]
            needed = 2 * own if kind == "within" else own
            if min(map(len, orders)) < needed:
                short = a if len(orders[0]) < needed else b
                raise OvergenError(
                    f"params.yaml, explore_paths.{dataset}.pairs: {count} pairs need {needed} test images of class "
                    f"{short}, and data/{dataset} has {int((labels == short).sum())}; give fewer"
                )
            seconds = orders[1][own : 2 * own] if kind == "within" else orders[1][:own]
            chosen += list(zip(orders[0][:own], seconds, strict=True))
            kinds += [kind] * own
            of += [(a, b)] * own
    first, second = np.array(chosen, dtype=np.int64).reshape(-1, 2).T
    return Pairs(np.array(kinds), first, second, np.array(of))


def shuffled(items: list[Any], *key: object) -> list[Any]:
    """Items in a random order that hangs on the key alone."""
    draw = np.random.default_rng(generator("explore_paths", *key).initial_seed())
    return [items[i] for i in draw.permutation(len(items))]
