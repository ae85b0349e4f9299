"""Scores under attack: what is counted, by hand, and what is said of it at the borders that were set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.search import Ball
from overgen.models.cnn import CNN
from overgen.report.study import Study
from overgen.run import params
from overgen.scores.tensors import log_odds
from overgen.stages.attack_scores import attack, report, summary
from overgen.stages.attack_scores import score as stage_score
from overgen.stages.attack_scores.params import AttackScores, Attempt
from report_study import plan_of

from made_up import example_cell
from workspace import ROOT, set_params

NEVER = summary.NEVER
TRIALS = [("noise", target, 0) for target in range(4)]


def arrays(fooled: list[bool], **further: Any) -> dict[str, np.ndarray]:
    hit = np.array(fooled)
    of = {"fooled": hit, "attempt": np.where(hit, 1, NEVER), "step": np.where(hit, 7, NEVER),
          "flat": np.zeros(4, bool), "start": np.zeros(4, bool), "kept": np.arange(10) < 9,
          "black_box": np.array("")}  # fmt: skip
    return of | further


def test_an_image_counts_for_the_score_that_it_was_made_against_before_any_other() -> None:
    found = {
        "a": arrays([True, False, False, False]),
        "b": arrays([True, True, False, False]),
        "c": {"refused": np.array("no")},
    }
    judged = {"a": {"b": np.array([True, True, True, False])}, "b": {"a": np.array([False, False, True, False])}}
    table = summary.trial_table(TRIALS, ["autopgd", "adam"], found, judged)
    assert table.loc[table["method"] == "a", "by"].tolist() == ["a", "b", "b", ""]
    assert table.loc[table["method"] == "b", "by"].tolist() == ["b", "b", "a", ""]
    assert table["fooled"].tolist() == [True, True, True, False] * 2
    assert table["own"].tolist() == [True, False, False, False, True, True, False, False]
    assert table["attack"].tolist() == ["adam", "", "", "", "adam", "adam", "", ""]
    assert table["step"].tolist() == [7, NEVER, NEVER, NEVER, 7, 7, NEVER, NEVER]
    assert table["trial"].tolist() == [0, 1, 2, 3] * 2


def test_a_network_all_of_whose_scores_are_refused_has_a_cell_and_a_section(tmp_path: Path) -> None:
    study = of_cells(tmp_path, {"cnn": {"methods": (), "refused": {"a": "too few inputs"}}})
    (row,) = study.rows(experiment=summary.EXPERIMENT).to_dict("records")
    assert (row["method"], row["n"], row["note"]) == ("a", 0, "not testable: too few inputs")
    tables = study.cells("attack_scores")["cnn"]
    assert list(tables.table("trials"))[:3] == ["method", "trial", "start"]
    assert list(tables.table("radii")) == ["method", "direction", "image", "linf", "l2"]
    assert [claim(study) for claim in report.CLAIMS] == [None] * len(report.CLAIMS)
    assert [figure(study) for figure in report.FIGURES] == [None] * len(report.FIGURES)
    assert [files(study) for files in report.FILES] == [{}] * len(report.FILES)
    for table in report.TABLES:
        table(study)
    said = report.context(study)
    assert (said["attacked_tried"], said["attacked_sheet"]) == (0, False)
    assert "too few inputs" in said["attacked_refused"][0]


def test_radii_are_0_at_the_start_and_empty_where_none_did_it() -> None:
    at = {f"{d}.{n}": np.array([0, 2, NEVER]) for d in summary.DIRECTIONS for n in summary.NORMS}
    at |= {f"{d}.image": np.array([4, 5, 6]) for d in summary.DIRECTIONS}
    table = summary.radius_table({"a": at}, {"linf": [0.1, 0.2], "l2": [1.0, 2.0]})
    accept = table[table["direction"] == "accept"]
    assert accept["image"].tolist() == [4, 5, 6]
    assert accept["linf"].tolist()[:2] == [0.0, 0.2]
    assert accept["l2"].tolist()[:2] == [0.0, 2.0]
    assert accept[["linf", "l2"]].iloc[2].isna().all()


def test_shares_within_balls_and_their_mean_are_counted() -> None:
    table = pd.DataFrame({"direction": "accept", "linf": [0.0, 0.1, 0.2, np.nan], "l2": [np.nan] * 4})
    rows = {row["metric"]: row for row in summary.ball_rows("m", table, {"linf": [0.1, 0.2], "l2": [1.0, 2.0]})}
    key = "@method=m@direction=accept@norm=linf"
    assert [rows[f"moved{key}@radius={r}"]["reproduced"] for r in ("0", "0.1", "0.2")] == [25, 50, 75]
    assert rows[f"area{key}"]["reproduced"] == pytest.approx((0.5 + 0.75) / 2)
    assert rows[f"area{key}"]["n"] == 4
    assert rows["area@method=m@direction=accept@norm=l2"]["reproduced"] == 0
    assert rows["area@method=m@direction=accept@norm=l2"]["interval"] == "none"
    assert rows["area@method=m@direction=reject@norm=l2"]["note"].startswith("not testable")


def test_a_rates_interval_is_over_classes_where_they_differ_more_than_trials_do() -> None:
    classes = pd.Series(np.repeat(np.arange(10), 8))
    alike = summary.rate("r", pd.Series(np.tile([True, False], 40)), classes)
    assert alike["reproduced"] == 50
    assert "Wilson" in alike["interval"]
    apart = summary.rate("r", classes < 5, classes)
    assert "over 10 classes" in apart["interval"]
    assert apart["high"] - apart["low"] > alike["high"] - alike["low"]
    none = summary.rate("r", pd.Series(np.zeros(80, bool)), classes)
    assert (none["reproduced"], none["low"]) == (0, 0)
    assert none["high"] == pytest.approx(4.58, abs=0.01)  # Wilson, 0 of 80


def test_of_each_method_some_are_shown_of_every_class_first() -> None:
    hits = pd.DataFrame({"method": ["a"] * 9 + ["b"], "target": [1] * 7 + [2, 3, 4]})
    chosen = summary.some_of_each(hits, 3, torch.Generator().manual_seed(0))
    assert sorted(hits.loc[chosen[:3], "target"]) == [1, 2, 3]
    assert chosen[3:].tolist() == [9]


class Rising:
    """An objective that succeeds where the first pixel is above a half."""

    direction = "accept"

    def __call__(self, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, 0] - 1, x[:, 0] > 0.5


def test_attacks_in_turn_leave_alone_what_an_earlier_one_has_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[float]]] = []

    def attack_of(attempt: Any, draws: Any, shape: Any) -> Any:
        def run(objective: Any, start: Tensor, centre: Tensor, ball: Ball) -> Any:
            asked.append((attempt.attack, start[:, 1].tolist()))
            image = start.clone()
            image[:, 0] = torch.where(start[:, 1] < attempt.reach, 0.9, 0.2)
            guide, done = objective(torch.arange(len(start)), image)
            step = torch.where(done, attempt.updates, NEVER)
            return SimpleNamespace(
                image=image, step=step, guide=guide.double(), flat=torch.zeros(len(start), dtype=bool)
            )

        return run

    monkeypatch.setattr(attack, "attack_of", attack_of)
    study: Any = SimpleNamespace(dataset=SimpleNamespace(name="d", shape=(1, 1, 2)))
    start = torch.tensor([[0.0, 0.1], [0.0, 0.5], [0.0, 0.9]])
    first = SimpleNamespace(attack="first", reach=0.3, updates=4)
    second = SimpleNamespace(attack="second", reach=0.7, updates=9)
    found, which = attack.in_turn(study, Rising(), start, start, attack.CUBE, [(0, first), (2, second)], ["key"])
    assert asked == [("first", pytest.approx([0.1, 0.5, 0.9])), ("second", pytest.approx([0.5, 0.9]))]
    assert found.step.tolist() == [4, 9, NEVER]
    assert which.tolist() == [0, 2, NEVER]
    assert found.image[:, 0].tolist() == pytest.approx([0.9, 0.9, 0.2])


def test_a_score_without_a_gradient_meets_black_boxes_alone() -> None:
    attempts = [Attempt(attack="autopgd", updates=1), Attempt(attack="square", updates=2)]
    assert [i for i, _ in attack.usable(SimpleNamespace(black_box=""), attempts)] == [0, 1]
    assert [i for i, _ in attack.usable(SimpleNamespace(black_box="no form"), attempts)] == [1]


def test_further_methods_are_tried_after_those_of_open_set_on_one_model_alone(tmp_path: Path) -> None:
    study = params.load(ROOT / "params.yaml")
    methods = study.evaluate_scores.methods
    further = study.attack_scores["mnist"].once["cnn"]
    for model, expected in (("cnn", [*methods["cnn"], *further]), ("cool", methods["cool"])):
        values = {"confidence.mnist": study.confidence["mnist"], f"evaluate_scores.methods.{model}": methods[model],
                  "attack_scores.mnist": study.attack_scores["mnist"]}  # fmt: skip
        stage: Any = SimpleNamespace(item={"dataset": "mnist", "model": model}, params=values.__getitem__)
        assert stage_score.method_names(stage) == expected
    path = tmp_path / "params.yaml"
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    for once, says in (
        ({"cnn": ["knn"]}, r"attack_scores.mnist.once.cnn: knn: already in evaluate_scores.methods.cnn"),
        ({"lenet": ["knn"]}, r"attack_scores.mnist.once.lenet: `evaluate_scores.methods` has only cnn, cool, dae_sym"),
    ):
        path.write_text((ROOT / "params.yaml").read_text())
        set_params(path, {"attack_scores.mnist.once": once})
        with pytest.raises(OvergenError, match=says):
            params.load(path)


def test_a_rate_is_adams_and_radii_rise() -> None:
    with pytest.raises(ValueError, match="adam: a learning_rate"):
        Attempt(attack="adam", updates=3)
    with pytest.raises(ValueError, match="autopgd: a learning_rate"):
        Attempt(attack="autopgd", updates=3, learning_rate=0.1)
    good: dict[str, Any] = {
        "fitted_images": 1, "known_images": 1, "starts": ["noise"], "restarts": 1, "images": 1, "judge_images": 1,
        "attempts": [Attempt(attack="square", updates=1)], "ball_attempts": [Attempt(attack="square", updates=1)],
        "linf": [0.1, 0.2], "l2": [1.0], "shown": 1, "labelled": 1,
    }  # fmt: skip
    AttackScores(**good)
    with pytest.raises(ValueError, match="linf: radii must rise"):
        AttackScores(**good | {"linf": [0.2, 0.1]})


def of_cells(root: Path, cells: dict[str, dict[str, Any]]) -> Study:
    """The study of made-up cells of attack_scores, by model."""
    from overgen.report.study import read_study
    from report_study import BANDS

    from workspace import ROOT

    for model, options in cells.items():
        example_cell(root / "reports/cells", "attack_scores", model, **options)
    (root / "budgets").mkdir()
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return read_study(plan_of({"attack_scores": {model: {} for model in cells}}), "mnist", root, bands=BANDS)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({"fooled": {"a": 0.0}}, "holds"),
        ({"fooled": {"a": 0.05, "b": 0.05}}, "contradicted"),
        ({"fooled": {"a": 0.0}, "restarts": 2}, "cannot tell"),  # 0 of 40: the interval ends at 8.8 %
        ({"fooled": {"a": 0.0}, "kept": {"a": 0.89}}, "contradicted"),  # it does not count
        ({"fooled": {"a": 0.0}, "kept": {"a": 0.9}}, "holds"),
        ({"fooled": {"a": 0.0}, "flat": ("a",)}, "cannot tell"),  # nothing to follow: not fooled is not held
        ({"fooled": {"a": 0.0}, "black_box": {"a": "no form in tensors"}}, "cannot tell"),
        ({"fooled": {"a": 0.0}, "flat": ("b",)}, "holds"),
    ],
)  # fmt: skip
def test_the_first_question(tmp_path: Path, options: dict[str, Any], verdict: str) -> None:
    claim = report.some_score_holds(of_cells(tmp_path, {"cnn": {"methods": ("a", "b")} | options}))
    assert claim is not None
    assert claim.verdict == verdict


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "holds"),
        ({"no_class": {"a": 0.0, "b": 0.1}}, "contradicted"),
        ({"no_class": {"a": 0.1}}, "cannot tell"),
        ({"no_class": {"a": 0.5, "b": 0.5}}, "cannot tell"),
        ({"no_class": {"a": 0.0}, "fooled": {"a": 0.2}}, "holds"),  # 16 successes are too few to speak of
    ],
)  # fmt: skip
def test_the_second_question(tmp_path: Path, options: dict[str, Any], verdict: str) -> None:
    claim = report.fooled_is_no_class(of_cells(tmp_path, {"cnn": {"methods": ("a", "b")} | options}))
    assert claim is not None
    assert claim.verdict == verdict


@pytest.mark.parametrize(("mine", "other", "verdict"), [(0.1, 0.9, "holds"), (0.9, 0.1, "contradicted"),
                                                        (0.5, 0.5, "cannot tell")])  # fmt: skip
def test_the_third_question(tmp_path: Path, mine: float, other: float, verdict: str) -> None:
    cells: dict[str, dict[str, Any]] = {
        "cnn": {"methods": ("knn_normalised",), "moved": {"knn_normalised": mine}},
        "dae_sym": {"methods": ("scaled_output_alpha2", "scaled_output_alpha3", "scaled_output_alpha20"),
                    "moved": {f"scaled_output_alpha{alpha}": other for alpha in (2, 3, 20)}},
    }  # fmt: skip
    claim = report.neighbours_beat_the_dae(of_cells(tmp_path, cells))
    assert claim is not None
    assert claim.verdict == verdict
    assert report.neighbours_beat_the_dae(of_cells(tmp_path / "one", {"cnn": cells["cnn"]})) is None


@pytest.mark.parametrize(("of", "kept", "verdict"), [
    ("knn_normalised", 0.9, "holds"), ("knn_normalised", 0.899, "cannot tell"),
    ("scaled_output_alpha20", 0.9, "holds"), ("scaled_output_alpha20", 0.899, "cannot tell"),
])  # fmt: skip
def test_what_keeps_too_little_counts_in_no_answer_to_the_third_question(
    tmp_path: Path, of: str, kept: float, verdict: str
) -> None:
    cells = {
        model: {"methods": (method,), "moved": {method: moved}, "kept": {of: kept}}
        for model, method, moved in (("cnn", "knn_normalised", 0.1), ("dae_sym", "scaled_output_alpha20", 0.9))
    }
    claim = report.neighbours_beat_the_dae(of_cells(tmp_path, cells))
    assert claim is not None
    assert claim.verdict == verdict
    assert ("keeps fewer than 90 %" in claim.number) == (verdict == "cannot tell")


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_threshold_at_the_end_of_a_range_is_refused(end: float) -> None:
    """Log-odds of 0 and 1 are infinite: no attack has a way to go there."""
    score = SimpleNamespace(
        accepts=np.ones(3, bool), threshold=end, black_box="", attackable=SimpleNamespace(rise=log_odds)
    )
    study: Any = SimpleNamespace(score=lambda _: score)
    found = attack.attacked(study, "w_svm")
    assert set(found) == {"refused"}
    assert f"its threshold is {end:g}" in str(found["refused"])


OWN = """
class Darkness:
    view = "pixels"

    def fit(self, x, labels):
        return self

    def score(self, x):
        return -x.mean(1)
