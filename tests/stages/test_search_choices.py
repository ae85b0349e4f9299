"""The stage search_choices on the tiny study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from overgen.stages.search_choices import run

from processes import Run
from workspace import Study, set_params


def test_a_search_ranks_settings_on_held_out_images(study: Study) -> None:
    table = pd.read_csv(study.cell("search_choices", "cnn") / "settings.csv")
    assert table["setting"].tolist() == ["base", "batch_size: 64", "units: sigmoid, l2: 5"]
    assert table.iloc[0, 1:].equals(table.iloc[1, 1:])  # the same options: the same streams, the same training
    assert (table.iloc[0, 1:] != table.iloc[2, 1:]).any()
    hits = table["accuracy@tau=0,alpha=0"] / 100 * 50
    assert hits.to_numpy() == pytest.approx(hits.round())  # of the 50 that were held out, not of the 200 test images


def test_a_search_of_a_network_that_reconstructs(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, run_stage: Run
) -> None:
    """Each α counts, and on fewer images of noise, whose curvature is costly."""
    monkeypatch.setattr(run, "NOISE_IMAGES", 20)
    search = {
        "held_out": 50,
        "epochs": 1,
        "model": {"network": "dae", "tied": True, "reconstruction_weight": 1.0, "classifier_input": "noisy"},
        "training": {"batch_size": 64, "learning_rate": 0.001, "noise_std": 0.2, "l2": 0},
        "settings": [{}, {"unpooling": "switches", "l2": 5}],
    }
    set_params(
        workspace / "params.yaml", {"searched_models": ["dae_sym"], "search_choices.digits": {"dae_sym": search}}
    )
    run_stage(workspace, "search_choices", model="dae_sym")
    table = pd.read_csv(workspace / "reports/cells/digits/search_choices/dae_sym/settings.csv")
    assert table["setting"].tolist() == ["base", "unpooling: switches, l2: 5"]
    assert (table.iloc[0, 1:] != table.iloc[1, 1:]).any()
    assert [name for name in table if "tau=0.99" in name and name.startswith("accuracy")] == [
        "accuracy@tau=0.99,alpha=3", "accuracy@tau=0.99,alpha=2"
    ]  # fmt: skip


def test_the_report_says_what_was_tried(study: Study) -> None:
    report = study.cell("report")
    page = (report / "assumptions.md").read_text()
    assert "units: sigmoid, l2: 5" in page
    assert "Used in the study: batch_size 64, units relu, l2 0" in page
    assert "### What was tried" in (report / "report.md").read_text()
