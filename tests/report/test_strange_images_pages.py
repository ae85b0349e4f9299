"""What the guided pages say of anomalies, of silhouettes and letters, and of clutter."""

from __future__ import annotations

from pathlib import Path

import pytest

from overgen.report import claims
from overgen.report.build import build_report
from overgen.report.study import Study, read_study
from overgen.run import params
from overgen.run.params import flatten_into, plain
from overgen.run.plans import Plan
from overgen.stages.explore_anomaly import report as anomaly
from overgen.stages.explore_clutter import report as clutter
from overgen.stages.explore_silhouettes import report as silhouettes
from report_study import BANDS

from made_up import example_cell
from workspace import ROOT

STAGES = {"explore_anomaly": anomaly, "explore_silhouettes": silhouettes, "explore_clutter": clutter}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Made-up cells of the stages, with the parameters of MNIST."""
    sections, settings = params.load(ROOT / "params.yaml"), {}
    for stage in STAGES:
        example_cell(tmp_path / "reports/cells", stage, "networks")
        flatten_into(f"{stage}.mnist", plain(getattr(sections, stage)["mnist"]), settings)
    (tmp_path / "budgets").symlink_to(ROOT / "budgets")
    return read_study(Plan({stage: ["networks"] for stage in STAGES}, settings), "mnist", tmp_path, bands=BANDS)


def test_each_claim_stands_on_its_page_with_its_figure(study: Study, tmp_path: Path) -> None:
    build_report(study, tmp_path / "out", dpi=20)
    drawn = {path.stem for path in (tmp_path / "out/figures").glob("*.png")}
    for stage, module in STAGES.items():
        page = (tmp_path / f"out/{module.PAGE}.md").read_text()
        found = claims.of_stage(study, stage)
        assert set(found) == {function.__name__ for function in module.CLAIMS}
        for claim in found.values():
            assert f"> **{claim.says}**" in page
            assert f"](figures/{claim.figure}." in page
        names = {function.__name__ for function in module.FIGURES}
        assert names <= drawn
        assert all(f"](figures/{name}." in page for name in names)


def test_clutter_is_judged_at_its_strongest(study: Study) -> None:
    hidden, shown = clutter.clutter_hides_objects(study), clutter.a_true_mask_shows_them(study)
    assert hidden is not None
    assert shown is not None
    assert (hidden.row["strength"], hidden.row["view"], shown.row["view"]) == ("1", "whole", "true")
    assert hidden.verdict == "holds"
    several = clutter.a_sum_finds_several(study)
    assert several is not None
    assert several.row["objects"] == "2"
