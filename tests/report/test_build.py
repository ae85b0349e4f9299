"""A report as a whole: every number is in it with its cell, only cells that are asked for count, equal cells give equal
bytes."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from overgen import OvergenError
from overgen.report import build as engine
from overgen.report import names, reported
from overgen.report.study import read_reproduced
from overgen.run import results
from overgen.run.files import directory_md5, read_json
from overgen.run.plans import Plan
from report_study import MadeUp, build, lines_of, write_study


def only(plan: Plan, *stages: str) -> Plan:
    return Plan({stage: plan.cells[stage] for stage in stages}, plan.settings)


def test_every_measured_number_is_in_reproduced_csv(made_up: MadeUp) -> None:
    numbers, frame = made_up.cell_numbers(), read_reproduced(made_up.report / "reproduced.csv").frame
    numbers["experiment"] = numbers["experiment"].replace(names.EXPERIMENTS)
    also = frame["note"].str.contains("ỹ = y of COOL")  # a number that the paper reports as another experiment
    assert also.sum() == 1
    frame = frame[~also]
    key = ["experiment", "model", "metric"]
    wanted = [(*r[key], "" if pd.isna(r["tau"]) else f"{r['tau']:g}", r["stage"]) for _, r in numbers.iterrows()]
    found = frame[["experiment", "model", "text", "tau"]].itertuples(index=False, name=None)
    assert {(*of, cell.split("/")[3]) for of, cell in zip(found, frame["cell"], strict=True)} == set(wanted)
    assert made_up.text("reproduced.csv").splitlines()[0].split(",") == [
        *reported.COLUMNS, "reproduced", "low", "high", "n", "budget", "verdict", "cell", "md5"
    ]  # fmt: skip
    twice = frame.duplicated(["experiment", "model", "text", "tau"], keep=False)  # rates that two sources report
    assert len(frame) == len(numbers) + twice.sum() // 2
    assert set(frame["source"][twice]) == {"spigler2019", "kardan2017"}
    values = numbers.assign(tau=[of[3] for of in wanted]).set_index([*key, "tau"])
    for row in frame.to_dict("records"):
        same = values.loc[tuple(row[name] for name in ("experiment", "model", "text", "tau"))]
        for name in ("reproduced", "low", "high"):
            assert row[name] == pytest.approx(float("nan") if same[name] is None else same[name], nan_ok=True, rel=0)
        assert row["unit"] == same["unit"]
        assert row["md5"] == directory_md5(made_up.root / row["cell"])


def test_the_summary_has_a_few_numbers_of_each_model(made_up: MadeUp) -> None:
    summary = json.loads(made_up.text("summary.json"))
    assert {"test_accuracy", "fooled_by_fgn@tau=0.9", "fooled_by_gradient@tau=0.99", "one_class_auroc"} <= set(summary)
    row = made_up.study.find(experiment="fgn", metric="fooling_rate", model="cool", tau="0.9")
    assert row is not None
    assert summary["fooled_by_fgn@tau=0.9"]["cool"] == row["reproduced"]
    assert sum(map(len, summary.values())) < 60


def test_the_rows_stand_in_the_order_of_the_pipeline(made_up: MadeUp) -> None:
    cells = list(dict.fromkeys(made_up.study.frame["cell"].str.removeprefix("reports/cells/mnist/")))
    wanted = [f"{stage}/{model}" for stage, models in made_up.plan.cells.items() for model in models]
    assert cells == [cell for cell in wanted if cell.split("/")[0] != "search_choices"]


def test_the_text_shows_the_study(made_up: MadeUp) -> None:
    text, frame = made_up.text(), made_up.study.frame
    assert text.startswith("# Overgeneralisation on MNIST")
    assert "Table 1 of the paper" in text
    assert "seed spread not measured" in text
    assert "**Below the papers' budget**" in text
    for stage, models in made_up.plan.cells.items():
        for model in models:
            assert f"`dvc repro {stage}@mnist-{model}`" in text
            assert f"`{directory_md5(made_up.root / 'reports/cells/mnist' / stage / model)}`" in text
    counts = {kind: int(n) for kind, n in re.findall(r"\| (?:\(?[✓▲▼]\)?|[?○]) +\| ([a-z() ]+?) +\| (\d+)", text)}
    assert sum(counts.values()) == (frame["verdict"] != "").sum()
    assert counts["cannot tell"] == (frame["verdict"] == "cannot tell").sum()
    joined = (frame["source"] != "").sum()
    missing = int(re.search(r"(\d+) numbers of the papers on MNIST have no counterpart", text)[1])  # type: ignore[index]
    assert missing == (reported.load()["dataset"] == "mnist").sum() - joined


def test_every_figure_is_shown_and_there(made_up: MadeUp) -> None:
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", made_up.text())
    assert all((made_up.report / name).is_file() for name in shown)
    drawn = list((made_up.report / "figures").iterdir())
    assert {path.stem for path in drawn} == {Path(name).stem for name in shown}
    assert {path.suffix for path in drawn} == {".svg", ".png"}
    assert {"score_histograms", "score_ranking", "score_answers"} <= {path.stem for path in drawn}


def test_sections_stand_in_the_order_of_the_pipeline(made_up: MadeUp) -> None:
    figures = [
        "training_curves",
        "reconstructions",
        "first_passage",
        "gradient_passage",
        "evolution_confidence",
        "retraining_lenet",
        "reliability",
        "open_set",
        "smallest_changes",
        "score_ranking",
        "one_class_roc",
    ]
    sections = made_up.text().partition("## At a glance")[2]  # above it the findings have pictures, too
    places = [sections.index(f"figures/{name}.") for name in figures]
    assert places == sorted(places)


def test_tables_hold_only_numbers_of_the_cells_and_the_papers(made_up: MadeUp) -> None:
    papers = reported.load()
    known = {str(n) for n in range(1, 11)} | set(papers["text"]) | {f"{tau:g}" for tau in papers["tau"].dropna()}
    for row in made_up.cell_numbers().to_dict("records"):
        known.add(f"{row['n']:,}")
        for name in ("reproduced", "low", "high"):
            if row[name] is not None and not pd.isna(row[name]):
                known.add(names.number(float(row[name]), row["metric"], row["unit"]).lstrip("-"))
                known.add(f"{row[name]:.2f}" if row["metric"].startswith("mean_distance") else "")
    known |= {"20", "3", "2", "40", "0", "1e-3", "784", "99.99", "95", "0.06"}  # α, generations, a rate, pixels, noise
    checked = 0
    for path in (made_up.report / "tables").glob("*.md"):
        if path.stem in ("provenance", "not_measured", "search_cool"):
            continue
        text = re.sub(r"\*\*.*?\*\*|‖₂|₂|in \[0,1\]|FC\d[\d-]*", "", path.read_text())
        for number in re.findall(r"(?<![\w.])\d[\d,]*\.?\d*(?:e-?\d+)?", text):
            assert number.rstrip(",.") in known, f"{number} in {path.name}"
            checked += 1
    assert checked > 500


@pytest.mark.usefixtures("undrawn")
def test_the_same_cells_give_the_same_text_and_tables(
    made_up: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere, later, and with one process at a time. test_study does so of the figures and of the page with them."""
    shutil.copytree(made_up.root, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "reports/mnist")
    later = time.time() + 86_400 * 400
    monkeypatch.setattr(time, "time", lambda: later)  # a date in a file would show
    monkeypatch.setattr(engine, "cores", lambda: 1)
    output = build(tmp_path, made_up.plan)
    files = {path.relative_to(output): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    assert files.keys() == {p.relative_to(made_up.report) for p in made_up.report.rglob("*") if p.is_file()}
    told = {path: data for path, data in files.items() if path.suffix not in (".png", ".svg", ".html")}
    assert len(told) > 40
    assert [path for path, data in told.items() if data != (made_up.report / path).read_bytes()] == []
    assert not any(str(tmp_path).encode() in data for data in files.values())


def test_the_page_needs_nothing_else(made_up: MadeUp) -> None:
    page = made_up.text("report.html")
    assert page.count("data:image/") == made_up.text().count("](figures/")
    sources = re.findall(r'src="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"@import|url\(|<script|<link", re.sub(r'"data:[^"]*"', "", page))
    assert '<meta name="viewport"' in page
    assert "@media print" in page
    assert len(re.findall(r'role="region" tabindex="0" aria-label="[^"]+"><table>', page)) == page.count("<table>")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.usefixtures("undrawn")
def test_a_section_says_which_weights_are_not_published(tmp_path: Path) -> None:
    plan = write_study(tmp_path, stages=("train_oneclass", "evaluate_oneclass", "evaluate_confidence"))
    plan = plan._replace(not_in_git={"evaluate_oneclass": ["train_oneclass", "train_codes"]})
    text = (build(tmp_path, plan) / "report.md").read_text()
    sections = re.split(r"(?m)^## ", text)
    said = [section.splitlines()[0] for section in sections if "not the weights of" in section]
    assert said == ["Figure 5: one class against all others"]
    assert "`train_oneclass` and `train_codes`" in text
    (tmp_path / ".gitignore").write_text("/reports/mnist/\n")  # then nothing of it is
    assert "not the weights of" not in (build(tmp_path, plan) / "report.md").read_text()


def test_a_missing_cell_is_named_with_its_command(made_up: MadeUp, tmp_path: Path) -> None:
    shutil.copytree(made_up.root, tmp_path, dirs_exist_ok=True)
    before = directory_md5(tmp_path / "reports/mnist")
    cells = tmp_path / "reports/cells/mnist"
    (cells / "evaluate_openset/cnn/trials.csv").unlink()
    with pytest.raises(
        OvergenError, match=r"evaluate_openset/cnn/trials.csv: missing; `dvc repro evaluate_openset@mnist-cnn`"
    ):
        build(tmp_path, only(made_up.plan, "train_classifier", "evaluate_openset"))
    shutil.rmtree(cells / "fool_fgn/cool")
    with pytest.raises(OvergenError, match=r"mnist/fool_fgn/cool/.*`dvc repro fool_fgn@mnist-cool`"):
        build(tmp_path, only(made_up.plan, "train_classifier", "fool_fgn"))
    assert directory_md5(tmp_path / "reports/mnist") == before


@pytest.mark.usefixtures("undrawn")
def test_cells_that_are_not_asked_for_do_not_count(made_up: MadeUp, tmp_path: Path) -> None:
    shutil.copytree(made_up.root, tmp_path, dirs_exist_ok=True)
    cells = {"train_classifier": ["cnn"], "fool_fgn": ["cnn"], "evaluate_confidence": ["cnn"]}
    output = build(tmp_path, Plan(cells, {}))
    assert set(read_reproduced(output / "reproduced.csv").frame["model"]) == {"cnn"}
    text = (output / "report.md").read_text().partition("## Reported, not measured")[0]
    assert "COOL" not in (output / "tables/fooling.md").read_text()
    assert not re.search("perceptron|smallest|FC10|unknown classes|transfer", text)
    assert {path.stem for path in (output / "figures").iterdir()} == {
        "training_curves", "first_passage", "fooling_images", "reliability"
    }  # fmt: skip


def test_a_stage_that_adds_nothing_to_the_report_has_its_numbers_there(made_up: MadeUp, tmp_path: Path) -> None:
    """Its folder has no report.py: no section, but its rows, its budget and where they come from."""
    row = results.row("explore", results.metric("curved", on="test"), 1.5, unit="fraction", n=3)
    folder = tmp_path / "reports/cells/mnist/explore_shape/cnn"
    results.write(folder, budget={"explore_shape.mnist.points": 3}, metrics=[row])
    shutil.copytree(made_up.root / "budgets", tmp_path / "budgets")
    output = build(tmp_path, Plan({"explore_shape": ["cnn"]}, {}))
    (found,) = read_reproduced(output / "reproduced.csv").frame.to_dict("records")
    assert (found["metric"], found["on"], found["reproduced"]) == ("curved", "test", 1.5)
    text = (output / "report.md").read_text()
    assert re.search(r"`explore_shape` +\| CNN +\| 3 points", text)
    assert "`dvc repro explore_shape@mnist-cnn`" in text
    assert "curved" not in text


ROW = {"experiment": "fgn", "metric": "fooling_rate", "tau": 0.9, "unit": "fraction", "reproduced": 0.5, "low": None,
       "high": None, "n": 1, "interval": "none", "note": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "cool"}, "belongs to another cell"),
        ({"metrics": [{"metric": "x"}]}, "not a cell's summary"),
        ({"metrics": [ROW | {"note": 3}]}, "note is 3, not text"),
        ({"metrics": [ROW | {"low": float("inf")}]}, "low is inf"),
        ({"metrics": [ROW]}, "in fraction, but spigler2019"),
        ({"budget": 3}, "not a cell's summary"),
    ],
)
def test_a_broken_cell_is_named(made_up: MadeUp, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    shutil.copytree(made_up.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "reports/cells/mnist/fool_fgn/cnn/metrics.json"
    path.write_text(json.dumps(read_json(path) | change))
    with pytest.raises(OvergenError, match=message) as error:
        build(tmp_path, only(made_up.plan, "fool_fgn"))
    assert "reports/cells/mnist/fool_fgn/cnn/metrics.json" in str(error.value)


@pytest.mark.usefixtures("undrawn")
def test_a_data_set_that_no_paper_reports(tmp_path: Path) -> None:
    stages = ("train_classifier", "fool_fgn", "fool_gradient", "fool_evolution", "evaluate_confidence")
    plan = write_study(tmp_path, "digits", stages=stages)
    output = build(tmp_path, plan, "digits")
    frame = read_reproduced(output / "reproduced.csv").frame
    text = (output / "report.md").read_text()
    assert (frame["value"] == "").all()
    assert (frame["verdict"] == "").all()
    assert not any("reported" in head for head in lines_of((output / "tables/fooling.md").read_text())[0])
    assert "As Tables 1 and 2 of the paper" in text
    assert "Reported, not measured" not in text
    assert not (output / "tables/orderings.md").exists()
    assert "10 epochs, 1 seed, 4 trials a class, 500 updates" in set(frame["budget"])


@pytest.mark.usefixtures("undrawn")
def test_a_report_at_the_papers_budget(tmp_path: Path) -> None:
    plan = write_study(tmp_path, full=True, stages=("train_classifier", "evaluate_confidence"))
    output = build(tmp_path, plan)
    text = (output / "report.md").read_text()
    assert "All cells were run at the papers' budget or above it." in text
    assert "Below the papers' budget" not in text
    assert re.search(r"▼ +\| differs \(lower\) +\| 9", text)  # the accuracies of three models at three τ


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_called_reproduced_below_the_papers_budget(made_up: MadeUp, tmp_path: Path) -> None:
    """But numbers that a paper gives without a budget, which is said where there are any."""
    shutil.copytree(made_up.root, tmp_path, dirs_exist_ok=True)
    said = "nothing is called reproduced but what a paper gives without a budget"
    assert said in made_up.text()
    output = build(tmp_path, only(made_up.plan, "train_classifier", "fool_fgn", "evaluate_confidence"))
    assert said not in (output / "report.md").read_text()
    verdicts = read_reproduced(output / "reproduced.csv").frame["verdict"]
    assert not verdicts.isin(["reproduced", "differs (higher)", "differs (lower)"]).any()


def test_the_caption_names_the_networks_with_a_test_curve(made_up: MadeUp) -> None:
    text = made_up.text()
    assert re.search(r"on the test images: after each epoch of CNN, and after the last of COOL, dAE sym: no", text)
