"""`overgen budget`: values of a file set in params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen import OvergenError
from overgen.report.budgets import at_paper_budget, paper_budget
from overgen.run import budget, params

from params_text import change, dvc_value
from workspace import ROOT


def test_budgets_change_what_they_name_and_nothing_else(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    lines = ["# a comment", "", "fool_fgn.digits.learning_rate=1e-5", "fool_gradient.mnist.check = 7 # seven"]
    (project / "mine.txt").write_text("\n".join([*lines, "engine.digits.precision=bf16-mixed"]))
    budget.set_budgets(project / "mine.txt", project / "params.yaml")
    after = params.load(project / "params.yaml")
    assert (after.fool_fgn["digits"].learning_rate, after.fool_gradient["mnist"].check) == (1e-5, 7)
    expected = before.replace('precision: "32"', "precision: bf16-mixed")  # and 1.0e-5, which is 1e-5, stays
    place = expected.index("check: 20", expected.index("restarts: 17"))
    assert (project / "params.yaml").read_text() == f"{expected[:place]}check: 7{expected[place + len('check: 20') :]}"


@settings(max_examples=12, deadline=None)
@given(st.floats(0, exclude_min=True, allow_infinity=False), st.sampled_from(["{!r}", "{:e}", "{:.3E}", "{:g}"]))
def test_budgets_survive_the_round_trip(tmp_path_factory: pytest.TempPathFactory, rate: float, form: str) -> None:
    project = tmp_path_factory.mktemp("budget")
    for name in ("params.yaml", "dvc.yaml"):
        (project / name).write_text((ROOT / name).read_text())
    text = form.format(rate)
    (project / "mine.txt").write_text(f"fool_fgn.digits.learning_rate={text}\n")
    if float(text) == 0 or float(text) == float("inf"):
        return
    if not isinstance(dvc_value(f"a: {text}")["a"], float):  # "1" is an integer
        assert float(text) == int(float(text))
    budget.set_budgets(project / "mine.txt", project / "params.yaml")
    assert params.load(project / "params.yaml").fool_fgn["digits"].learning_rate == float(text)
    assert dvc_value((project / "params.yaml").read_text())["fool_fgn"]["digits"]["learning_rate"] == float(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nothing.here=1", "line 2: params.yaml has no nothing.here"),
        ("report.dpi=-4", "line 2, report.dpi: Input should be greater than or equal to 50 (found -4)"),
        ("report.dpi", "line 2: 'report.dpi' is not key=value"),
        ("report.dpi=[1", "line 2, report.dpi: not YAML"),
        ("report.dpi=1e-05", "line 2, report.dpi: Input should be a valid integer (found 1e-05)"),
        ("report_page={dpi: 3}", "line 2, report_page.dpi: Input should be greater than or equal to 50"),
        ("train_classifier.digits={epochs: ten, seeds: [0]}", "line 2, train_classifier.digits.epochs: "),
        ("train_rings.seeds=[0]", "line 2: train_rings.seeds stands on line 1 already"),
        ("attacked=[cnn, cnn]", "line 2, attacked.1: 'cnn' is named twice"),
        ("models.cnn={network: src/own/a.py:B}", "line 2, models.cnn: src/own/a.py:B: between brackets"),
    ],
)
def test_errors_of_budgets_name_the_users_file(project: Path, line: str, message: str) -> None:
    before = (project / "params.yaml").read_text()
    (project / "mine.txt").write_text(f"train_rings.seeds=[0, 1]\n{line}\n")
    with pytest.raises(OvergenError) as caught:
        budget.set_budgets(project / "mine.txt", project / "params.yaml")
    assert str(caught.value).replace(f"{project}/", "").startswith(f"mine.txt, {message}")
    assert (project / "params.yaml").read_text() == before
    with pytest.raises(OvergenError, match=r"no\.txt: cannot be read"):
        budget.set_budgets(project / "no.txt", project / "params.yaml")


def test_a_value_that_stands_for_others_too_is_not_changed_in_its_place(project: Path) -> None:
    change(project, "digits: {beta: 10,", "digits: {beta: &b 10,")
    change(project, "mnist: {beta: 10,", "mnist: {beta: *b,")
    (project / "mine.txt").write_text("confidence.mnist.beta=5\n")
    with pytest.raises(OvergenError, match=r"mine\.txt, line 1: .*confidence\.mnist\.beta cannot be set in"):
        budget.set_budgets(project / "mine.txt", project / "params.yaml")


def test_the_papers_budgets_are_settable(project: Path) -> None:
    """Every key of budgets/paper.txt exists, takes its value, and is not below what is run."""

    def amount(value: Any) -> float:
        if isinstance(value, dict):  # by model
            return max(map(amount, value.values()))
        return len(value) if isinstance(value, list) else float(value)

    before = params.load(project / "params.yaml")
    budgets = budget.set_budgets(ROOT / "budgets/paper.txt", project / "params.yaml")
    assert len(budgets) > 10
    for key, paper in budgets.items():
        assert amount(paper) >= amount(params.value_at(before.sections, key)), key
    after = params.load(project / "params.yaml")
    assert all(params.plain(params.value_at(after.sections, key)) == paper for key, paper in budgets.items())


def test_a_referees_budgets_are_settable_and_go_beyond_the_papers(project: Path) -> None:
    """Five seeds of every network that is attacked, in every section that has seeds of such."""
    before = params.load(project / "params.yaml")
    budgets = budget.set_budgets(ROOT / "budgets/referee.txt", project / "params.yaml")
    after = params.load(project / "params.yaml")
    for stage in ("train_classifier", "train_autoencoder", "train_variants", "remove_gate"):
        for dataset, section in getattr(after, stage).items():
            if dataset != "digits":
                assert section.seeds == [0, 1, 2, 3, 4], f"{stage}.{dataset}"
    papers = paper_budget(ROOT / "budgets/paper.txt")
    for key, value in budgets.items():
        amount = len(value) if isinstance(value, list) else value
        assert amount >= papers.get(key, 0), key
        assert params.plain(params.value_at(after.sections, key)) == value
    # one seed is no less than what the papers state
    seeds = {key: len(params.value_at(before.sections, key)) for key in budgets if key.endswith(".seeds")}
    assert set(seeds.values()) == {1}
    assert at_paper_budget(seeds, papers)
