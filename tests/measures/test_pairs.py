"""Rows that are means over several seeds' images."""

from __future__ import annotations

import numpy as np
import pytest

from overgen.measures.intervals import bootstrap_over_seeds, mean_interval
from overgen.measures.pairs import over_seeds_row

KEYS = {"unit": "percentage points", "of": "pairs"}


def test_the_interval_holds_that_over_seeds_and_that_over_all_values() -> None:
    draw = np.random.default_rng(0)
    alike = [draw.normal(1, 5, 40) for _ in range(3)]
    alike = [each - each.mean() + 1 for each in alike]  # seeds do not differ: the images say how sure the mean is
    row = over_seeds_row("e", "m", alike, **KEYS)
    assert row["reproduced"] == pytest.approx(1)
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(np.concatenate(alike)))
    apart = [np.full(40, value) + draw.normal(0, 0.01, 40) for value in (0.0, 5.0, 10.0)]
    row = over_seeds_row("e", "m", apart, **KEYS)
    assert (row["low"], row["high"]) == pytest.approx(bootstrap_over_seeds([each.mean() for each in apart]))
    assert row["n"] == 120
    assert "bootstrap over 3 seeds" in row["interval"]


def test_seeds_weigh_alike_and_one_alone_says_so() -> None:
    row = over_seeds_row("e", "m", [np.zeros(3), np.ones(9)], **KEYS)
    assert (row["reproduced"], row["n"]) == (0.5, 12)
    alone = over_seeds_row("e", "m", [np.arange(5.0)], **KEYS)
    assert (alone["low"], alone["high"]) == pytest.approx(mean_interval(np.arange(5.0)))
    assert "seed spread not measured" in alone["interval"]


def test_without_a_value_there_is_no_number() -> None:
    assert over_seeds_row("e", "m", [np.ones(2), np.empty(0)], **KEYS)["reproduced"] is None
