"""The nearest rows of a cloud of points: exact, as distances and places, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from overgen.scores.arrays import BLOCK, blocks, rows
from overgen.scores.knn import SPARE, smallest

Form = Callable[[np.ndarray], np.ndarray]
CACHED = 1 << 18  # elements of a temporary array that stays in a cache: 2 MiB in float64
LARGE = 4000  # rows, from which on an outline of the rows is searched first
HELD = 0.97  # share of the variance in the principal components of an outline


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
    Exact up to float64 rounding, as in `scores.knn`: a float32 matrix product finds candidates, of which the distances
    are computed as they are written; where another neighbour could hide behind its rounding error the query is searched
    again in float64. Of many rows it is an `outline` that is searched first, at a fraction of the columns. Of equal
    distances the first place comes first among candidates. Beside the inputs, once more in either precision, memory
    stays below 1 GiB.
    Raises ValueError for fewer rows than k neighbours need, and for a k below 1.
    """
    x = rows(x)
    itself = queries is None
    asked = x if queries is None else rows(queries, x.shape[1])
    most = len(x) - itself
    if not 1 <= k <= most:
        raise ValueError(f"k = {k} nearest of {len(x)} rows: must lie in 1..{most}")
    distances, places = np.empty((len(asked), k)), np.empty((len(asked), k), np.int64)
    wide = x.astype(np.float64)
    left = np.arange(len(asked))
    for form, spare in forms(x, k):
        if not len(left):
            break
        reference, count = form(x), min(k + spare, most)
        norms = np.einsum("nd,nd->n", reference, reference)
        unsettled = []
        for start, own in blocks(left, len(x)):
            query = form(asked[own])
            approximate = (-2 * query) @ reference.T  # ‖b‖² − 2ab, which ranks as the squared distance does
            approximate += norms
            if itself:
                approximate[np.arange(len(own)), own] = np.inf
            if count < len(x):
                place = np.sort(smallest(approximate, count), 1)
            else:
                place = np.broadcast_to(np.arange(count), (len(own), count))
            exact = np.concatenate(
                [
                    between(asked[part][:, None], wide[place[first : first + len(part)]])
                    for first, part in blocks(own, count * x.shape[1] * (BLOCK // CACHED))
                ]
            )
            order = np.argsort(exact, 1, kind="stable")[:, :k]
            distances[own] = np.take_along_axis(exact, order, 1)
            places[own] = np.take_along_axis(place, order, 1)
            if count < most:
                # every one that is no candidate has an approximate value of at least the largest of the candidates'
                lengths = np.einsum("bd,bd->b", query, query, dtype=np.float64)
                floor = np.take_along_axis(approximate, place, 1).max(1) + lengths
                settled = distances[own, -1] ** 2 <= floor - rounding(lengths, norms, query.shape[1], query.dtype)
                unsettled.append(start + np.flatnonzero(~settled))
        left = left[np.concatenate(unsettled)] if unsettled else left[:0]
    return Nearest(distances, places)


def forms(x: np.ndarray, k: int) -> Iterator[tuple[Form, int]]:
    """In what forms rows are searched, in turn, each with how many candidates are taken beyond k."""
    centre = x.mean(0, dtype=np.float64)  # distances do not change, but rounding errors shrink
    if len(x) >= LARGE and (axes := outline_axes(x[:: len(x) // LARGE] - centre)) is not None:
        yield lambda rows: outline(rows - centre, axes).astype(np.float32), SPARE + k
    yield lambda rows: (rows - centre).astype(np.float32), SPARE
    yield lambda rows: rows - centre, SPARE


def outline_axes(x: np.ndarray) -> np.ndarray | None:
    """The principal axes (D, P) that hold most of the variance of centred rows; None where there are too many of them
    to be worth it. x: (N, D) float64."""
    values, axes = np.linalg.eigh(x.T @ x)
    held = np.cumsum(values[::-1]) / max(values.sum(), np.finfo(np.float64).tiny)
    count = int(np.searchsorted(held, HELD)) + 1
    return axes[:, ::-1][:, :count] if count <= x.shape[1] // 3 else None


def outline(x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Rows in fewer columns, of which no two are farther apart than the rows: places along axes, and the length of what
    is left of the row. x: (N, D) float64; axes: (D, P), orthonormal. Returns (N, P + 1)."""
    along = x @ axes
    left = np.einsum("nd,nd->n", x, x) - np.einsum("np,np->n", along, along)
    return np.concatenate([along, np.sqrt(np.maximum(left, 0))[:, None]], 1)


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
            for _, own in blocks(open_, x.shape[1] * (BLOCK // CACHED)):
                exact = between(x[first[own]], x[second[own]].astype(np.float64))
                counts[r] += np.count_nonzero(exact < radius)
    return counts


def _near_pairs(
    reference: np.ndarray, norms: np.ndarray, largest: float
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of rows whose squared distance may be below the largest, with that as computed and its error, (P,) each."""
    for start, block in blocks(reference, len(reference)):
        own, other = slice(start, start + len(block)), reference[start:]
        lengths = norms[own].astype(np.float64)
        error = rounding(lengths, norms, reference.shape[1], reference.dtype)
        squared = (-2 * block) @ other.T
        squared += norms[start:]
        squared[np.tril_indices(len(block))] = np.inf
        first, second = np.nonzero(squared <= (largest + error - lengths).astype(np.float32)[:, None])
        yield first + start, second + start, squared[first, second] + lengths[first], error[first]


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances as they are written, in float64. a: (..., D), broadcast to b: (..., D) float64, which is overwritten.

    Returns (...).
    """
    b -= a
    return np.sqrt(np.einsum("...d,...d->...", b, b))


def rounding(lengths: np.ndarray, norms: np.ndarray, width: int, kind: Any) -> np.ndarray:
    """A bound on the error of ‖a‖² + ‖b‖² − 2ab as computed, u·D·(‖a‖ + ‖b‖)² and some more.

    lengths: (B,), the ‖a‖²; norms: (N,), the ‖b‖²; width: D; kind: the precision. Returns (B,).
    """
    unit = float(np.finfo(kind).eps) / 2
    return 2 * (width + 8) * unit * (np.sqrt(lengths) + np.sqrt(float(norms.max()))) ** 2
