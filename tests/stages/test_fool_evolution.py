"""The stage fool_evolution on the tiny study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from overgen.run.files import read_json, read_npz

from workspace import Study


def test_every_champion_that_fools_is_saved(study: Study) -> None:
    """Of every run, class and encoding, scored by the network of its seed."""
    cell = study.cell("fool_evolution", "cnn")
    trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
    assert len(trials) == 2 * 2 * 2 * 10  # encodings, seeds, runs, classes
    assert kept["trial"].tolist() == np.flatnonzero(trials["confidence"] > 0.99).tolist()
    assert len(kept["trial"]) > 0
    assert kept["image"].dtype == np.uint16
    fooled = trials.iloc[kept["trial"]]
    assert kept["score"] == pytest.approx(fooled["confidence"].to_numpy(), abs=1e-5)
    assert (fooled["score_in_8_bits"].notna()).all()
    assert trials["score_in_8_bits"].count() == len(fooled)
    assert fooled["score_in_16_bits"].tolist() == kept["score"].tolist()  # as which it is saved
    assert trials["score_in_16_bits"].count() == len(fooled)
    rows = {(m["experiment"], m["metric"]): m for m in read_json(cell / "metrics.json")["metrics"]}
    for encoding in ("direct", "cppn"):
        of = trials[trials["encoding"] == encoding]
        for metric, score in (("fooling_rate", "confidence"), ("fooling_rate_in_8_bits", "score_in_8_bits")):
            row = rows[f"evolution_{encoding}", metric]
            assert (row["tau"], row["n"]) == (0.99, 40)
            assert row["reproduced"] == pytest.approx(100 * (of[score] > 0.99).mean())
