"""The engine's pieces: how numbers, names, budgets and choices are written, and how tables are made of rows."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from overgen import OvergenError
from overgen.report import budgets, choices, names, pages, tables
from overgen.report.html import html
from overgen.report.study import Numbers, read_reproduced, rising
from overgen.run import results
from overgen.stages.evaluate_scores.names import method_name
from overgen.stages.search_choices import report as search_choices
from report_study import MadeUp, lines_of

from made_up import example_cell

NUMBER = {"reproduced": 34.5, "low": 28.27, "high": 41.33, "metric": "fooling_rate", "unit": "percent", "verdict": "",
          "value": "", "experiment": "fgn", "model": "cnn", "tau": "0.9", "text": "fooling_rate", "source": "", "n": 9,
          "note": ""}  # fmt: skip


def numbers_of(*rows: dict[str, object]) -> Numbers:
    frame = pd.DataFrame([NUMBER | row for row in rows])
    for name in ("where", "dataset", "budget", "cell", "md5"):
        frame[name] = ""
    return Numbers(frame.fillna(""))


def test_a_number_for_reading() -> None:
    assert tables.measured(NUMBER) == "34.5 [28.3–41.3]"
    assert tables.measured(NUMBER | {"verdict": "not testable: why"}) == "34.5 ? [28.3–41.3]"
    assert tables.measured(NUMBER | {"low": None, "high": None}, " %") == "34.5 %"
    assert tables.measured(NUMBER | {"high": None}) == "34.5 [28.3–∞]"
    assert tables.measured(NUMBER | {"reproduced": None}) == tables.measured(None) == "–"
    assert tables.measured(NUMBER | {"low": -3.0, "reproduced": -1.0}) == "−1.0 [−3.0 to 41.3]"
    near = NUMBER | {"reproduced": -1.0, "low": -2.0, "high": -0.0312}
    assert tables.measured(near | {"unit": "percentage points"}) == "−1.0 [−2.0 to −0.03]"
    assert tables.measured(near | {"unit": "percentage points", "low": 0.04, "high": 1.0}) == "−1.0 [0.04–1.0]"
    nines = {"reproduced": 99.999952, "low": 99.98, "high": 100.0, "metric": "median_confidence"}
    assert tables.measured(NUMBER | nines) == "99.9999 [99.98–100.00]"
    assert tables.entry(NUMBER | {"value": "34"}) == "34 → 34.5 [28.3–41.3]"
    assert tables.entry(NUMBER) == tables.measured(NUMBER)


def test_names_of_metrics_and_methods() -> None:
    assert names.metric_name("fooling_rate@alpha=2") == "trials that fool, α = 2"
    assert names.metric_name("gamma_positive_rate@test") == "γ > 0, on test images"
    assert method_name("scaled_output_alpha20") == "ỹ, α = 20"
    assert method_name("knn_pixels") == "nearest neighbours on pixels"
    assert names.model_name("dae_sym_l2_10") == "dAE sym (λ_L2 = 10)"


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("fooling_rate", {"metric": "fooling_rate"}),
        ("fooling_rate@start=noise@alpha=2", {"metric": "fooling_rate", "start": "noise", "alpha": "2"}),
        ("noise_accepted@uniform-noise@alpha=3", {"metric": "noise_accepted", "on": "uniform-noise", "alpha": "3"}),
        ("generations_to_0.9999", {"metric": "generations_to_0.9999"}),
        ("error@made_for=fc10_1e-4@rms=0.1", {"metric": "error", "made_for": "fc10_1e-4", "rms": "0.1"}),
    ],
)
def test_a_metric_is_written_and_taken_apart(text: str, of: dict[str, str]) -> None:
    assert results.parts(text) == of
    name, *keys = of.items()
    assert results.metric(name[1], **dict(keys)) == text


def test_numbers_in_metrics_are_short_and_nothing_is_left_out() -> None:
    assert results.metric("accuracy", known=5, alpha=None, rms=0.10) == "accuracy@known=5@rms=0.1"


def test_a_cell_is_read_with_its_keys_in_columns(tmp_path: Path) -> None:
    folder = example_cell(tmp_path, "fool_gradient", "dae_sym")
    frame = results.read(results.Cell("mnist", "fool_gradient", "dae_sym", folder))
    assert set(results.KEYS) <= set(frame)
    assert set(frame["start"]) == {"noise", "mean_image"}
    assert set(frame["alpha"]) == {"", "2"}
    assert [results.metric(row.metric, start=row.start, alpha=row.alpha or None) for row in frame.itertuples()] == list(
        frame["text"]
    )
    assert (frame["budget"] == frame["budget"].iloc[0]).all()


def test_a_pivot_has_a_line_for_each_key_and_keeps_what_it_shows() -> None:
    numbers = numbers_of(
        {"start": "noise"}, {"start": "noise", "tau": "0.99", "reproduced": 1.0}, {"start": "mean", "model": "cool"},
        {"start": "mean", "metric": "other", "model": "lenet"},
    )  # fmt: skip
    columns = [tables.column(f"at {tau}", "fooling_rate", show=tables.plain, tau=tau) for tau in ("0.9", "0.99")]
    labels = tables.MODEL | {"start": lambda row: row["start"]}
    table = tables.pivot(numbers, "x", numbers.frame, ("model", "start"), labels, columns, of={"experiment": "fgn"})
    assert lines_of(table.markdown) == [
        ["", "start", "at 0.9", "at 0.99"], ["**CNN**", "noise", "34.5", "1.0"], ["**COOL**", "mean", "34.5", "–"]
    ]  # fmt: skip
    assert table.rows["reproduced"].tolist() == [34.5, 1.0, 34.5]
    assert tables.pivot(numbers, "x", numbers.frame[:0], ("model",), tables.MODEL, columns).markdown == ""


def test_a_key_that_no_number_has_is_empty() -> None:
    numbers, columns = numbers_of({"reproduced": 1.0}), [tables.column("rate", "fooling_rate")]
    of = {"experiment": "fgn", "tau": "0.9"}
    assert numbers.find(metric="fooling_rate", model="cnn", c="", **of) == numbers.find(
        metric="fooling_rate", model="cnn", **of
    )
    assert numbers.find(metric="fooling_rate", model="cnn", c="1", **of) is None
    labels = tables.MODEL | {"C": lambda row: row["c"] or "the only one"}
    table = tables.pivot(numbers, "x", numbers.frame, ("model", "c"), labels, columns, of=of)
    assert lines_of(table.markdown)[-1][1] == "the only one"


def test_a_number_is_found_by_all_that_it_is_of() -> None:
    """Not by less: a rate from one start is not the rate. The main paper's row comes before another source's."""
    numbers = numbers_of({"start": "noise"}, {"source": "kardan2017"}, {"source": "spigler2019", "reproduced": 7.0})
    of = {"experiment": "fgn", "model": "cnn", "metric": "fooling_rate", "tau": "0.9"}
    found, other = numbers.find(**of), numbers.find(**of, start="noise")
    assert found is not None
    assert other is not None
    assert (found["reproduced"], found["place"], other["place"]) == (7.0, 2, 0)
    assert numbers.find(**of, start="mean") is numbers.find(**of, colour="red") is None
    assert len(numbers.rows(metric="fooling_rate", start="")) == 2
    assert rising(["0.99", "", "0.9", "0.99"]) == ["0.9", "0.99"]


def test_rows_are_grouped_and_repeats_left_out() -> None:
    rows = numbers_of({"model": "cnn"}, {"model": "cool"}, {"model": "cnn", "tau": "0"}).frame
    assert tables.grouped(rows, model=(), tau=rising(rows["tau"]))["tau"].tolist() == ["0", "0.9", "0.9"]
    assert tables.grouped(rows, model=["cool", "cnn"])["model"].tolist() == ["cool", "cnn", "cnn"]
    lines = [["a", "x", "1"], ["a", "x", "2"], ["b", "x", "3"]]
    assert tables.without_repeats(lines, 2) == [["a", "x", "1"], ["", "", "2"], ["b", "x", "3"]]


def test_budgets_in_words() -> None:
    paper = {"train_classifier.mnist.epochs": 100, "train_classifier.mnist.seeds": 5}
    spent = {"train_classifier.mnist.epochs": 10, "train_classifier.mnist.seeds": 1}
    assert budgets.budget_text(spent, paper) == "10 of 100 epochs, 1 of 5 seeds"
    more = {"train_classifier.mnist.epochs": 200, "a.b.new_things": 3, "a.b.restarts": 1}
    assert budgets.budget_text(more, paper) == "200 epochs, 3 new things, 1 restart"
    assert budgets.budget_text({"fool_lbfgs.mnist.draws": 1, "explore_transfer.mnist.draws": 5}, {}) == (
        "1 draw of noise an image, 5 draws of labelled images"
    )
    assert not budgets.at_paper_budget({"train_classifier.mnist.seeds": 4}, paper)
    assert budgets.at_paper_budget({"train_classifier.mnist.epochs": 200, "other": 1}, paper)


def test_choices_take_their_values_from_the_settings(made_up: MadeUp) -> None:
    text = made_up.text("assumptions.md")
    assert re.search(r"\| Batch size +\| 37 ", text)
    assert "(0.9, 20)" in text
    assert "`models.cool.output_std` of params.yaml" in text  # not given to the report: its place is named
    held = choices.choices(made_up.study, held=True)
    assert "of params.yaml" not in held
    assert re.search(r"\| Batch size +\| 37 ", held)
    assert "l2 10 in `train_oneclass`: dAE sym, COOL" in text
    assert "noise_std" not in text
    assert text.partition("\n")[2].strip() in made_up.text()
    assert "Options of training that a stage changes" not in choices.choices(replace(made_up.study, settings={}))


def test_choices_are_those_of_the_stages_that_ran(made_up: MadeUp) -> None:
    grid = {stage: cells for stage, cells in made_up.study.grid.items() if not stage.endswith(("lbfgs", "perceptrons"))}
    assert "AE400-10" in choices.choices(made_up.study)
    assert "AE400-10" not in choices.choices(replace(made_up.study, grid=grid))


@pytest.mark.parametrize(("used", "said"), [(0.1, False), (1.0, True)])
def test_a_search_says_when_the_study_does_not_use_its_best_setting(made_up: MadeUp, used: float, said: bool) -> None:
    key = "search_choices.mnist.cool"
    settings = {f"{key}.model.output_std": 1.0, f"{key}.settings": [{}, {"output_std": 0.1}],
                "models.cool.output_std": used}  # fmt: skip
    (table,) = search_choices.searches(replace(made_up.study, settings=settings))
    assert (table.name, table.rows["setting"].tolist()) == ("search_cool", ["base", "output_std: 0.1"])
    assert re.search(r"\| \*\*output_std: 0.1\*\* ", table.markdown)
    assert "Base: output_std 1." in table.markdown
    assert f"Used in the study: output_std {used:g}." in table.markdown
    assert ("That is not the setting nearest to the paper." in table.markdown) == said


def test_html_of_markdown_alone(tmp_path: Path) -> None:
    page = html("# A\n\n## B & c\n\n| a | b |\n|---|---|\n| 1.5 [1–2] | x |\n", tmp_path)
    assert "<title>A</title>" in page
    assert '<h2 id="b--c">B &amp; c <a class="permalink" href="#b--c"' in page
    assert '<td class="number">1.5 <span class="interval">[1–2]</span></td>' in page
    assert "<td>x</td>" in page


def test_reproduced_csv_is_read_as_it_was_written(made_up: MadeUp) -> None:
    again = read_reproduced(made_up.report / "reproduced.csv").frame
    pd.testing.assert_frame_equal(again, made_up.study.frame[list(again)], check_dtype=False)
    with pytest.raises(OvergenError, match="dvc repro report@mnist"):
        read_reproduced(made_up.root / "mnist/reproduced.csv")


def test_the_papers_tables_on_the_page_of_findings(made_up: MadeUp, tmp_path: Path) -> None:
    text = pages.paper_table(made_up.root / "reports")
    assert "| MNIST" in text
    assert "Fashion" not in text
    line = next(line for line in text.splitlines() if "**COOL**" in line)
    assert "34.5 → 30.0 ? [18.1–45.4]" in line
    assert "(▼) differs at reduced budget (lower)" in text
    assert "10 of 100 epochs" in text
    with pytest.raises(OvergenError, match="dvc repro report@mnist"):
        pages.paper_table(tmp_path)


def test_a_page_takes_its_numbers_from_the_reports(made_up: MadeUp, tmp_path: Path) -> None:
    (tmp_path / "reports").symlink_to(made_up.root / "reports")
    (tmp_path / "docs").mkdir()
    readme, findings = (tmp_path / path for path in pages.PAGES.values())
    findings.write_text("nothing\n")
    row = 'n("mnist", "fgn", "cool", "fooling_rate", "0.9")'
    readme.write_text(
        f"{{{{ count({row}) }}}}: {{{{ percent({row}) }}}} {{{{ interval({row}) }}}}, {{{{ {row}.value }}}}\n"
    )
    made = pages.render(tmp_path)
    assert made == {"README.md": "12 of 40: 30 % [18–45 %], 34.5\n", "docs/findings.md": "nothing\n"}
    for wrong, message in (
        ('n("mnist", "fgn", "vgg", "fooling_rate", "0.9")', r"has no number fgn, vgg, fooling_rate, 0\.9"),
        ('figure("mnist", "none")', "figures/none.png: missing"),
        ("nonsense", "docs/README.md.j2: UndefinedError: 'nonsense' is undefined"),
        ("}} {% if %}", "docs/README.md.j2, line 1: TemplateSyntaxError"),
    ):
        readme.write_text(f"{{{{ {wrong} }}}}\n")
        with pytest.raises(OvergenError, match=message):
            pages.render(tmp_path)
    readme.unlink()
    with pytest.raises(OvergenError, match="TemplateNotFound"):
        pages.render(tmp_path)


def test_reading_numbers_needs_no_plotting() -> None:
    code = (
        "import sys, overgen.report.pages, overgen.report.compare, overgen.run.results; "
        "sys.exit([m for m in ('matplotlib', 'seaborn', 'torch', 'mlflow', 'dvc', 'sklearn', 'scipy.stats')"
        " if m in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
