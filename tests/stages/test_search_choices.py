"""The stage search_choices on the tiny study."""

from __future__ import annotations

import pandas as pd
import pytest

from workspace import Study


def test_a_search_ranks_settings_on_held_out_images(study: Study) -> None:
    table = pd.read_csv(study.cell("search_choices", "dae_sym") / "settings.csv")
    assert table["setting"].tolist() == ["base", "batch_size: 64", "unpooling: switches, l2: 5"]
    assert table.iloc[0, 1:].equals(table.iloc[1, 1:])  # the same options: the same streams, the same training
    assert (table.iloc[0, 1:] != table.iloc[2, 1:]).any()
    hits = table["accuracy@tau=0,alpha=0"] / 100 * 50
    assert hits.to_numpy() == pytest.approx(hits.round())  # of the 50 that were held out, not of the 200 test images


def test_the_report_says_what_was_tried(study: Study) -> None:
    report = study.cell("report")
    page = (report / "assumptions.md").read_text()
    assert "unpooling: switches, l2: 5" in page
    assert "Used in the study: batch_size 64, unpooling zeros, l2 0" in page
    assert "### What was tried" in (report / "report.md").read_text()
