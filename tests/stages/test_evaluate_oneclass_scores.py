"""The stage evaluate_oneclass_scores on the tiny study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score

from overgen import OvergenError, data
from overgen.report.study import read_study
from overgen.run.results import Cell
from overgen.run.stage import execute
from overgen.stages.evaluate_oneclass_scores.report import one_class_gains, trained_otherwise
from overgen.stages.evaluate_oneclass_scores.summary import OTHERWISE, PLAIN, gain_rows
from report_study import BANDS, plan_of

from made_up import example_cell
from processes import Run
from workspace import ROOT, set_params


def test_scores_of_pixels_are_fitted_on_the_class_alone(
    workspace: Path, run_stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUROC of the fifth nearest neighbour among the class's training images, by scipy and scikit-learn."""
    run_stage(workspace, "evaluate_oneclass_scores", model="pixels")
    cell = Cell("digits", "evaluate_oneclass_scores", "pixels",
                workspace / "reports/cells/digits/evaluate_oneclass_scores/pixels")  # fmt: skip
    trials = cell.table("trials").set_index(["score", "class"])["auroc"]
    source = data.load("digits", workspace / "data")
    train, test = (data.floats(x).flatten(1).numpy() for x in (source.train_images, source.test_images))
    for chosen in (3, 7):
        apart = np.sort(cdist(test, train[source.train_labels.numpy() == chosen]), axis=1)[:, 4]
        expected = roc_auc_score(source.test_labels.numpy() == chosen, -apart)
        assert trials["@score=knn_pixels", chosen] == pytest.approx(expected, abs=1e-12)
    rows = {row["metric"]: row for row in cell.summary["metrics"]}
    assert rows["auroc@score=knn_pixels"]["reproduced"] == pytest.approx(trials["@score=knn_pixels"].mean())
    assert trials["@score=other_shuffled_pixels"].min() > 0.5  # it has seen the class, and it is not alone with it
    gains = trials["@score=contractive_pixels"] - trials["@score=autoencoder_pixels"]
    assert rows["auroc_gain@score=contractive_pixels"]["reproduced"] == pytest.approx(gains.mean())
    assert [name for name in rows if name.startswith("auroc_gain")] == ["auroc_gain@score=contractive_pixels"]
    set_params(workspace / "params.yaml", {"train_oneclass.digits.classes": [3, 10]})
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with pytest.raises(OvergenError, match=r"params.yaml, train_oneclass.digits.classes: \[10\] of classes 0..9"):
        execute("evaluate_oneclass_scores", dataset="digits", model="pixels")


def test_a_gain_is_a_paired_t_interval_over_classes() -> None:
    draws = np.random.default_rng(0)
    areas = {name: draws.uniform(0.8, 1, 10) for name in (PLAIN, OTHERWISE[1])}
    table = pd.DataFrame(
        [{"class": c, "score": f"@score={name}", "auroc": values[c]} for name, values in areas.items()
         for c in draws.permutation(10)]
    )  # fmt: skip
    (row,) = gain_rows(table)
    expected = ttest_rel(areas[OTHERWISE[1]], areas[PLAIN]).confidence_interval(0.99)
    assert (row["metric"], row["n"]) == (f"auroc_gain@score={OTHERWISE[1]}", 10)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))
    assert gain_rows(table[table["score"] != f"@score={PLAIN}"]) == []


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ({OTHERWISE[4]: 2.0}, "holds"),
        (dict.fromkeys(OTHERWISE, -1.5), "contradicted"),
        (dict.fromkeys(OTHERWISE[1:], -1.5), "cannot tell"),
    ],
)
def test_whether_another_training_helps(tmp_path: Path, gains: dict[str, float], verdict: str) -> None:
    options = {"gains": gains}
    example_cell(tmp_path / "reports/cells", "evaluate_oneclass_scores", "pixels", **options)
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    plan = plan_of({"evaluate_oneclass_scores": {"pixels": options}})
    study = read_study(plan, "mnist", tmp_path, bands=BANDS)
    claim = trained_otherwise(study)
    assert claim is not None
    assert claim.verdict == verdict
    assert study.frame.loc[claim.row["place"], "metric"] == claim.row["metric"]
    assert one_class_gains(study).markdown.count("\n|") == 1 + 5  # the rule, and five trainings
