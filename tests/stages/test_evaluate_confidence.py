"""The stage evaluate_confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overgen.stages.evaluate_confidence import report as evaluate_confidence_report
from overgen.stages.evaluate_confidence import summary


def test_the_report_says_how_clear_an_estimate_must_be() -> None:
    from overgen.confidence import CLEAR

    assert f"lies more than {CLEAR} of its" in Path(evaluate_confidence_report.__file__).read_text()


def test_images_without_a_label_have_no_accuracy_and_no_calibration() -> None:
    """Those that have one are judged alone; where none has, the numbers are missing and say why."""
    log_y = np.log(np.array([[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]], np.float32))
    outputs = {"log_y": log_y, "seeds": np.array([0])}

    def rows(labels: list[int]) -> dict[str, tuple[float | None, int, str]]:
        found, tables = summary.cell(outputs | {"labels": np.array(labels)}, {}, [(0.75, 0.0)], 10.0, 5)
        assert tables["reliability"]["images"].sum() == (sum(label >= 0 for label in labels) or 4)
        assert tables["reliability"]["accuracy"].notna().any() == (max(labels) >= 0)
        return {f"{row['metric']} {row['tau']}": (row["reproduced"], row["n"], row["note"]) for row in found}

    some = rows([0, -1, 1, -1])
    assert some["thresholded_accuracy 0.0"][:2] == (100, 2)
    assert some["thresholded_accuracy 0.75"][:2] == (50, 2)
    assert some["calibration_error None"][0] == pytest.approx((0.1 + 0.3) / 2, abs=1e-6)
    none = rows([-1] * 4)
    assert none == dict.fromkeys(some, (None, 0, "not testable: no labels"))
