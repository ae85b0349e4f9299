"""What people read: addresses, findings, the table of all models, tables that fold, the index of reports."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from overgen.measures.intervals import wilson
from overgen.report import index, reported
from overgen.report.addresses import address, addresses, headings, places
from overgen.report.findings import FIRST, Finding, compared, findings, how_often, number_text, placed
from overgen.report.glance import glance
from overgen.report.html import html, repeated
from overgen.report.papers import PAPERS, bibliography, paper
from overgen.report.shown import LONG, links, shown
from overgen.report.tables import Table, markdown_table
from report_study import MadeUp, lines_of

from links import Page, dead_links


def test_addresses_are_words_and_unique() -> None:
    assert address("Figure 4: unknown classes?") == "figure-4-unknown-classes"
    assert address("The defence's ỹ, a_b-c") == "the-defences-ỹ-a_b-c"
    assert addresses(["A", "A", "A 1", "A"]) == ["a", "a-1", "a-1-1", "a-2"]
    text = "# One\n\n## Two ##\n\nnot # a heading\n\n## Two\n"
    assert headings(text) == [(0, "One", "one"), (2, "Two", "two"), (6, "Two", "two-1")]


def test_figures_and_tables_are_found_in_their_sections() -> None:
    text = "# T\n\n## A\n\n![a dot](figures/dot.svg)\n\n## B\n\n[CSV](tables/rates.csv)\n\n![again](figures/dot.png)\n"
    assert places(text) == {"dot": ("A", "a", "a dot"), "rates": ("B", "b", "")}


def test_every_heading_has_its_address_and_every_link_leads_somewhere(made_up: MadeUp) -> None:
    page = Page(made_up.text("report.html"))
    assert len(page.names) == len(set(page.names)) == len(headings(made_up.text()))
    assert {f"#{name}" for name in page.names[1:]} <= set(map(unquote, page.references))
    assert dead_links(made_up.report / "report.html") == []
    assert dead_links(made_up.report.parent / "index.html") == []
    broken = made_up.text("report.html").replace('href="#budgets"', 'href="#nowhere"')
    (made_up.report.parent / "broken.html").write_text(broken)  # the files beside it are missing, too
    assert "#nowhere" in dead_links(made_up.report.parent / "broken.html")


def test_findings_open_the_report_with_numbers_of_the_cells(made_up: MadeUp) -> None:
    found = findings(made_up.study)
    assert len(found) >= 6
    text = made_up.text()
    assert text.index("## What was found") < text.index("## At a glance") < text.index("## Training")
    numbers = made_up.cell_numbers()
    for finding in found:
        row = finding.row
        same = numbers[(numbers["metric"] == row["text"]) & (numbers["model"] == row["model"])]
        assert row["reproduced"] in list(same["reproduced"])
        assert f"**{finding.says}** {number_text(finding)}." in text
        assert row["low"] == row["high"] or re.search(r"\d \[|% \[", number_text(finding).replace("\u00a0", " "))


def test_a_finding_says_what_its_numbers_say(made_up: MadeUp) -> None:
    """Of 40 trials 40 fool the CNN and none the dAE: with the two exchanged, the sentences are, too."""
    said = [finding.says for finding in findings(made_up.study)]
    assert any(re.search("nearly always fools CNN", text) for text in said)
    assert any(re.search("hardly ever fools dAE sym", text) for text in said)
    frame = made_up.study.frame.copy()
    rates = (frame["experiment"] == "fgn") & (frame["metric"] == "fooling_rate")
    for model, (value, low, high) in {"cnn": (0, 0, 8.8), "dae_sym": (100, 91.2, 100)}.items():
        frame.loc[rates & (frame["model"] == model), ["reproduced", "low", "high"]] = value, low, high
    exchanged = made_up.without(experiment="none")
    said = [finding.says for finding in findings(type(exchanged)(**{**vars_of(exchanged), "frame": frame}))]
    assert any(re.search("hardly ever fools CNN", text) for text in said)
    assert not any(re.search("hardly ever fools dAE sym|nearly always fools CNN", text) for text in said)


def vars_of(study: object) -> dict[str, object]:
    return {name: getattr(study, name) for name in ("dataset", "grid", "settings", "papers", "budget")}


def test_a_finding_without_its_numbers_is_left_out(made_up: MadeUp) -> None:
    tables = [finding.table for finding in findings(made_up.study)]
    assert {"fooling", "gradient", "scores"} <= set(tables)
    without = [finding.table for finding in findings(made_up.without(experiment="gradient"))]
    assert "gradient" not in without
    assert "fooling" in without


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(98, 100, "nearly always"), (51, 99, "mostly"), (40, 60, "sometimes"), (0, 9.9, "hardly ever"), (3, 49, "seldom"),
     (float("nan"), 3, "sometimes")],
)  # fmt: skip
def test_rates_in_words(low: float, high: float, words: str) -> None:
    assert how_often({"low": low, "high": high, "reproduced": 20}) == words


@pytest.mark.parametrize(("hits", "words"), [(0, "at most sometimes"), (1, "sometimes"), (3, "at least sometimes")])
def test_a_rate_of_three_trials_in_words(hits: int, words: str) -> None:
    low, high = wilson(hits, 3)
    assert how_often({"low": 100 * low, "high": 100 * high, "reproduced": 100 * hits / 3}) == words


def test_numbers_are_compared_by_their_whole_intervals() -> None:
    low, high = {"low": 1.0, "high": 2.0}, {"low": 2.5, "high": 3.0}
    assert (compared(low, high), compared(high, low), compared(low, {"low": 2.0, "high": 9.0})) == (-1, 1, 0)


def test_a_picture_stands_with_the_first_finding_that_it_shows(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = made_up.study.find(experiment="fgn", metric="fooling_rate", model="cnn", tau="0.9")
    assert row is not None
    finding = Finding("So it is.", "{number} of {n}", row, "dot", "rates")
    monkeypatch.setattr("overgen.report.findings.findings", lambda _: [finding, finding])
    text = placed("## What was found\n\n<!-- findings -->\n\n## A\n\n![a dot](figures/dot.svg)\n", made_up.study)
    assert text.count("**So it is.** 100.0\u00a0% [91.2–100.0] of 40; reported: 100\u00a0%. [A](#a)") == 2
    assert text.count("[![a dot](figures/dot.png)](#a)") == 1
    assert "<details>" not in text
    monkeypatch.setattr("overgen.report.findings.findings", lambda _: [finding] * (FIRST + 2))
    text = placed("<!-- findings -->", made_up.study)
    open_ones, _, folded = text.partition("<details>")
    assert (open_ones.count("So it is."), folded.count("So it is.")) == (FIRST, 2)
    assert f"\n{FIRST + 1}. **So it is.**" in folded


def test_the_table_of_all_models(made_up: MadeUp) -> None:
    heads, *lines = lines_of(glance(made_up.study).markdown)
    assert heads[1].startswith("accuracy")
    assert "paper's attack" in heads[2]
    by_model = {line[0].strip("*"): dict(zip(heads[1:], line[1:], strict=True)) for line in lines}
    assert by_model.keys() >= {"CNN", "COOL", "dAE sym"}
    best = next(head for head in heads if "best attack" in head)
    assert by_model["dAE sym"][best].endswith(("gradients of ỹ", "evolution", "the paper's, on ỹ"))
    assert "→" in by_model["dAE sym"][heads[2]]
    assert not any("→" in line[best] for line in by_model.values())


def test_long_tables_fold_and_all_link_to_their_numbers() -> None:
    rows = pd.DataFrame({"cell": ["reports/cells/mnist/fool_fgn/cnn", "reports/cells/mnist/fool_fgn/cool"] * 2})
    short = Table("rates", markdown_table([["1", "2"]] * LONG, ["a", "b"]), rows)
    assert "<details>" not in shown(short)
    assert links(short) == (
        "[CSV](tables/rates.csv) · `fool_fgn`: [CNN](../cells/mnist/fool_fgn/cnn/metrics.json), "
        "[COOL](../cells/mnist/fool_fgn/cool/metrics.json)"
    )
    long = short._replace(markdown=markdown_table([["1", "2"]] * (LONG + 1), ["a", "b"]))
    assert shown(long).startswith(f"<details>\n<summary>All {LONG + 1} rows</summary>\n\n|")
    assert shown(Table("none", "", rows)) == ""


def test_papers_are_linked() -> None:
    assert paper("szegedy2013") == "[Szegedy et al. (2013)](https://doi.org/10.48550/arXiv.1312.6199)"
    assert paper("lecture_slides") == "lecture_slides"
    papers = reported.load()
    assert set(PAPERS) == {source for source in papers["source"] if re.search(r"\d{4}$", source)}
    assert len(re.findall(r"^- .*https://doi\.org/", bibliography(), re.M)) == len(PAPERS)


def test_lines_without_a_first_cell_repeat_the_one_above() -> None:
    text = "<tr>\n<td>CNN</td>\n</tr>\n<tr>\n<td></td>\n</tr>"
    assert repeated(text).count("CNN") == 2
    assert repeated(text).count('class="again"') == 1


def test_headings_that_repeat_have_addresses_of_their_own(tmp_path: Path) -> None:
    page = html("# Title\n\n## Same & more\n\n## Same & more\n", tmp_path)
    assert Page(page).names == ["title", "same--more", "same--more-1"]
    assert page.count("Same &amp; more") == 6  # headings, and twice the contents


def test_the_index_shows_what_git_holds_and_adds_the_rest_where_it_is(made_up: MadeUp, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name in ("mnist", "digits"):
        shutil.copytree(made_up.report, reports / name)
    (tmp_path / ".gitignore").write_text("/reports/digits/\n")
    index.write_index(reports, ["digits", "mnist", "absent"])
    page = (reports / "index.html").read_text()
    assert re.findall(r'<h2><a href="([^"]+)">([^<]+)</a>', page) == [
        ("mnist/report.html", "Overgeneralisation on MNIST")
    ]
    assert findings(made_up.study)[0].says in page
    assert re.search(r'<img alt="[^"]+" src="mnist/figures/fooling_images.png">', page)
    assert re.findall(r'<script src="([^"]+)">', page) == ["digits/card.js"]
    shutil.rmtree(reports / "digits")
    index.write_index(reports, ["digits", "mnist", "absent"])
    assert (reports / "index.html").read_text() == page
    assert 'href=\\"digits/report.html\\"' in index.card_script("digits", made_up.text())


def test_the_index_shows_a_page_without_findings_by_its_first_words(tmp_path: Path) -> None:
    card = index.card("rings", "# Rings\n\nThree *rings*.\n\n![all](figures/rings.svg)\n")
    assert card == ("rings", "Rings", "Three <em>rings</em>.", "figures/rings.svg", "all")


def test_other_reports_are_those_with_cells_in_git(tmp_path: Path) -> None:
    for name in ("mnist", "rings", "digits"):
        (tmp_path / "reports/cells" / name).mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("/reports/digits/\n")
    assert index.others(tmp_path / "reports/mnist") == [("Rings", "../rings/report.html")]
    assert len(index.others(tmp_path / "reports/digits")) == 2
