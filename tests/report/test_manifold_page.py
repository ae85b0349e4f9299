"""The guided page of the manifold: claims of dimension and of paths on made-up cells, and what it shows."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from overgen.report import claims
from overgen.report.study import Study, read_study
from overgen.run.plans import Plan
from overgen.stages.explore_dimension import report as dimension
from overgen.stages.explore_paths import report as paths
from report_study import BANDS, build, plan_of

from made_up import example_cell
from workspace import ROOT

MODULES = {"explore_dimension": dimension, "explore_paths": paths}
CELLS: dict[str, dict[str, dict[str, object]]] = {
    "explore_dimension": {"images": {}},
    "explore_paths": {"networks": {}},
}
SETTINGS = {
    "explore_dimension.mnist": {"neighbours": 20, "parts": 3, "points": 2000, "shown": 5},
    "explore_paths.mnist": {
        "pairs": 20, "graph_images": 100, "neighbours": 10, "reference_images": 2000, "denoiser": "dae_sym",
        "classifier": "cnn", "latents": ["autoencoder", "dae_sym"],
    },
}  # fmt: skip


def made_up(root: Path) -> Plan:
    """The plan of the made-up cells of these stages alone, which are written below a root."""
    for stage, models in CELLS.items():
        for model in models:
            example_cell(root / "reports/cells", stage, model)
    (root / "budgets").mkdir()
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    own = {f"{section}.{key}": value for section, values in SETTINGS.items() for key, value in values.items()}
    plan = plan_of(CELLS)
    return plan._replace(settings=dict(plan.settings) | own)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return read_study(made_up(tmp_path), "mnist", tmp_path, bands=BANDS)


def verdicts(study: Study, stage: str) -> dict[str, str]:
    return {name: claim.verdict for name, claim in claims.of_stage(study, stage).items()}


def turned(study: Study, *metrics: str, value: float) -> Study:
    """The study with another value of some numbers, known to a tenth of a percent."""
    frame = study.frame.copy()
    off = abs(value) / 1000
    frame.loc[frame["metric"].isin(metrics), ["reproduced", "low", "high"]] = [value, value - off, value + off]
    return replace(study, frame=frame)


def test_claims_of_dimension_turn_with_their_numbers(study: Study) -> None:
    assert verdicts(study, "explore_dimension") == {
        "almost_no_dimension": "holds",
        "more_images_more_dimensions": "cannot tell",  # made up with as many in every part as in the whole
        "mixed_classes_mislead": "cannot tell",
        "views_have_about_seven": "holds",
    }
    metrics = ("share_of_pixels", "growth", "mixed_growth", "views_off")
    assert set(verdicts(turned(study, *metrics, value=0.5), "explore_dimension").values()) == {"holds", "contradicted"}
    assert verdicts(turned(study, "growth", value=0.9), "explore_dimension")["more_images_more_dimensions"] == (
        "contradicted"
    )
    large = verdicts(turned(study, *metrics, value=30), "explore_dimension")
    assert large == dict.fromkeys(large, "contradicted") | {"more_images_more_dimensions": "holds"}


def test_claims_of_paths_turn_with_their_numbers(study: Study) -> None:
    assert verdicts(study, "explore_paths") == {
        "lines_leave_the_data": "holds",
        "latents_stay_nearer": "holds",
        "geodesics_stay_nearer": "holds",
        "reconstruction_tells": "holds",
        "classifier_is_sure_half_way": "contradicted",
        "confidence_rejects_half_way": "holds",
    }
    metrics = ("distance_rise", "error_rise")
    low = turned(turned(study, *metrics, value=-1), "distance_rise_beyond_pixels", value=1)
    high = turned(low, "middle_sure", "middle_scaled_sure", value=90)
    found = verdicts(high, "explore_paths")
    assert found == dict.fromkeys(found, "contradicted") | {"classifier_is_sure_half_way": "holds"}


@pytest.mark.parametrize("stage", MODULES)
def test_a_claim_without_its_number_is_none(study: Study, stage: str) -> None:
    nothing = replace(study, frame=study.frame.iloc[:0])
    assert [claim for function in MODULES[stage].CLAIMS if (claim := function(nothing))] == []


def test_the_page_shows_every_figure_claim_and_table(tmp_path: Path, undrawn: None) -> None:
    plan = made_up(tmp_path)
    output, study = build(tmp_path, plan), read_study(plan, "mnist", tmp_path, bands=BANDS)
    page = html.unescape((output / "manifold.html").read_text(encoding="utf-8"))
    for stage, module in MODULES.items():
        source = (Path(module.__file__).parent / "section.md.j2").read_text()
        figures = {function.__name__ for function in module.FIGURES}
        assert set(re.findall(r"figures/(\w+)\.", source)) == figures
        for name, claim in claims.of_stage(study, stage).items():
            assert f'claims.get("{name}"' in source
            assert claim.figure in figures
            assert claim.says in page
        for function in module.TABLES:
            assert function(study).markdown
            assert f"{function.__name__})" in source
