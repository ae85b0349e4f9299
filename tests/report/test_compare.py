"""Measured beside reported: what is joined, judged, counted and missed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overgen import OvergenError
from overgen.measures.intervals import wilson
from overgen.report import budgets, overview, reported
from overgen.report.compare import compare, of_one_network
from overgen.report.names import START_NOTE, legend
from overgen.report.study import Study, read_study
from overgen.report.tables import measured
from overgen.run import results
from overgen.run.results import Cell
from overgen.stages.fool_fgn.report import hangs_on_the_start
from report_study import BANDS, lines_of, write_study

from workspace import ROOT

PAPER = budgets.paper_budget(ROOT / "budgets/paper.txt")


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The made-up study; its report is not drawn."""
    root = tmp_path_factory.mktemp("compared")
    return read_study(write_study(root), "mnist", root, bands=BANDS)


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

    assert verdict("cnn", "fooling_rate", "0.9") == "cannot tell"  # 40 of 40 may be 91 %
    assert verdict("cool", "fooling_rate", "0.9").startswith("not testable: what y is")
    assert verdict("cnn", "mean_steps_to_fool", "0.9") == "differs at reduced budget (higher)"
    assert verdict("dae_sym", "fooling_rate", "0.9") == "cannot tell"
    # COOL's attack on ỹ is measured as that on y: the paper has 0 %, here 12 of 40
    assert verdict("cool", "fooling_rate", "0.99", "fgn_on_scaled_output") == "differs at reduced budget (higher)"
    assert verdict("dae_sym", "mean_steps_to_fool", "0.99", "fgn_on_scaled_output").startswith("not testable: no trial")
    better = made_up.find(experiment="open_set", model="cnn", metric="f_measure", known="1", tau="0.99")
    assert better is not None
    assert better["verdict"] == "differs at reduced budget (higher)"
    assert set(made_up.frame["budget"]) >= {
        "10 of 100 epochs, 1 seed, 4 of 20 trials a class, 500 of 10,000 updates",
        "10 of 100 epochs, 2 of 10 class subsets",
    }


def test_a_reported_network_is_one_more_seed() -> None:
    """The rates of four networks are 40 % ± 10 points in the mean: one alone may be √5 times as far from it."""
    row = {"reproduced": 40.0, "low": 30.0, "high": 52.0, "unit": "percent", "note": ""}
    several = row | {"interval": "95 % bootstrap over 4 seeds, no narrower than Wilson over all trials"}
    assert of_one_network(several) == pytest.approx((40 - 10 * 5**0.5, 40 + 12 * 5**0.5))
    assert of_one_network(several | {"low": 10.0, "high": 95.0}) == (0, 100)
    assert of_one_network(row | {"interval": "", "note": several["interval"]}) == of_one_network(several)
    for kind in ("95 % Wilson over 200 trials; seed spread not measured", "95 % t prediction interval over 4 seeds"):
        assert of_one_network(row | {"interval": kind}) == (30, 52)
    assert of_one_network(several | {"low": None, "high": None}) == (None, None)


def test_one_of_five_networks_that_reaches_the_reported_rate_is_no_difference(tmp_path: Path) -> None:
    """The paper's CNN is always fooled, as one of five here is: beyond the interval of their mean, not of a network."""
    root = tmp_path / "root"
    plan = write_study(root, full=True, stages=["fool_fgn", "train_classifier", "train_autoencoder"])
    metric = {"experiment": "fgn", "model": "cnn", "metric": "fooling_rate", "tau": "0.9"}
    made = results.rate_row("fgn", "fooling_rate", [200, 180, 120, 190, 195], 200, of="trials", tau=0.9)
    path = root / "reports/cells/mnist/fool_fgn/cnn/metrics.json"
    cell = json.loads(path.read_text())
    cell["metrics"] = [made if (r["experiment"], r["metric"], r["tau"]) == ("fgn", "fooling_rate", 0.9) else r
                       for r in cell["metrics"]]  # fmt: skip
    path.write_text(json.dumps(cell))
    found = read_study(plan, "mnist", root, bands={**BANDS, "fooling_rate": 1}).find(**metric)
    assert found is not None
    assert (found["value"], found["low"], found["high"]) == ("100", 74, 98)
    assert found["verdict"] == "cannot tell"


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
    return Study(compare(grid["fool_fgn"].values(), papers, PAPER, BANDS), "mnist", grid, {}, papers, PAPER, BANDS)


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
    rates = {"cnn": (200, 180), "cool": (69, 60), "dae_sym": (0, 0)}
    rows = {
        m: [rate("fooling_rate", k, tau) for k, tau in zip(ks, (0.9, 0.99), strict=True)] for m, ks in rates.items()
    }
    found = {line[0]: line[3] for line in lines_of(overview.orderings(study_of(tmp_path, rows, FULL)).markdown)[1:]}
    assert found["COOL is fooled less often than CNN, τ = 0.9"] == "not testable: what y is"
    assert found["dAE sym is fooled less often than CNN, τ = 0.9"] == "reproduced"
    assert found["dAE sym is fooled less often than CNN, τ = 0.99"] == "direction only"
    assert len(found) == 6
    (adaptive,) = {line[4] for line in lines_of(overview.orderings(study_of(tmp_path, rows, FULL)).markdown)[1:]}
    assert adaptive == "–, –"  # no attack on ỹ was run
    swapped = {"cnn": rows["dae_sym"], "dae_sym": rows["cnn"]}
    (line, _) = lines_of(overview.orderings(study_of(tmp_path, swapped, FULL)).markdown)[1:]
    assert line[1:] == ["0 % < 100 %", "100.0 %, 0.0 %", "reversed", "–, –"]


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


