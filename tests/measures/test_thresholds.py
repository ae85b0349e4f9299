"""The (τ, α) pairs that outputs are judged at, and their names."""

from __future__ import annotations

from overgen.measures.thresholds import Threshold, alpha_suffix, threshold_pairs

PAIRS = [(0.9, 20.0), (0.99, 3.0), (0.99, 2.0)]


def test_thresholds_and_names() -> None:
    thresholds = [Threshold(tau=tau, alpha=alpha) for tau, alpha in PAIRS]
    assert threshold_pairs(thresholds, reconstructs=True) == PAIRS
    assert threshold_pairs(thresholds, reconstructs=False) == [(0.9, 0.0), (0.99, 0.0)]
    assert [alpha_suffix(PAIRS, pair) for pair in PAIRS] == ["", "", "@alpha=2"]
