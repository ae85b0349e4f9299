"""The stage explore_stability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run.files import read_json
from overgen.stages.explore_stability import report, summary
from report_study import changed, study_of

from processes import Run
from workspace import TINY, Study

PIXELS = [1, 10, 100, 700]


def test_a_network_that_keeps_the_law_has_no_gap_and_one_that_does_not_has_one() -> None:
    draw = np.random.default_rng(0)
    lost = {"lawful": draw.geometric(0.01, 2000), "steep": draw.normal(50, 10, 2000)}
    rows, _ = summary.cell({k: after[:, None] > np.array(PIXELS) for k, after in lost.items()}, PIXELS, resamples=50)
    found = {(row["model"], row["metric"]): row for row in rows}
    epsilon = found["lawful", "epsilon"]
    assert epsilon["low"] < 0.01 < epsilon["high"]
    assert found["lawful", "largest_gap"]["high"] < 5 < found["steep", "largest_gap"]["low"]
    assert found["lawful", "exponent"]["low"] < 1 < found["lawful", "exponent"]["high"]
    assert found["steep", "exponent"]["low"] > 1.5
    assert found["lawful", "p"]["reproduced"] > 1e-3 > found["steep", "p"]["reproduced"]


def test_one_degree_of_freedom_is_of_the_fit_and_intervals_hold_95_percent() -> None:
    after = np.random.default_rng(0).geometric(0.005, 2000)  # about 10 before the first, 60 beyond the last
    rows, _ = summary.cell({"net": after[:, None] > np.array(PIXELS)}, PIXELS, resamples=20)
    (p,) = (row for row in rows if row["metric"] == "p")
    assert p["note"].endswith("3 degrees of freedom")  # five bins, their sum, and ε
    low, high = summary.ends(list(np.random.default_rng(1).permutation(2001)))
    assert (low, high) == (50, 1950)


def test_the_cell_has_the_counts_of_the_attack(study: Study, tmp_path: Path, run_stage: Run) -> None:
    cell = study.cell("explore_stability", "perceptrons")
    ours = pd.read_csv(cell / "stability.csv")
    theirs = pd.read_csv(study.cell("fool_lbfgs", "perceptrons") / "stability.csv")
    assert ours["kept"].tolist() == theirs["kept"].tolist()
    assert (ours["never_lost"] <= ours["kept"]).all()
    names = {row["model"] for row in read_json(cell / "metrics.json")["metrics"]}
    assert names == set(TINY["perceptrons"])  # type: ignore[call-overload]
    workspace = study.copy(tmp_path / "workspace")
    file = workspace / "reports/cells/digits/fool_lbfgs/perceptrons/stability.csv"
    theirs.assign(kept=theirs["kept"] - 1).to_csv(file, index=False)
    done = run_stage(workspace, "explore_stability", model="perceptrons", check=False)
    assert done.returncode == 1
    assert "fool_lbfgs/perceptrons/stability.csv: " in done.stderr
    assert "dvc repro fool_lbfgs@digits-perceptrons" in done.stderr


def test_intervals_hang_on_no_order_of_the_images() -> None:
    kept = np.random.default_rng(1).geometric(0.02, 200)[:, None] > np.array(PIXELS)
    first, again = (summary.cell({"net": images}, PIXELS, resamples=20)[0] for images in (kept, kept[::-1]))
    assert first == again


def test_both_claims_are_of_the_network_that_is_worst(tmp_path: Path) -> None:
    study = study_of(tmp_path, fool_lbfgs="perceptrons", explore_stability="perceptrons")
    gap, noise = {"metric": "largest_gap"}, {"experiment": "lbfgs_noise", "metric": "label_changed", "rms": ""}
    small = changed(changed(study, gap, reproduced=1.0, low=0.5, high=2.0), noise, reproduced=0.1, low=0.0, high=0.5)
    law, measure = report.stability_is_a_power(small), report.misclassified_neighbours_have_no_measure(small)
    assert law is not None
    assert measure is not None
    assert (law.verdict, measure.verdict) == ("holds", "holds")
    one = {"model": "ae400_10"}
    large = changed(changed(small, gap | one, reproduced=9.0, low=7.0, high=11.0), noise | one,
                    reproduced=3.0, low=2.0, high=4.0)  # fmt: skip
    law, measure = report.stability_is_a_power(large), report.misclassified_neighbours_have_no_measure(large)
    assert law is not None
    assert measure is not None
    assert (law.verdict, law.row["model"]) == ("contradicted", "ae400_10")
    assert (measure.verdict, measure.row["model"]) == ("contradicted", "ae400_10")
