"""None"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overgen import OvergenError
from overgen.report.budgets import of_model, paper_budget
from overgen.report.compare import compare
from overgen.report.reported import COLUMNS, FILE, load
from overgen.run import params
from overgen.run.files import write_json
from overgen.run.results import Cell

ROOT = Path(__file__).parents[2]


GOOD = "spigler2019,Table 1,fgn,mnist,cnn,fooling_rate,0.9,34.5,percent,200 trials"


def write(folder: Path, *lines: str, header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "reported.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_papers_numbers_are_whole() -> None:
    frame = load()
    assert len(frame) == len(FILE.read_text(encoding="utf-8").splitlines()) - 1
    tables = frame[frame["where"].isin(["Table 1", "Table 2"]) & (frame["source"] == "spigler2019")]
    # Four and three models; accuracy at three thresholds and the rate at two; mean steps where the rate is not zero.
    rates = tables[tables["metric"] == "fooling_rate"]
    assert len(tables) == 7 * 5 + (rates["value"] > 0).sum()
    assert (rates["n"] == 200).all()
    # Every rate is a whole number of 200 trials.
    assert ((rates["value"] * 2) % 1 == 0).all()
    accuracies = tables[tables["metric"] == "thresholded_accuracy"]
    assert (accuracies["n"] == 10_000).all()


def test_what_a_number_is_worth() -> None:
    frame = load()
    cool = frame[(frame["where"] == "Table 1") & (frame["model"] == "cool") & (frame["tau"] == 0.9)]
    steps = cool[cool["metric"] == "mean_steps_to_fool"].iloc[0]
    assert (steps["value"], steps["text"], steps["rounding"], steps["n"]) == (238.8, "238.8", 0.05, 69)
    figure = frame[frame["metric"] == "f_measure@known=3"].iloc[0]
    assert (figure["n"], figure["unit"]) == (10, "fraction")
    one_class = frame[(frame["experiment"] == "one_class") & (frame["source"] == "spigler2019")]
    assert (one_class["n"] == 10).all()
    assert one_class["metric"].value_counts()["auroc"] == 6
    assert (frame.loc[frame["metric"].str.startswith("f_measure_deviation"), "n"] == 10).all()
    assert frame.loc[frame["source"] == "kardan2017", "n"].isna().all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace("34.5", "many"), "line 2, value: 'many' is not a number"),
        (GOOD.replace("34.5", "134.5"), r"line 2, value: 134.5 must lie in 0\.\.100"),
        (GOOD.replace("34.5", "-1"), "line 2, value: -1 must lie"),
        (GOOD.replace("34.5", "nan"), "line 2, value: nan must lie"),
        (GOOD.replace("34.5", ""), "line 2, value: empty"),
        (GOOD.replace(",0.9,", ",90,"), "line 2, tau: 90 must lie"),
        (GOOD.replace("percent", "parsec"), "line 2, unit: 'parsec' is unknown; there are percent"),
        (GOOD.replace("mnist", ""), "line 2, dataset: empty"),
        (GOOD + ",more", "line 2: 11 fields, must be 10"),
        (GOOD + '"', "line 2"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(OvergenError, match=message) as error:
        load(write(tmp_path, line if '"' not in line else line.replace("200", '"200"x')))
    assert "reported.csv" in str(error.value)


def test_wrong_columns_and_repeated_numbers(tmp_path: Path) -> None:
    with pytest.raises(OvergenError, match="line 1: column 'place' for 'where'"):
        load(write(tmp_path, GOOD, header=",".join(COLUMNS).replace("where", "place")))
    with pytest.raises(OvergenError, match="line 1: column 'more' for ''"):
        load(write(tmp_path, GOOD, header=",".join([*COLUMNS, "more"])))
    with pytest.raises(OvergenError, match="line 3: the number of line 2 again"):
        load(write(tmp_path, GOOD, GOOD.replace("34.5", "35")))
    assert load(write(tmp_path, GOOD))["tau"].tolist() == [0.9]
    assert len(load(write(tmp_path))) == 0


def test_the_papers_budget_fits_params() -> None:
    budget = paper_budget(ROOT / "budgets/paper.txt")
    assert budget["fool_fgn.mnist.updates"] == 10_000
    assert budget["train_classifier.fashion_mnist.seeds"] == 1  # a list counts by its length
    study = params.load(ROOT / "params.yaml")
    for key in budget:
        value: Any = study
        for name in key.partition("@")[0].split("."):
            value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        assert value is not None, f"{key} is no key of params.yaml"


def test_a_budget_may_differ_by_model(tmp_path: Path) -> None:
    path = tmp_path / "paper.txt"
    path.write_text("train.epochs={cnn: 100, lenet: 20}\ntrain.seeds=[0]\n")
    paper = paper_budget(path)
    assert of_model(paper, "cnn") == {"train.epochs": 100, "train.seeds": 1}
    assert of_model(paper, "lenet") == {"train.epochs": 20, "train.seeds": 1}
    assert of_model(paper, "resnet") == {"train.seeds": 1}  # no paper's


@pytest.mark.parametrize(
    "line",
    ["train.epochs", "train.epochs={cnn: many}", "train.epochs=many", "train.epochs=", "train.epochs=true", "x=[1"],
)
def test_a_wrong_budget_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "paper.txt"
    path.write_text(f"# comment\n\na.b=3 # of\n{line}\n")
    with pytest.raises(OvergenError, match=r"paper\.txt, line 4: .* is not key=number"):
        paper_budget(path)
    with pytest.raises(OvergenError, match="missing"):
        paper_budget(tmp_path / "none.txt")


def test_a_cell_names_itself(tmp_path: Path) -> None:
    cell = Cell("mnist", "fool_fgn", "cnn", tmp_path)
    assert cell.path == "reports/cells/mnist/fool_fgn/cnn"
    with pytest.raises(OvergenError, match=r"metrics\.json: missing; `dvc repro fool_fgn@mnist-cnn` makes it"):
        _ = cell.summary
    with pytest.raises(OvergenError, match=r"trials\.csv: missing; `dvc repro fool_fgn@mnist-cnn` makes it"):
        cell.table("trials")
    (tmp_path / "trials.csv").write_text("")
    with pytest.raises(OvergenError, match=r"fool_fgn/cnn/trials\.csv: not CSV"):
        cell.table("trials")


@pytest.mark.parametrize(
    ("metric", "found", "expected"),
    [
        ("median_confidence@generation=200", 99.99995, "agrees at reduced budget"),  # "at least" 99.99
        ("median_confidence@generation=200", 98.0, "differs at reduced budget (lower)"),
        ("generations_to_0.9999", 20.0, "agrees at reduced budget"),  # "at most" 50
        ("generations_to_0.9999", 80.0, "differs at reduced budget (higher)"),
        ("generations_to_0.9999", 55.0, "agrees at reduced budget"),  # within 25 % of the bound
    ],
)
def test_a_number_that_is_a_bound_agrees_with_what_lies_beyond_it(
    tmp_path: Path, metric: str, found: float, expected: str
) -> None:
    row = {"experiment": "evolution_direct", "metric": metric, "tau": None, "interval": "", "note": "", "n": 50,
           "unit": "generations" if "to" in metric else "percent", "reproduced": found, "low": found - 0.001,
           "high": found + 0.001}  # fmt: skip
    cell = Cell("mnist", "fool_evolution", "lenet", tmp_path)
    summary = {"dataset": "mnist", "stage": "fool_evolution", "model": "lenet", "metrics": [row], "budget": {"runs": 5}}
    write_json(tmp_path / "metrics.json", summary)
    frame = compare([cell], load(), {"runs": 50}, {"median_confidence": 0.5, "generations_to_0_9999": "25 %"})
    assert frame["verdict"].tolist() == [expected]
