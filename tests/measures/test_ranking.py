"""Ranks of methods over problems, worked by hand and against Demšar's own tables."""

from __future__ import annotations

import numpy as np
import pytest

from overgen.measures.ranking import ranking


def test_ranks_by_hand() -> None:
    """Three problems; in the second two methods tie for the best."""
    found = ranking(np.array([[0.9, 0.8, 0.7], [0.9, 0.9, 0.5], [0.6, 0.7, 0.1]]))
    np.testing.assert_allclose(found.ranks, [(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3, 3])
    assert found.problems == 3
    assert 0.05 < found.p < 0.1  # n = 3: mean ranks 1.5, 1.5, 3 cannot say more


def test_critical_differences_are_demsars() -> None:
    """Demšar 2006, Table 5: q for 2..10 methods at 5 % is 1.960 … 3.164; his example: 4 methods, 14 sets: 1.25."""
    draws = np.random.default_rng(0)
    assert ranking(draws.random((14, 4))).difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert ranking(draws.random((30, 10))).difference == pytest.approx(3.164 * np.sqrt(10 * 11 / (6 * 30)), abs=1e-3)


def test_what_cannot_be_ranked_is_refused() -> None:
    assert ranking(np.ones((4, 3))).p == 1
    for values in (np.ones((1, 3)), np.ones((4, 2)), np.full((4, 3), np.nan)):
        with pytest.raises(ValueError, match="must be finite, of 2 or more problems"):
            ranking(values)
