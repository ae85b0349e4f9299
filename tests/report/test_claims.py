"""Claims: their verdicts, and the guided pages on which they stand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overgen.report import claims
from overgen.report.build import build_report, check_names
from overgen.report.claims import Claim, verdict
from overgen.report.modules import of_stage
from overgen.report.study import Study
from overgen.run.files import read_json
from overgen.stages.evaluate_confidence import report as stage
from report_study import MadeUp

from workspace import ROOT

NUMBERS = st.floats(-100, 100)


def row(low: float, high: float) -> dict[str, float]:
    return {"reproduced": (low + high) / 2, "low": low, "high": high}


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_verdict_needs_the_whole_interval_and_the_other_direction_is_its_mirror(a: float, b: float, limit: float):
    low, high = sorted((a, b))
    says = verdict(row(low, high), above=limit)
    assert (says == "holds") == (low > limit)
    assert (says == "contradicted") == (high < limit)
    assert says == verdict(row(-high, -low), below=-limit)


def test_a_number_without_an_interval_cannot_tell() -> None:
    for missing in ("reproduced", "low", "high"):
        assert verdict(row(1, 2) | {missing: math.nan}, above=0) == "cannot tell"


def test_a_claim_has_one_limit() -> None:
    with pytest.raises(ValueError, match="above None, below None"):
        verdict(row(1, 2))
    with pytest.raises(ValueError, match="above 1, below 2"):
        verdict(row(1, 2), above=1, below=2)


def noise_is_rejected(study: Study) -> Claim:
    """Made up, of a number that is there."""
    number = study.select(experiment="confidence", metric="noise_accepted")[0]
    return Claim("Noise is rejected.", "Below 5 %.", verdict(number, below=5), "{number} of {n}", number, "reliability")


def untestable(study: Study) -> None:
    """A claim that no cell can test."""


def test_a_guided_page_has_a_screen_for_each_heading_and_the_report_lists_the_claims(
    made_up: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "PAGE", "manifold", raising=False)
    monkeypatch.setattr(stage, "CLAIMS", (noise_is_rejected, untestable), raising=False)
    few = {name: made_up.study.grid[name] for name in ("evaluate_confidence", "train_classifier")}
    study = replace(made_up.study, grid=few)
    build_report(study, tmp_path / "mnist", dpi=20)
    report, page = ((tmp_path / "mnist" / name).read_text() for name in ("report.md", "manifold.md"))
    heading = "How far can the scores be trusted?"
    assert heading not in report
    assert f"## {heading}" in page
    (shown,) = claims.of_stage(study, "evaluate_confidence").values()
    link = "[figure](manifold.html#how-far-can-the-scores-be-trusted)"
    assert f"{claims.number_text(shown)} | Below 5 %. | {link}" in re.sub(" +", " ", report)
    html = (tmp_path / "mnist/manifold.html").read_text()
    assert html.count('<section class="screen">') == html.count("<h2 ") == html.count("</section>") > 0
    assert 'href="report.html"' in html
    assert 'href="manifold.html"' in (tmp_path / "mnist/report.html").read_text()
    (told,) = read_json(tmp_path / "mnist/claims.json")
    assert (told["name"], told["verdict"], told["page"]) == ("noise_is_rejected", shown.verdict, "manifold")
    numbers = (tmp_path / "mnist/tables/claims.csv").read_text().splitlines()
    assert len(numbers) == 2


def test_a_stage_without_a_page_stays_in_the_report(made_up: MadeUp) -> None:
    assert not (made_up.report / "manifold.md").exists()
    assert "How far can the scores be trusted?" in made_up.text()


def test_two_stages_cannot_write_the_same_file() -> None:
    assert check_names("tables", ["a", "b"]) == ["a", "b"]
    with pytest.raises(ValueError, match="tables: two stages have one called a;"):
        check_names("tables", ["a", "b", "a"])


@pytest.mark.parametrize(("n", "text"), [(1, "2.0 % over 1 seed"), (21, "2.0 % over 21 seeds")])
def test_one_is_no_plural(n: int, text: str) -> None:
    number = {"reproduced": 2.0, "low": math.nan, "high": math.nan, "n": n, "unit": "percent", "metric": "error",
              "verdict": "", "note": ""}  # fmt: skip
    said = claims.number_text(Claim("", "", "holds", "{number} over {n} seeds", number, ""))
    assert said.replace("\u00a0", " ") == text


def test_a_claim_says_where_its_values_are_all_alike_and_where_its_test_was_not_set_before() -> None:
    number = {"reproduced": 2.0, "low": 2.0, "high": 2.0, "n": 5, "unit": "percent", "metric": "error",
              "verdict": "", "note": ""}  # fmt: skip
    of = Claim("", "Below 5 %.", "holds", "{number} over {n} seeds", number, "")
    assert claims.number_text(of).endswith("2.0\u00a0% over 5 seeds, all alike")
    assert "alike" not in claims.number_text(of._replace(row=number | {"high": 2.1}))
    assert "before the run" in claims.block(of)
    assert "before the run" not in claims.block(of._replace(before=False))


def test_each_stage_places_all_its_claims_and_no_others() -> None:
    for section in (ROOT / "src/overgen/stages").glob("*/section.md.j2"):
        module = of_stage(section.parent.name)
        placed = set(re.findall(r'claims\.get\("(\w+)"', section.read_text()))
        assert placed == {function.__name__ for function in getattr(module, "CLAIMS", ())}, section
