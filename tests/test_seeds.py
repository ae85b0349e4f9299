"""Three seeds of each network, from training through the attacks to the report's tables."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overgen import rescoring
from overgen.measures.intervals import wilson
from overgen.report import modules, seeds
from overgen.report.build import build_report
from overgen.report.study import Study, read_study
from overgen.run import params
from overgen.run.files import read_npz
from overgen.run.plans import Plan, plans
from report_study import BANDS, lines_of

from workspace import ROOT, inside, make_workspace, run_stage

SEEDS = [0, 1, 2]
ATTACKS = ("fool_fgn", "fool_gradient", "fool_evolution")
CELLS = {
    "train_classifier": ["cnn"],
    "train_autoencoder": ["dae_sym"],
    "fool_fgn": ["cnn", "dae_sym"],
    "fool_gradient": ["cnn", "dae_sym"],
    "fool_evolution": ["cnn", "dae_sym"],
    "evaluate_fooling": ["cnn", "dae_sym"],
    "evaluate_confidence": ["cnn"],
    "evaluate_calibration": ["cnn"],
}
RATES = [(attack, model) for attack in ATTACKS for model in CELLS[attack]]
STEEP = {"objective": "cross_entropy", "learning_rate": 0.1, "updates": 8}
CHANGES = {
    "train_classifier.digits": {"epochs": 1, "seeds": SEEDS},
    "train_autoencoder.digits": {"epochs": 1, "seeds": SEEDS},
    "confidence.digits.thresholds": [{"tau": 0.2, "alpha": 20}, {"tau": 0.4, "alpha": 3}],
    "fool_fgn.digits.models": {"cnn": {}, "dae_sym": {"scaled": [3]}},
    "fool_fgn.digits.updates": {"cnn": 20, "dae_sym": 3},
    "fool_gradient.digits": {"restarts": 1, "starts": ["noise"], "check": 2, "block": 10, "attacks": [STEEP]},
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A workspace in which every network has three seeds, and the cells that hang on them."""
    path = make_workspace(tmp_path_factory.mktemp("seeds") / "workspace", digits, **CHANGES)
    for stage, models in CELLS.items():
        for model in models:
            run_stage(path, stage, model=model)
    return path


@pytest.fixture(scope="module")
def numbers(three: Path) -> Study:
    settings = plans(three)["digits"].settings
    return read_study(Plan(CELLS, settings), "digits", three, bands=BANDS)


@pytest.fixture(scope="module")
def report(three: Path, numbers: Study) -> Iterator[Path]:
    with inside(three):
        build_report(numbers, three / "reports/digits", dpi=40)
    return three / "reports/digits"


def hits(cell: Path, row: pd.Series) -> pd.Series:
    """By seed how many trials of a rate fooled, and how many there are: straight from the trials."""
    trials = pd.read_csv(cell / "trials.csv")
    if row["experiment"].startswith("evolution"):
        own = trials[trials["encoding"] == row["experiment"].removeprefix("evolution_")]
        fooled = own["confidence"] > row["tau"]
    elif row["experiment"] == "gradient":
        own = trials[trials["tau"] == row["tau"]]
        fooled = own["step"].notna()
    else:
        own = trials[trials["objective"] == ("y" if row["experiment"] == "fgn" else "scaled")]
        (column,) = (name for name in trials if name.startswith(f"step@tau={row['tau']:g},"))
        fooled = own[column].notna()
    return fooled.groupby(own["seed"]).agg(["sum", "size"])


def rates_of(cell: Path) -> pd.DataFrame:
    """The rows of a cell that are fooling rates."""
    rows = pd.DataFrame(json.loads((cell / "metrics.json").read_text())["metrics"])
    return rows[rows["metric"].str.fullmatch("fooling_rate(@start=noise)?")]


@pytest.mark.parametrize(("attack", "model"), RATES)
def test_a_rate_is_a_mean_over_seeds_with_their_bootstrap(three: Path, attack: str, model: str) -> None:
    """Of three seeds the lowest is drawn three times in 1 of 27 draws, more than 2.5 %: so the ends are the lowest and
    the highest rate, unless the Wilson interval of all trials is wider."""
    cell = three / "reports/cells/digits" / attack / model
    rows = rates_of(cell)
    assert len(rows) >= 2
    for _, row in rows.iterrows():
        found = hits(cell, row)
        assert list(found.index) == SEEDS
        rates = 100 * found["sum"] / found["size"]
        low, high = (100 * end for end in wilson(int(found["sum"].sum()), int(found["size"].sum())))
        assert row["reproduced"] == pytest.approx(rates.mean())
        assert row["n"] == found["size"].sum()
        assert (row["low"], row["high"]) == pytest.approx((min(rates.min(), low), max(rates.max(), high)))
        assert row["interval"].startswith("95 % bootstrap over 3 seeds")


