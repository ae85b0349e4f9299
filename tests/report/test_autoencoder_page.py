"""What the guided page of autoencoders says of transfer and of latents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from overgen.report import claims
from overgen.report.build import build_report
from overgen.report.study import Study, read_study
from overgen.run import params
from overgen.run.params import flatten_into, plain
from overgen.run.plans import Plan
from overgen.stages.explore_latents import report as latents
from overgen.stages.explore_transfer import report as transfer
from report_study import BANDS

from made_up import example_cell
from workspace import ROOT

STAGES = ("explore_transfer", "explore_latents")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Made-up cells of both stages, with the parameters of MNIST."""
    sections, settings = params.load(ROOT / "params.yaml"), {}
    for stage in STAGES:
        example_cell(tmp_path / "reports/cells", stage, "networks")
        flatten_into(f"{stage}.mnist", plain(getattr(sections, stage)["mnist"]), settings)
    (tmp_path / "budgets").symlink_to(ROOT / "budgets")
    return read_study(Plan({stage: ["networks"] for stage in STAGES}, settings), "mnist", tmp_path, bands=BANDS)


@pytest.mark.usefixtures("undrawn")
def test_each_claim_stands_on_the_page_with_its_figure_and_numbers(study: Study, tmp_path: Path) -> None:
    build_report(study, tmp_path / "out", dpi=20)
    page = (tmp_path / "out/autoencoder.md").read_text()
    found = {name: claim for stage in STAGES for name, claim in claims.of_stage(study, stage).items()}
    assert set(found) == {function.__name__ for stage in (transfer, latents) for function in stage.CLAIMS}
    for claim in found.values():
        assert f"> **{claim.says}**" in page
        assert f"](figures/{claim.figure}." in page
    drawn = {path.stem for path in (tmp_path / "out/figures").glob("*.png")}
    assert drawn == {function.__name__ for stage in (transfer, latents) for function in stage.FIGURES}
    assert all(f"](figures/{name}." in page for name in drawn)


def test_a_decoder_that_cannot_copy_is_not_judged_by_its_draws(study: Study) -> None:
    claim = latents.variational_cure(study)
    assert claim is not None
    assert claim.verdict == "holds"
    rows = study.frame["metric"].eq("recognised") & study.frame["of"].eq("codes") & study.frame["way"].eq("restored")
    poor = replace(
        study, frame=study.frame.assign(reproduced=study.frame["reproduced"].where(~rows, latents.COPIES - 1))
    )
    assert latents.variational_cure(poor) is None


def test_a_claim_of_labels_that_were_not_tried_is_not_tested(study: Study) -> None:
    few = replace(study, frame=study.frame[study.frame["labels"] != transfer.FEW].reset_index(drop=True))
    assert transfer.few_labels(study) is not None
    assert transfer.few_labels(few) is None
    assert transfer.finds_images(few) is not None
