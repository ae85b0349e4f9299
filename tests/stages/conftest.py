"""Shared by the tests of stages: outputs whose scores can be told by hand."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def outputs() -> dict[str, np.ndarray]:
    """Two members, three classes, four images: the first knows classes 0 and 1, the second all."""
    y = np.log(np.array([[0.98, 0.01, 0.01], [0.02, 0.97, 0.01], [0.95, 0.03, 0.02], [0.01, 0.01, 0.98]], np.float32))
    return {
        "labels": np.array([0, 1, 2, 2]),
        "known": np.array([[True, True, False], [True, True, True]]),
        "log_y": np.stack([y, y]),
        # ỹ = y·exp(−20/784·d): 0.98·0.950 > 0.9; 0.97·0.903 < 0.9; 0.95·0.975 > 0.9; 0.98·0.998 > 0.9
        "distance": np.array([[2.0, 4.0, 1.0, 0.1]] * 2, np.float32),
        "gamma": np.zeros((2, 4), np.float32) - 0.5,
    }
