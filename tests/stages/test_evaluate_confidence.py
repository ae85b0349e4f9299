"""The stage evaluate_confidence."""

from __future__ import annotations

from pathlib import Path

from overgen.stages.evaluate_confidence import report as evaluate_confidence_report


def test_the_report_says_how_clear_an_estimate_must_be() -> None:
    from overgen.confidence import CLEAR

    assert f"lies more than {CLEAR} of its" in Path(evaluate_confidence_report.__file__).read_text()
