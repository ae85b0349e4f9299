"""Measured beside reported: what is joined, judged, counted and missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overgen.measures.intervals import wilson
from overgen.report import budgets, overview, reported
from overgen.report.compare import compare
from overgen.report.study import Study, read_study
from overgen.run import results
from overgen.run.results import Cell
from report_study import lines_of, write_study

from workspace import ROOT

PAPER = budgets.paper_budget(ROOT / "budgets/paper.txt")


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The made-up study; its report is not drawn."""
    root = tmp_path_factory.mktemp("compared")
    return read_study(write_study(root), "mnist", root)


def test_reported_numbers_stand_beside_theirs(made_up: Study) -> None:
    of = {"experiment": "fgn", "model": "cool", "metric": "fooling_rate"}
    found = made_up.find(**of, tau="0.9")
    assert found is not None
    assert (found["value"], found["source"], found["where"]) == ("34.5", "spigler2019", "Table 1")
    both = made_up.rows(**of, tau="0.99")
    assert sorted(both["source"]) == ["kardan2017", "spigler2019"]
    main = made_up.find(**of, tau="0.99")
    assert main is not None
    assert main["source"] == "spigler2019"
    other = both[both["source"] == "kardan2017"]["verdict"].iloc[0]
    assert other.startswith("not testable: sigmoid units")
    frame = made_up.frame
    assert (frame[frame["source"] == ""]["verdict"] == "").all()
    assert (frame[frame["source"] != ""]["verdict"] != "").all()
    assert "sigmoid units" in overview.not_testable(made_up)


def test_verdicts_below_the_papers_budget(made_up: Study) -> None:
    def verdict(model: str, metric: str, tau: str, experiment: str = "fgn") -> str:
        found = made_up.find(experiment=experiment, model=model, metric=metric, tau=tau)
        assert found is not None
        return found["verdict"]

    assert verdict("cnn", "fooling_rate", "0.9") == "agrees at reduced budget"
    assert verdict("cool", "fooling_rate", "0.9") == "agrees at reduced budget"
    assert verdict("cnn", "mean_steps_to_fool", "0.9") == "differs at reduced budget"
    assert verdict("dae_sym", "fooling_rate", "0.9") == "agrees at reduced budget"
    assert verdict("dae_sym", "mean_steps_to_fool", "0.99", "fgn_on_scaled_output").startswith("not testable: no trial")
    better = made_up.find(experiment="open_set", model="cnn", metric="f_measure", known="1", tau="0.99")
    assert better is not None
    assert better["verdict"] == "differs at reduced budget, better"
    assert set(made_up.frame["budget"]) >= {
        "10 of 100 epochs, 1 seed, 4 of 20 trials a class, 500 of 10,000 updates",
        "10 of 100 epochs, 2 of 10 class subsets",
    }


def rate(metric: str, k: int, tau: float, **more: Any) -> dict[str, Any]:
    low, high = wilson(k, 200)
    return results.row("fgn", metric, k / 2, unit="percent", n=200, tau=tau, interval=(100 * low, 100 * high),
                       kind="95 % Wilson") | more  # fmt: skip


def study_of(root: Path, metrics: dict[str, list[dict[str, Any]]], budget: dict[str, int]) -> Study:
    """A study of the FGN: rows by model."""
    grid: dict[str, dict[str, Cell]] = {"fool_fgn": {}}
    for model, rows in metrics.items():
        folder = root / "reports/cells/mnist/fool_fgn" / model
        results.write(folder, budget=budget, metrics=rows)
        grid["fool_fgn"][model] = Cell("mnist", "fool_fgn", model, folder)
    papers = reported.load()
    return Study(compare(grid["fool_fgn"].values(), papers, PAPER), "mnist", grid, {}, papers, PAPER)


FULL = {"train_classifier.mnist.epochs": 100, "fool_fgn.mnist.trials": 20, "fool_fgn.mnist.updates": 10_000}


