"""A one-class SVM against scikit-learn's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import OneClassSVM as Oracle

from overgen.run.files import read_npz, write_npz
from overgen.scores import one_class_svm
from overgen.scores.one_class_svm import OneClassSVM

DRAW = np.random.default_rng(0)


POINTS, OTHERS = DRAW.random((120, 6)), 1.5 * DRAW.random((90, 6)) - 0.2


@pytest.fixture(scope="module")
def machine() -> OneClassSVM:
    return OneClassSVM(nu=0.2, gamma=0.7).fit(POINTS)


def test_the_svm_is_sklearns(machine: OneClassSVM) -> None:
    oracle = Oracle(nu=0.2, gamma=0.7).fit(POINTS)
    for x in (POINTS, OTHERS, OTHERS.astype(np.float32)):
        np.testing.assert_allclose(machine.score(x), oracle.decision_function(x), rtol=0, atol=1e-10)
    assert machine.score(OTHERS).dtype == np.float64
    # ν: a bound on what is rejected, and on the number of support vectors from below
    assert (machine.score(POINTS) < -1e-3).mean() <= 0.2 <= len(machine.coefficients) / len(POINTS)
    assert machine.score(POINTS).mean() > machine.score(OTHERS).mean()


def test_a_point_scores_the_same_alone_and_in_any_batch(machine: OneClassSVM, monkeypatch: pytest.MonkeyPatch) -> None:
    together = machine.score(OTHERS)
    alone = np.concatenate([machine.score(x[None]) for x in OTHERS])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-10)
    monkeypatch.setattr(one_class_svm, "CHUNK", 7)  # 90 points: 12 chunks and a rest
    np.testing.assert_allclose(machine.score(OTHERS), together, rtol=0, atol=1e-10)


def test_the_state_is_all_that_scoring_needs(machine: OneClassSVM, tmp_path: Path) -> None:
    write_npz(tmp_path / "state.npz", **machine.state())
    again = OneClassSVM.from_state(read_npz(tmp_path / "state.npz"))
    assert np.array_equal(again.score(OTHERS), machine.score(OTHERS))
    assert (again.nu, again.gamma) == (0.2, 0.7)


def test_the_svm_refuses_what_it_cannot_score(machine: OneClassSVM) -> None:
    for value in (np.nan, np.inf):
        broken = POINTS.copy()
        broken[5, 2] = value
        with pytest.raises(ValueError, match=r"(nan|inf) at row 5, column 2"):
            machine.score(broken)
        with pytest.raises(ValueError, match=r"(nan|inf) at row 5, column 2"):
            OneClassSVM(nu=0.2, gamma=0.7).fit(broken)
    with pytest.raises(ValueError, match=r"shape \(120, 5\), must be \(N, 6\)"):
        machine.score(POINTS[:, :5])
    with pytest.raises(ValueError, match=r"shape \(6,\), must be \(N, 6\)"):
        machine.score(POINTS[0])
    with pytest.raises(ValueError, match=r"nu = 1.2, gamma = 0.7"):
        OneClassSVM(nu=1.2, gamma=0.7)
