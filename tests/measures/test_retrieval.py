"""Precision of a search, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overgen.measures import retrieval


def test_precision_counts_answers_of_the_querys_class() -> None:
    answers, base_labels = np.array([[0, 1, 2, 3], [3, 2, 1, 0]]), np.array([7, 7, 8, 7])
    found = retrieval.precision(answers, base_labels, np.array([7, 8]), [1, 2, 4])
    assert found.tolist() == [[1, 1, 0.75], [0, 0.5, 0.25]]
    with pytest.raises(ValueError, match="there are 4 answers"):
        retrieval.precision(answers, base_labels, np.array([7, 8]), [5])
