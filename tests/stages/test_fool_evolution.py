"""The stage fool_evolution on the tiny study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from overgen.attacks.evolution import Result
from overgen.measures.intervals import median_interval
from overgen.run.files import read_json, read_npz
from overgen.stages.fool_evolution.summary import attacked_score, cell_tables, fooling_rows, hits_of

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


# Lightning's own call into torch, at every fit; nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.* is deprecated:FutureWarning")


def result(confidence: np.ndarray, stored: list[int]) -> Result:
    confidence = confidence.astype(np.float32)
    runs, classes = confidence.shape[1:]
    ended = np.full(runs, len(confidence) - 1)
    images = np.zeros((len(stored), classes, 28, 28), np.float32)
    return Result(
        confidence, ended, np.arange(classes), np.array(stored), images, np.zeros((runs, classes, 784), np.float32)
    )


def test_tables_of_a_cell_worked_by_hand():
    # Two runs of two classes: the first block ends at generation 2, the second goes on to 4.
    early = np.array([[0.2, 0.4], [0.5, 0.99995], [1.0, 1.0]])[:, None]
    late = np.array([[0.1, 0.3], [0.2, 0.3], [0.3, 0.9999], [0.4, 1.0], [0.6, 1.0]])[:, None]
    rows, tables, examples = cell_tables(
        [(7, [0]), (7, [1])],
        [result(early, [0, 2]), result(late, [0, 4])],
        encoding="direct",
        generations=4,
        stored_generations=[0, 4, 9],
        note="by hand",
    )
    by_metric = {row["metric"]: row for row in rows}
    assert list(by_metric) == [
        "median_confidence@generation=0",
        "median_confidence@generation=4",
        "generations_to_0.9999",
    ]
    start, end, to = by_metric.values()
    assert start["experiment"] == "evolution_direct"
    assert start["reproduced"] == pytest.approx(25, abs=1e-5)  # of 0.2 0.4 0.1 0.3
    assert (start["low"], start["high"]) == (pytest.approx(20, abs=1e-5), pytest.approx(30, abs=1e-5))
    assert start["interval"] == "95 % percentile bootstrap of the median over 2 runs"
    assert start["note"] == "by hand"
    assert end["reproduced"] == 100  # of 1 1 (since generation 2) 0.6 1
    assert end["note"].startswith("by hand; 1 of 2 runs ended earlier")
    assert to["reproduced"] == 2  # of 2 1 never 2
    assert (to["low"], to["high"]) == (None, None)  # of the second run alone half never came: no upper end
    assert "the interval has no upper end" in to["note"]
    assert to["n"] == 4
    assert "1 of 4 never reached it" in to["note"]
    assert tables["trials"]["generations_to_0.9999"].tolist()[:2] == [2, 1]
    assert tables["trials"]["generations_to_0.9999"].isna().tolist() == [False, False, True, False]
    assert tables["trials"]["run"].tolist() == [0, 0, 1, 1]
    assert tables["trials"]["target"].tolist() == [0, 1, 0, 1]
    assert tables["trials"]["confidence"].tolist() == np.float32([1, 1, 0.6, 1]).tolist()
    assert list(tables["trials"]) == ["encoding", "seed", "run", "target", "confidence", "generations_to_0.9999"]
    curve = tables["generations"]
    assert list(curve) == ["encoding", "generation", "seed", "median", "q25", "q75", "min"]
    assert curve["generation"].tolist() == [0, 1, 2, 3, 4]
    assert curve["min"].tolist() == np.float32([0.1, 0.2, 0.3, 0.4, 0.6]).tolist()
    assert set(curve["seed"]) == {7}
    assert examples["generation"].tolist() == [0, 2]
    assert examples["encoding"].tolist() == ["direct", "direct"]
    assert examples["confidence"].tolist() == np.float32([[0.2, 0.4], [1, 1]]).tolist()
    assert examples["image"].shape == (2, 2, 28, 28)


def test_fooling_champions_worked_by_hand():
    trials = pd.DataFrame(
        {"encoding": ["direct"] * 4 + ["cppn"] * 2, "seed": 0, "target": [0, 1, 0, 1, 0, 1],
         "confidence": np.float32([0.995, 0.99, 1, 0.2, 0.1, 0.3])}
    )  # fmt: skip
    hits = hits_of(trials, (0.99, 3.0))
    assert hits.to_dict("list") == {
        "trial": [0, 2], "seed": [0, 0], "target": [0, 0], "tau": [0.99, 0.99], "alpha": [3.0, 3.0]
    }  # fmt: skip
    trials["score_in_8_bits"] = [0.985, np.nan, 0.9999, np.nan, np.nan, np.nan]
    rows = {(row["experiment"], row["metric"]): row for row in fooling_rows(trials, 0.99, [0, 1])}
    assert {key: row["reproduced"] for key, row in rows.items()} == {
        ("evolution_direct", "fooling_rate"): 50, ("evolution_direct", "fooling_rate_in_8_bits"): 25,
        ("evolution_cppn", "fooling_rate"): 0, ("evolution_cppn", "fooling_rate_in_8_bits"): 0,
    }  # fmt: skip
    assert {row["tau"] for row in rows.values()} == {0.99}
    assert [row["n"] for row in rows.values()] == [4, 4, 2, 2]
    assert rows["evolution_direct", "fooling_rate"]["low"] == pytest.approx(15.0, abs=0.1)  # Wilson, 2 of 4


def test_no_median_where_most_never_reach_it_and_no_interval_for_one_run():
    never = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 1.0]])[:, None]
    rows, _, _ = cell_tables(
        [(0, [0])], [result(never, [0, 1])], encoding="cppn", generations=1, stored_generations=[1]
    )
    assert rows[-1]["reproduced"] is None
    assert "2 of 3 never reached it, so there is no median" in rows[-1]["note"]
    assert all(row["low"] is None and row["high"] is None and row["interval"] == "none" for row in rows)


def test_several_seeds_are_drawn_whole():
    values = np.array([[1.0, 1.0], [1.0, 1.0], [5.0, 5.0], [5.0, 5.0]])
    assert median_interval(values, np.array([0, 0, 1, 1])) == (1.0, 5.0)
    assert median_interval(values, np.zeros(4)) is None


def test_the_note_says_what_a_confidence_of_a_reconstructing_network_needs():
    assert attacked_score(0.0, 784) == "of y"
    assert attacked_score(3.0, 784).endswith("< 0.026")  # exp(-(3 / 784) * 0.026) is 0.9999
