"""The guided page of the autoencoder: claims of compression and denoising on made-up cells, and what it shows."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import pytest

from overgen.report import claims
from overgen.report.study import Study, read_study
from overgen.run.plans import Plan
from overgen.stages.explore_compression import report as compression
from overgen.stages.explore_denoising import report as denoising
from report_study import BANDS, build

from made_up import example_cell
from workspace import ROOT

STAGES = ("train_codes", "explore_compression", "explore_denoising")
SETTINGS = {
    "training.mnist.noise_std": 0.2,
    "explore_compression.mnist.other": "fashion_mnist",
    "explore_compression.mnist.size": 64,
}


def write_study(root: Path) -> Plan:
    """The made-up cells of these stages below a repository's root."""
    for stage in STAGES:
        example_cell(root / "reports/cells", stage, "codes")
    (root / "budgets").mkdir(exist_ok=True)
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return Plan({stage: ["codes"] for stage in STAGES}, SETTINGS)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """The made-up cells of these stages alone."""
    return read_study(write_study(tmp_path), "mnist", tmp_path, bands=BANDS)


def test_claims_of_compression_turn_with_its_numbers(study: Study) -> None:
    found = claims.of_stage(study, "explore_compression")
    assert {name: claim.verdict for name, claim in found.items()} == {
        "linear_is_pca": "holds",
        "deep_beats_pca": "holds",
        "large_codes_do_not": "holds",
        "data_specific": "holds",
        "lossy": "cannot tell",  # none of 100 images is no proof of less than 1 %
        "smaller_than_jpeg": "contradicted",
        "each_loss_its_measure": "holds",
    }
    frame = study.frame.copy()
    ratio = frame["text"] == "loss_ratio@measure=cross_entropy"
    frame.loc[ratio, ["reproduced", "low", "high"]] = [90.0, 85.0, 95.0]
    turned = compression.each_loss_its_measure(replace(study, frame=frame))
    assert turned is not None
    assert turned.verdict == "contradicted"
    figures = {function.__name__ for function in compression.FIGURES}
    assert {claim.figure for claim in found.values()} <= figures


def test_without_cells_no_claim_and_no_figure(study: Study) -> None:
    nothing = replace(study, grid={}, frame=study.frame.iloc[:0])
    for module in (compression, denoising):
        assert [claim for function in module.CLAIMS if (claim := function(nothing))] == []
        assert [figure for function in module.FIGURES if (figure := function(nothing))] == []


def test_claims_of_denoising_turn_with_its_numbers(study: Study) -> None:
    verdicts = {name: claim.verdict for name, claim in claims.of_stage(study, "explore_denoising").items()}
    names = ("removes_noise", "ahead_of_filters", "needs_training", "noise_in_training", "only_its_noise")
    assert verdicts == dict.fromkeys(names, "holds")
    frame = study.frame.copy()
    gains = (frame["experiment"] == "denoising") & (frame["metric"] == "gain")
    frame.loc[gains, ["reproduced", "low", "high"]] *= -1
    frame.loc[gains, ["low", "high"]] = frame.loc[gains, ["high", "low"]].to_numpy()
    turned = claims.of_stage(replace(study, frame=frame), "explore_denoising")
    assert {claim.verdict for claim in turned.values()} == {"contradicted"}
    shown = {"psnr", "epochs", "denoised_gaussian", "denoised_salt_and_pepper"}
    drawn = dict(denoising.FIGURES[2](study))  # type: ignore[arg-type]
    assert {f.__name__ for f in denoising.FIGURES[:2]} | set(drawn) == shown
    assert {claim.figure for claim in turned.values()} <= shown


def test_the_page_shows_every_figure_and_claim(study: Study, tmp_path: Path, undrawn: None) -> None:
    output = build(tmp_path, write_study(tmp_path))
    page = html.unescape((output / "autoencoder.html").read_text(encoding="utf-8"))
    source = "".join(
        (Path(module.__file__).parent / "section.md.j2").read_text() for module in (compression, denoising)
    )
    for file in (output / "figures").glob("*.svg"):
        assert f"figures/{file.stem}." in source, "a figure that no screen shows"
    for stage in STAGES[1:]:
        for name, claim in claims.of_stage(study, stage).items():
            assert f'claims.get("{name}"' in source
            assert claim.says in page
            assert (output / "figures" / f"{claim.figure}.png").is_file()
