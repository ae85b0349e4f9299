"""The stage evaluate_oneclass_scores on the tiny study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from overgen import OvergenError, data
from overgen.run.results import Cell
from overgen.run.stage import execute

from processes import Run
from workspace import set_params


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
    set_params(workspace / "params.yaml", {"train_oneclass.digits.classes": [3, 10]})
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with pytest.raises(OvergenError, match=r"params.yaml, train_oneclass.digits.classes: \[10\] of classes 0..9"):
        execute("evaluate_oneclass_scores", dataset="digits", model="pixels")