def test_seeds_differ_somewhere(three: Path) -> None:
    """Else no test here could tell a mean over seeds from seed 0."""
    spread = [
        np.ptp(found["sum"] / found["size"])
        for attack, model in RATES
        for cell in [three / "reports/cells/digits" / attack / model]
        for found in [hits(cell, row) for _, row in rates_of(cell).iterrows()]
    ]  # fmt: skip
    assert sum(value > 0 for value in spread) >= 3


@pytest.mark.parametrize(
    ("name", "attack"),
    [("fooling_by_seed", "fool_fgn"), ("gradient_by_seed", "fool_gradient"), ("evolution_by_seed", "fool_evolution")],
)
def test_the_report_has_the_rates_of_each_seed(report: Path, three: Path, name: str, attack: str) -> None:
    listed = pd.read_csv(report / f"tables/{name}.csv")
    expected = []
    for model in CELLS[attack]:
        cell = three / "reports/cells/digits" / attack / model
        for _, row in rates_of(cell).iterrows():
            expected += [(model, row["tau"], seed, k, n) for seed, k, n in hits(cell, row).itertuples()]
    found = listed[["model", "tau", "seed", "fooled", "trials"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(expected)
    head, *lines = lines_of((report / f"tables/{name}.md").read_text())
    assert head[3:6] == ["seed 0, %", "seed 1, %", "seed 2, %"]
    assert len(lines) == len(expected) / 3
    for line in lines:
        mean = float(re.match(r"[\d.]+", line[6])[0])  # type: ignore[index]
        assert mean == pytest.approx(np.mean([float(text) for text in line[3:6]]), abs=0.11)
    assert f"tables/{name}.csv" in (report / "report.md").read_text()


def test_the_report_says_what_hangs_on_seed_0(report: Path, numbers: Study) -> None:
    """The section of calibration alone, of those here; its budget counts one seed, those of the attacks three."""
    text = (report / "report.md").read_text()
    sections = {part.partition("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)}
    assert [head for head, part in sections.items() if "CNN: seed 0 alone." in part] == [
        head for head in sections if head.startswith("Does calibration change")
    ]
    assert "3 for CNN, dAE sym" in text
    assert seeds.ONE_SEED not in text
    written = pd.read_csv(report / "reproduced.csv")
    stages = written["cell"].str.split("/").str[3]
    spent = {stage: set(own["budget"].str.extract(r"(\d+ seeds?)")[0]) for stage, own in written.groupby(stages)}
    assert spent.pop("evaluate_calibration") == {"1 seed"}
    assert set.union(*spent.values()) == {"3 seeds"}
    assert seeds.counts(numbers) == {"cnn": 3, "dae_sym": 3}
    of_first = {stage for stage, own in written.groupby(stages) if seeds.seed_0(numbers, own.iloc[0].to_dict())}
    assert of_first == {"evaluate_calibration"}


def test_the_images_of_every_seed_are_scored_again(three: Path) -> None:
    """A score of seed 2's that is not its network's is found."""
    with inside(three):
        settings = params.load("params.yaml")
        found = {each.cell.split("/")[3]: each for each in rescoring.rescore("digits", "dae_sym", settings)}
        cell = Path("reports/cells/digits/fool_gradient/dae_sym")
        trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
        of_last = trials.iloc[kept["trial"]].query("seed == 2")
        assert len(of_last) > 0
        assert max(each.difference for each in found.values()) < 1e-5
        examples = read_npz(cell / "examples.npz")["score"].size
        assert found["fool_gradient"].images == examples + len(kept["trial"])
        before = (cell / "trials.csv").read_text()
        trials.loc[of_last.index[0], "score_in_8_bits"] += 0.01
        trials.to_csv(cell / "trials.csv", index=False)
        changed = {each.cell.split("/")[3]: each for each in rescoring.rescore("digits", "dae_sym", settings)}
        (cell / "trials.csv").write_text(before)
    assert changed["fool_gradient"].difference == pytest.approx(0.01, abs=1e-4)


def test_a_stage_that_loads_one_network_of_a_model_says_so() -> None:
    """Each stage whose code asks for a trained network without a seed, and uses it, has FIRST_SEED in its report.py."""
    found = set()
    for path in ROOT.glob("src/overgen/stages/*/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Assign | ast.Return | ast.Expr | ast.For):
                continue
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
            loads = [call for call in calls if ast.unparse(call.func) == "registry.trained" and len(call.args) == 2]
            text = ast.unparse(node)
            only_metadata = text.startswith("_, ") or "[1][" in text
            if (loads and not only_metadata) or "attacked.seeds[0]" in text:
                found.add(path.parent.name)
    assert {"evaluate_unknowns", "evaluate_calibration", "attack_scores", "explore_paths"} <= found
    asks = {"evaluate_fooling"}  # the judge is of seed 0, what fooled of all: its text says so itself
    assert found - asks <= {stage for stage in found if modules.of_first_seed(stage)}
