"""Rows of a cell by hand."""

from __future__ import annotations

import pytest

from overgen.run import results


def test_rates_over_seeds() -> None:
    one = results.rate_row("x", "fooling_rate", [3], 10, of="trials")
    assert one["reproduced"] == 30
    assert "seed spread not measured" in one["interval"]
    none = results.rate_row("x", "fooling_rate", [0, 0], 200, of="trials")  # never narrower than 0 of 400
    assert (none["low"], none["n"]) == (0, 400)
    assert none["high"] == pytest.approx(100 * 0.00951, abs=0.01)
    apart = results.rate_row("x", "fooling_rate", [0, 200], 200, of="trials")
    assert (apart["reproduced"], apart["low"], apart["high"]) == (50, 0, 100)
    seeds = results.rate_row("x", "test_accuracy", [98, 99], 100, of="test images")
    assert "prediction interval" in seeds["interval"]
    assert seeds["low"] < 98 < 99 < seeds["high"] <= 100
