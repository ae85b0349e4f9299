"""Histograms of several kinds of values."""

from __future__ import annotations

import numpy as np

from overgen.measures.histograms import histograms


def test_histograms_share_their_bins_and_lose_nothing() -> None:
    values = {"near": np.array([0.0, 0.5, 1.0]), "far": np.array([[3.9, 4.0]])}
    found = histograms(values, 4)
    assert found.groupby("kind")["count"].sum().to_dict() == {"near": 3, "far": 2}
    assert found["count"].tolist() == [2, 1, 0, 0, 0, 0, 0, 2]
    assert found["high"].max() == 4