"""
FORM = """
    def tensor_score(self, x):
        return -x.mean(1)
"""


@pytest.mark.parametrize("form", ["", FORM])
def test_a_score_of_ones_own_is_a_black_box_unless_it_has_a_form(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src/own").mkdir(parents=True)
    (tmp_path / "src/own/mine.py").write_text(OWN + form)
    monkeypatch.chdir(tmp_path)
    options = {"fit_images": 9, "network_updates": {"other": 1}, "keep": 0.9}
    options |= dict.fromkeys(("neighbours", "clusters", "components", "tail"), 1)
    images = (torch.arange(200)[:, None, None, None] % 100).expand(200, 1, 28, 28).to(torch.uint8)
    study = object.__new__(stage_score.Study)
    vars(study).update(
        stage=SimpleNamespace(params=lambda key: options[key.removeprefix("evaluate_scores.")]),
        dataset=SimpleNamespace(name="d", shape=(1, 28, 28), classes=range(10), train_labels=torch.arange(200) % 10),
        network=CNN().eval(), device="cpu", chunk=64, flat_parts={}, _seen={}, fit=torch.arange(50),
        labels=np.zeros(60, int), parts={"fit": images[:50], "held_out": images[:100], "known": images[100:160]},
    )  # fmt: skip
    score = stage_score.AttackedScore(study, "src/own/mine.py:Darkness")
    assert score.threshold == pytest.approx(-89 / 255, abs=1.01 / 255)  # keeps nine tenths of means 0 to 99
    assert score.accepts.all()  # means 0 to 59
    x = torch.rand(5, 784)
    look = score.attackable(x.requires_grad_())
    np.testing.assert_allclose(look.score.detach().numpy(), score.of(x.detach())[0], rtol=1e-5)
    assert look.guide.requires_grad == bool(form)
    assert ("tensor_score" in score.black_box) == (not form)
