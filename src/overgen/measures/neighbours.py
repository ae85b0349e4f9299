"""The nearest rows of a cloud of points: exact, as distances and places, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from overgen.scores.arrays import BLOCK, blocks, rows
from overgen.scores.knn import GATHERED, SPARE, smallest

PRECISIONS: tuple[type, type] = (np.float32, np.float64)  # of the search, in turn


class Nearest(NamedTuple):
    """distances: (M, k) float64, rising; places: (M, k) int64, of which rows they are."""

    distances: np.ndarray
    places: np.ndarray


def distinct(x: np.ndarray) -> np.ndarray:
    """Where the rows of a cloud stand for the first time, rising. x: (N, D), finite. Returns (n,) int64.

    A distance of 0 has no logarithm, so that an estimate of dimension is of distinct rows.
    """
    first: dict[bytes, int] = {}
    for i, row in enumerate(rows(x) + 0):  # −0 is 0
        first.setdefault(row.tobytes(), i)
    return np.array(list(first.values()), dtype=np.int64)


def nearest(x: np.ndarray, k: int, queries: np.ndarray | None = None) -> Nearest:
    """The k nearest rows of a cloud (L2) to each query, or to each of its own rows, which is no neighbour of itself.

    x: (N, D), finite; queries: (M, D), finite; without them the queries are x.
    Exact up to float64 rounding, at the speed of a float32 matrix product, as `scores.knn` does it: that finds k + 12
    candidates, of which the distances are computed as they are written; where its rounding error could hide another
    neighbour, the query is searched again in float64. Of equal distances the first place comes first among candidates.
    Beside the inputs, once more in either precision, memory stays below 1 GiB.
    Raises ValueError for fewer rows than k neighbours need, and for a k below 1.
    """
    x = rows(x)
    itself = queries is None
    asked = x if queries is None else rows(queries, x.shape[1])
    most = len(x) - itself
    if not 1 <= k <= most:
        raise ValueError(f"k = {k} nearest of {len(x)} rows: must lie in 1..{most}")
    centre = x.mean(0, dtype=np.float64)  # distances do not change, but rounding errors shrink
    distances, places = np.empty((len(asked), k)), np.empty((len(asked), k), np.int64)
    left, count = np.arange(len(asked)), min(k + SPARE, most)
    for kind in PRECISIONS:
        if not len(left):
            break
        reference = (x - centre).astype(kind)
        norms = np.einsum("nd,nd->n", reference, reference)
        unsettled = []
        for start, own in blocks(left, max(len(x), count * x.shape[1] * (BLOCK // GATHERED))):
            query = (asked[own] - centre).astype(kind)
            approximate = (-2 * query) @ reference.T  # ‖b‖² − 2ab, which ranks as the squared distance does
            approximate += norms
            if itself:
                approximate[np.arange(len(own)), own] = np.inf
            if count < len(x):
                place = np.sort(smallest(approximate, count), 1)
            else:
                place = np.broadcast_to(np.arange(count), (len(own), count))
            exact = between(asked[own][:, None], x[place])
            order = np.argsort(exact, 1, kind="stable")[:, :k]
            distances[own] = np.take_along_axis(exact, order, 1)
            places[own] = np.take_along_axis(place, order, 1)
            if count < most:
                # every one that is no candidate has an approximate value of at least the largest of the candidates'
                lengths = np.einsum("bd,bd->b", query, query, dtype=np.float64)
                floor = np.take_along_axis(approximate, place, 1).max(1) + lengths
                settled = distances[own, -1] ** 2 <= floor - rounding(lengths, norms, x.shape[1], kind)
                unsettled.append(start + np.flatnonzero(~settled))
        left = left[np.concatenate(unsettled)] if unsettled else left[:0]
    return Nearest(distances, places)


def pairs_within(x: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """How many pairs of rows of a cloud are nearer to each other than each radius, each pair once.

    x: (N, D), finite; radii: (R,), positive. Exact up to float64 rounding, in bounded memory: a float32 product settles
    all pairs but those within its rounding error of a radius, of which the distance is computed. Returns (R,) int64.
    """
    x, radii = rows(x), np.asarray(radii, dtype=np.float64)
    reference = (x - x.mean(0, dtype=np.float64)).astype(np.float32)
    norms = np.einsum("nd,nd->n", reference, reference)
    counts = np.zeros(len(radii), np.int64)
    for first, second, near, error in _near_pairs(reference, norms, float(radii.max()) ** 2):
        for r, radius in enumerate(radii):
            open_ = np.flatnonzero(np.abs(near - radius**2) <= error)
            counts[r] += np.count_nonzero(near < radius**2 - error)
            for _, own in blocks(open_, x.shape[1] * (BLOCK // GATHERED)):
                counts[r] += np.count_nonzero(between(x[first[own]], x[second[own]]) < radius)
    return counts


def _near_pairs(
    reference: np.ndarray, norms: np.ndarray, largest: float
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of rows whose squared distance may be below the largest, with that as computed and its error, (P,) each."""
    for start, block in blocks(reference, len(reference)):
        own, other = slice(start, start + len(block)), reference[start:]
        lengths = norms[own].astype(np.float64)
        error = rounding(lengths, norms, reference.shape[1], np.float32)
        squared = (-2 * block) @ other.T
        squared += norms[start:]
        squared[np.tril_indices(len(block))] = np.inf
        first, second = np.nonzero(squared <= (largest + error - lengths).astype(np.float32)[:, None])
        yield first + start, second + start, squared[first, second] + lengths[first], error[first]


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances as they are written, in float64. a, b: (..., D), broadcast. Returns (...)."""
    gaps = b.astype(np.float64)
    gaps -= a
    return np.sqrt(np.einsum("...d,...d->...", gaps, gaps))


def rounding(lengths: np.ndarray, norms: np.ndarray, width: int, kind: type) -> np.ndarray:
    """A bound on the error of ‖a‖² + ‖b‖² − 2ab as computed, u·D·(‖a‖ + ‖b‖)² and some more.

    lengths: (B,), the ‖a‖²; norms: (N,), the ‖b‖²; width: D; kind: the precision. Returns (B,).
    """
    unit = float(np.finfo(kind).eps) / 2
    return 2 * (width + 8) * unit * (np.sqrt(lengths) + np.sqrt(float(norms.max()))) ** 2