def test_a_row_may_have_a_budget_of_its_own(tmp_path: Path) -> None:
    """It is judged by that, while the other rows of its cell are judged by the cell's."""
    own = {"budget": {"fool_fgn.mnist.updates": 2_000}}
    study = study_of(tmp_path, {"cnn": [rate("fooling_rate", 200, 0.9), rate("fooling_rate", 200, 0.99) | own]}, FULL)
    found = study.frame.set_index("tau")
    assert found.loc["0.9", "budget"] == "100 epochs, 20 trials a class, 10,000 updates"
    assert found.loc["0.99", "budget"] == "100 epochs, 20 trials a class, 2,000 of 10,000 updates"
    assert found.loc["0.9", "verdict"] == "reproduced"
    assert "reduced budget" in found.loc["0.99", "verdict"]
    scaled = rate("fooling_rate", 200, 0.99) | own | {"experiment": "fgn_on_scaled_output"}
    study = study_of(tmp_path, {"cnn": [rate("fooling_rate", 200, 0.9), scaled]}, FULL)
    _, first, second = lines_of(overview.budgets(study))
    assert [first[0], second[0]] == ["`fool_fgn`", "`fool_fgn`, on ỹ"]
    assert "2,000 of 10,000 updates" in second[2]


def test_orderings_at_the_papers_budget(tmp_path: Path) -> None:
    """Reproduced where both numbers are; "direction only" where the order alone holds; only where the papers differ."""
    rates = {"cnn": (200, 198), "cool": (69, 60), "dae_sym": (0, 0)}
    rows = {
        m: [rate("fooling_rate", k, tau) for k, tau in zip(ks, (0.9, 0.99), strict=True)] for m, ks in rates.items()
    }
    found = {line[0]: line[3] for line in lines_of(overview.orderings(study_of(tmp_path, rows, FULL)).markdown)[1:]}
    assert found["COOL is fooled less often than CNN, τ = 0.9"] == "reproduced"
    assert found["COOL is fooled less often than CNN, τ = 0.99"] == "direction only"
    assert found["dAE sym is fooled less often than COOL, τ = 0.9"] == "reproduced"
    assert len(found) == 6
    (adaptive,) = {line[4] for line in lines_of(overview.orderings(study_of(tmp_path, rows, FULL)).markdown)[1:]}
    assert adaptive == "–, –"  # no attack on ỹ was run
    swapped = {"cnn": rows["dae_sym"], "dae_sym": rows["cnn"]}
    (line, _) = lines_of(overview.orderings(study_of(tmp_path, swapped, FULL)).markdown)[1:]
    assert line[1:] == ["0 % < 100 %", "100.0 %, 0.0 %", "not reproduced", "–, –"]


def test_beside_an_ordering_stands_what_an_attack_on_the_confidence_does(made_up: Study) -> None:
    lines = lines_of(overview.orderings(made_up).markdown)[1:]
    fooled = {line[0]: line[4] for line in lines if "fooled" in line[0]}
    rows = [made_up.find(experiment="gradient", metric="fooling_rate", model=model, tau="0.9", start="noise")
            for model in ("dae_sym", "cnn")]  # fmt: skip
    assert fooled["dAE sym is fooled less often than CNN, τ = 0.9"] == ", ".join(
        "–" if row is None else f"{row['reproduced']:.1f} %" for row in rows
    )
    assert any(row is not None for row in rows)
    assert {line[4] for line in lines if "fooled" not in line[0]} == {"–"}


def test_what_no_cell_measures(made_up: Study) -> None:
    rows = overview.not_measured(made_up).rows
    joined = (made_up.frame["source"] != "").sum()
    assert len(rows) == (made_up.papers["dataset"] == "mnist").sum() - joined
    lines = lines_of(overview.not_measured(made_up).markdown)
    assert sum(int(line[-1]) for line in lines[1:]) == len(rows)


def test_the_cells_of_a_search_come_last_and_are_no_results(made_up: Study) -> None:
    cells = overview.provenance(made_up).rows["cell"].tolist()
    assert cells[-1] == "reports/cells/mnist/search_choices/cool"
    assert not made_up.frame["cell"].str.contains("search_choices").any()
