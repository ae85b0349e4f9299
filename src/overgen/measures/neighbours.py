"""The nearest rows of a cloud of points: exact, as distances and places, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from overgen.scores.arrays import BLOCK, blocks, rows

Project = Callable[[np.ndarray], np.ndarray]
CACHED = 1 << 18  # elements of a temporary array that stays in a cache: 2 MiB in float64
SPARE = 12  # candidates beyond the k asked for
GROUP = 16  # columns of which only the smallest counts at first
LARGE = 4000  # rows, from which on an outline of the rows is searched first
ASKED = 20  # D² so many times: the pairs of rows and queries, from which on an outline is worth its axes
HELD = 0.97  # share of the variance in the principal components of an outline, where a third of the columns hold it
LEAST_HELD = 0.9  # else in a quarter of the columns, at least
MORE = 4  # times as many candidates as are spared otherwise, where an outline holds less


class Nearest(NamedTuple):
    """distances: (M, k) float64, rising; places: (M, k) int64, of which rows they are."""

    distances: np.ndarray
    places: np.ndarray


class Form(NamedTuple):
    """A form in which rows are searched. of: rows (N, D) in it; x: (N, P), the cloud in it; norms: (N,), its squared
    lengths; spare: how many candidates it takes beyond k, and beyond 2k if it is an outline."""

    of: Project
    x: np.ndarray
    norms: np.ndarray
    spare: int
    outline: bool


def distinct(x: np.ndarray) -> np.ndarray:
    """Where the rows of a cloud stand for the first time, rising. x: (N, D), finite. Returns (n,) int64.

    A distance of 0 has no logarithm, so that an estimate of dimension is of distinct rows.
    """
    first: dict[bytes, int] = {}
    for i, row in enumerate(rows(x) + 0):  # −0 is 0
        first.setdefault(row.tobytes(), i)
    return np.array(list(first.values()), dtype=np.int64)


class Cloud:
    """A cloud of rows that is asked for its nearest ones, again and again: what a search needs of it is made once.

    x: (N, D), finite.

    Exact up to float64 rounding: a float32 matrix product finds candidates, of which the distances are computed in
    float64 as they are written; where another neighbour could hide behind its rounding error (bounded as usual, by
    u·D·‖a‖·‖b‖) the query is searched again in float64. Where there are many rows and queries it is an `outline` that
    is searched first, at a fraction of the columns. Beside the rows themselves (once as given, once outlined and
    centred in float32, and in float64 if need be) memory stays below 1 GiB whatever their number.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.x = rows(x)
        self.centre = self.x.mean(0, dtype=np.float64)  # distances do not change, but rounding errors shrink

    def nearest(self, k: int, queries: np.ndarray | None = None) -> Nearest:
        """The k nearest rows (L2) to each query, or to each of the cloud's rows, which is no neighbour of itself.

        queries: (M, D), finite; None: the rows of the cloud.
        Of equal distances the first place comes first among candidates.
        Raises ValueError for fewer rows than k neighbours need, and for a k below 1.
        """
        itself = queries is None
        asked = self.x if queries is None else rows(queries, self.x.shape[1])
        most = len(self.x) - itself
        if not 1 <= k <= most:
            raise ValueError(f"k = {k} nearest of {len(self.x)} rows: must lie in 1..{most}")
        distances, places = np.empty((len(asked), k)), np.empty((len(asked), k), np.int64)
        left = np.arange(len(asked))
        for made in self._forms(len(asked)):
            if not len(left):
                break
            form = made()
            count = min(k + form.spare + k * form.outline, most)
            unsettled = []
            held: np.ndarray | None = None  # of one block, for all: pages that are there already cost nothing
            for start, own in blocks(left, len(self.x)):
                query = form.of(asked[own])
                held = np.empty((len(own), len(self.x)), query.dtype) if held is None else held
                # ‖b‖² − 2ab, which ranks as the squared distance does
                approximate = np.matmul(-2 * query, form.x.T, out=held[: len(own)])
                approximate += form.norms
                if itself:
                    approximate[np.arange(len(own)), own] = np.inf
                if count < len(self.x):
                    place = np.sort(smallest(approximate, count), 1)
                else:
                    place = np.broadcast_to(np.arange(count), (len(own), count))
                exact = np.concatenate(
                    [
                        between(asked[part][:, None], self.x[place[first : first + len(part)]].astype(np.float64))
                        for first, part in blocks(own, count * self.x.shape[1] * (BLOCK // CACHED))
                    ]
                )
                order = np.argsort(exact, 1, kind="stable")[:, :k]
                distances[own] = np.take_along_axis(exact, order, 1)
                places[own] = np.take_along_axis(place, order, 1)
                if count < most:
                    # all that are no candidates have an approximate value of at least the largest of the candidates'
                    lengths = np.einsum("bd,bd->b", query, query, dtype=np.float64)
                    floor = np.take_along_axis(approximate, place, 1).max(1) + lengths
                    error = rounding(lengths, form.norms, query.shape[1], query.dtype)
                    unsettled.append(start + np.flatnonzero(~(distances[own, -1] ** 2 <= floor - error)))
            left = left[np.concatenate(unsettled)] if unsettled else left[:0]
        return Nearest(distances, places)

    def _forms(self, asked: int) -> Iterator[Callable[[], Form]]:
        """In what forms the rows are searched for so many queries, in turn: each is made when it is called."""
        count, width = self.x.shape
        if count >= LARGE and asked * count >= ASKED * width**2 and (outlined := self.outlined) is not None:
            yield lambda: outlined
        yield lambda: self.centred
        yield lambda: self._form(np.float64)

    @cached_property
    def centred(self) -> Form:
        """The rows less their mean, in float32."""
        return self._form(np.float32)

    def _form(self, kind: type) -> Form:
        def of(some: np.ndarray) -> np.ndarray:
            made: np.ndarray = np.empty(some.shape, kind)
            for start, block in blocks(some, some.shape[1]):
                made[start : start + len(block)] = block - self.centre
            return made

        x = of(self.x)
        return Form(of, x, np.einsum("nd,nd->n", x, x), SPARE, outline=False)

    @cached_property
    def outlined(self) -> Form | None:
        """An outline of the rows, in float32; None where it would not be worth it."""
        found = outline_axes(self.x[:: max(1, len(self.x) // LARGE)] - self.centre)
        if found is None:
            return None
        axes, spare = found

        def of(some: np.ndarray) -> np.ndarray:
            made: np.ndarray = np.empty((len(some), axes.shape[1] + 1), np.float32)
            for start, block in blocks(some, some.shape[1]):
                made[start : start + len(block)] = outline(block - self.centre, axes)
            return made

        x = of(self.x)
        return Form(of, x, np.einsum("nd,nd->n", x, x), spare, outline=True)


def nearest(x: np.ndarray, k: int, queries: np.ndarray | None = None) -> Nearest:
    """The k nearest rows of a cloud to each query, or to each of its own rows: see `Cloud.nearest`."""
    return Cloud(x).nearest(k, queries)


def smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Where the `count` smallest values of each row are, in no order. values: (B, N), N > count. Returns (B, count).

    They lie in the `count` groups of columns with the smallest minima: what is partitioned is short.
    """
    columns = values.shape[1] // GROUP
    if columns <= count:
        return np.argpartition(values, count - 1, axis=1)[:, :count]
    whole = columns * GROUP  # a group: columns g, g + columns, g + 2·columns …
    minima = values[:, :whole].reshape(len(values), GROUP, columns).min(1)
    groups = np.argpartition(minima, count - 1, axis=1)[:, :count]
    place = (groups[:, :, None] + columns * np.arange(GROUP)).reshape(len(values), -1)
    rest = np.broadcast_to(np.arange(whole, values.shape[1]), (len(values), values.shape[1] - whole))
    place = np.concatenate([place, rest], 1)
    best = np.argpartition(np.take_along_axis(values, place, 1), count - 1, axis=1)[:, :count]
    return np.take_along_axis(place, best, 1)


def outline_axes(x: np.ndarray) -> tuple[np.ndarray, int] | None:
    """The principal axes (D, P) that hold most of the variance of centred rows, and how many candidates an outline
    along them spares; None where there are too many of them to be worth it. x: (N, D) float64."""
    values, axes = np.linalg.eigh(x.T @ x)
    held = np.cumsum(values[::-1]) / max(values.sum(), np.finfo(np.float64).tiny)
    count, spare = int(np.searchsorted(held, HELD)) + 1, SPARE
    if count > x.shape[1] // 3:
        count, spare = x.shape[1] // 4, SPARE * MORE
        if not count or held[count - 1] < LEAST_HELD:
            return None
    return axes[:, ::-1][:, :count], spare


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