def test_a_metric_without_a_band_is_named(tmp_path: Path) -> None:
    results.write(
        folder := tmp_path / "reports/cells/mnist/fool_fgn/cnn", budget={}, metrics=[rate("fooling_rate", 9, 0.9)]
    )
    with pytest.raises(OvergenError, match=r"report.bands: has none for fooling_rate, which spigler2019 \(Table 1\)"):
        compare([Cell("mnist", "fool_fgn", "cnn", folder)], reported.load(), PAPER, {"auroc": 0.02})
    nothing_reported = reported.load()[:0]
    assert len(compare([Cell("mnist", "fool_fgn", "cnn", folder)], nothing_reported, PAPER, {})) == 1


def test_every_number_of_the_papers_that_is_measured_has_a_band(made_up: Study) -> None:
    assert set(made_up.frame.loc[made_up.frame["value"] != "", "metric"]) <= set(BANDS)


def test_a_number_that_is_measured_as_another_experiment_stands_in_both(made_up: Study) -> None:
    """ỹ = y of COOL: of its attack on y the number that the paper reports of the one on ỹ is there, and no other."""
    other = made_up.rows(experiment="fgn_on_scaled_output", model="cool")
    (row,) = other.to_dict("records")
    own = made_up.find(experiment="fgn", model="cool", metric="fooling_rate", tau="0.99")
    assert own is not None
    assert (row["text"], row["tau"], row["value"]) == ("fooling_rate", "0.99", "0")
    assert [row[name] for name in ("reproduced", "low", "high", "n", "cell", "md5")] == [
        own[name] for name in ("reproduced", "low", "high", "n", "cell", "md5")
    ]
    assert "ỹ = y of COOL" in row["note"]


def test_a_rate_hangs_on_the_start_where_a_variant_of_it_differs(tmp_path: Path) -> None:
    """Only variants that begin elsewhere count, only beyond their intervals, and only for the same number."""

    def notes(*variants: tuple[str, int]) -> list[str]:
        rows = [rate("fooling_rate", 100, 0.9), rate("fooling_rate", 100, 0.99)]
        rows += [rate("fooling_rate", k, 0.9) | {"experiment": name} for name, k in variants]
        study = study_of(tmp_path, {"cnn": rows, "cool": rows[:2]}, FULL)
        found = hangs_on_the_start(study)
        assert not found[study.frame["experiment"] != "fgn"].any()
        return found[(study.frame["experiment"] == "fgn") & (study.frame["source"] != "kardan2017")].tolist()

    assert notes(("fgn_input_normal", 10)) == [START_NOTE, "", "", ""]
    assert notes(("fgn_initial_0.06", 195)) == [START_NOTE, "", "", ""]
    assert notes(("fgn_input_normal-initial_glorot", 10)) == [START_NOTE, "", "", ""]
    assert notes(("fgn_input_normal", 105)) == ["", "", "", ""]  # within the intervals
    assert notes(("fgn_lr_1e-3", 10)) == notes(("fgn_input_normal-lr_1e-3", 10)) == ["", "", "", ""]  # no other start


def test_a_mark_of_the_start_is_shown_with_its_legend(made_up: Study) -> None:
    found = made_up.find(experiment="fgn", model="cnn", metric="fooling_rate", tau="0.9")
    assert found is not None
    marked = {**found, "note": f"more; {START_NOTE}"}
    assert measured(marked).replace("†", "") == measured(found)
    assert "†" in measured(marked)
    assert measured({**marked, "verdict": ""}).split()[0] == "100.0†"
    assert legend([found["verdict"]], ["", marked["note"]]) == f"○ cannot tell; † {START_NOTE}"
    assert "†" not in legend([found["verdict"]], [""])


def test_how_the_verdicts_of_a_report_are_counted(made_up: Study) -> None:
    text = overview.verdict_counts(made_up)
    judged = made_up.frame[(made_up.frame["verdict"] != "") & ~made_up.frame["verdict"].str.startswith("not testable")]
    assert f"Of {len(judged)} such verdicts up to {(1 - 0.95) * len(judged):.1f} (5 %)" in text
    assert f"; {judged['verdict'].str.startswith('differs').sum()} are" in text
    assert "trials that fool ±5 percentage points" in text
    assert "mean steps to fool ±25 %" in text
    assert overview.verdict_counts(replace(made_up, frame=made_up.frame.assign(verdict=""))) == ""
