"""Search by distance, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from overgen.measures import retrieval


def test_the_nearest_are_those_of_an_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "BLOCK", 200)  # several blocks of queries
    draw = np.random.default_rng(0)
    base, queries = draw.normal(100, 1, (50, 7)), draw.normal(100, 1, (23, 7))
    expected = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(base).kneighbors(queries, return_distance=False)
    assert (retrieval.nearest(base, queries, 6) == expected).all()
    assert (np.sort(retrieval.nearest(base, queries, 50)) == np.arange(50)).all()


def test_of_equally_near_ones_the_first_comes_first() -> None:
    base = np.array([[4.0], [1.0], [-1.0], [1.0]])
    assert retrieval.nearest(base, np.array([[0.0]]), 3).tolist() == [[1, 2, 3]]


def test_precision_counts_answers_of_the_querys_class() -> None:
    answers, base_labels = np.array([[0, 1, 2, 3], [3, 2, 1, 0]]), np.array([7, 7, 8, 7])
    found = retrieval.precision(answers, base_labels, np.array([7, 8]), [1, 2, 4])
    assert found.tolist() == [[1, 1, 0.75], [0, 0.5, 0.25]]
    with pytest.raises(ValueError, match="there are 4 answers"):
        retrieval.precision(answers, base_labels, np.array([7, 8]), [5])


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(ValueError, match="the 3 nearest"):
        retrieval.nearest(np.zeros((2, 4)), np.zeros((5, 4)), 3)
    with pytest.raises(ValueError, match="queries"):
        retrieval.nearest(np.zeros((9, 4)), np.zeros((5, 3)), 3)
