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


@pytest.mark.parametrize("of", ["test images", "noise images"])
def test_seeds_that_agree_on_the_same_images_are_no_certainty(of: str) -> None:
    """As one network's Wilson interval: the other seeds saw the same images."""
    row = results.rate_row("x", "accepted", [0, 0, 0], 50, of=of)
    assert "prediction interval over 3 seeds" in row["interval"]
    assert (row["low"], row["high"]) == pytest.approx((0, 7.135), abs=0.01)  # 0 of 50


@pytest.mark.parametrize("of", ["champions of a class and run", "images", "trials' final images"])
def test_what_is_made_for_a_network_is_drawn_by_seeds(of: str) -> None:
    """As trials are; 0 of 60 champions says no more than 0 of 60 trials."""
    rows = [results.rate_row("x", "fooling_rate", hits, 20, of=each) for each in (of, "trials")
            for hits in ([0, 0, 0], [0, 10, 20])]  # fmt: skip
    assert [(row["low"], row["high"]) for row in rows[:2]] == [(row["low"], row["high"]) for row in rows[2:]]
    assert rows[0]["high"] == pytest.approx(6.0, abs=0.1)  # 0 of 60
    assert (rows[1]["low"], rows[1]["high"]) == (0, 100)
    assert rows[0]["interval"] == f"95 % bootstrap over 3 seeds, no narrower than Wilson over all {of}"


def test_one_seed_is_told_as_before() -> None:
    """A row of a published cell, to the byte."""
    assert results.rate_row("fgn", "fooling_rate", [69], 200, of="trials", tau=0.9) == {
        "experiment": "fgn", "metric": "fooling_rate", "tau": 0.9, "unit": "percent", "reproduced": 34.5,
        "low": 28.259794376748943, "high": 41.32441074094632, "n": 200,
        "interval": "95 % Wilson over 200 trials; seed spread not measured", "note": "",
    }  # fmt: skip
