"""Scores with a defence under attack: what is counted, by hand, and what a smoothed score and its certificate are."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from overgen.attacks.on_scores import OnOutput
from overgen.measures.smoothing import certified_radius
from overgen.models import Output
from overgen.report.study import Study, read_study
from overgen.stages.attack_scores import score as plain
from overgen.stages.defend_scores import attack, report, score, summary
from overgen.stages.defend_scores.params import DefendScores, Name
from report_study import BANDS, plan_of

from made_up import example_cell
from workspace import ROOT

NEVER = summary.NEVER
RADII = {"linf": [0.1, 0.2], "l2": [1.0, 2.0]}
PLAIN, SMOOTH = Name("cnn", "knn", "none"), Name("cnn", "knn", "smoothed")


def arrays(at: list[int], fooled: list[bool], **further: Any) -> dict[str, np.ndarray]:
    hit = np.array(fooled)
    of = {"fooled": hit, "attempt": np.where(hit, 1, NEVER), "step": np.where(hit, 7, NEVER), "passes": np.array(1),
          "flat": np.zeros(len(hit), bool), "start": np.zeros(len(hit), bool), "kept": np.arange(20) < 19,
          "right": np.arange(20) < 18, "unknown": np.arange(4) < 1}  # fmt: skip
    return of | {f"{direction}.{norm}": np.array(at) for direction, norm in summary.BALLS} | further


def of_two() -> dict[Name, dict[str, np.ndarray]]:
    certificate = {"certified": np.array([0.3, -0.1, 0.05, -np.inf]), "within": np.array([0, -1, 1, -1])}
    return {
        PLAIN: arrays([0, 1, 2, 1], [True, True, False]),
        SMOOTH: arrays(
            [0, 2, NEVER, NEVER], [True, False, False], passes=np.array(9),
            **{f"{direction}.{name}": of for direction in ("accept", "reject") for name, of in certificate.items()},
        ),
    }  # fmt: skip


def table_of(found: dict[Name, dict[str, np.ndarray]]) -> Any:
    table = summary.trial_table([("noise", 0, 0), ("noise", 1, 0), ("other_data", 0, 0)], ["autopgd", "adam"], found)
    return table.assign(not_of_class=table["fooled"] & (table["target"] == 1))


def rows_of(found: dict[Name, dict[str, np.ndarray]]) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in summary.rows(table_of(found), found, RADII, [0.1])}


def test_trials_say_by_what_attack_each_fell() -> None:
    table = table_of(of_two())
    assert table["attack"].tolist() == ["adam", "adam", "", "adam", "", ""]
    assert table["step"].tolist() == [7, 7, NEVER, 7, NEVER, NEVER]
    assert table["defence"].tolist() == ["none"] * 3 + ["smoothed"] * 3
    assert table["trial"].tolist() == [0, 1, 2] * 2


def test_areas_and_their_change_are_of_the_same_images() -> None:
    rows = rows_of(of_two())
    key = "direction=accept@norm=l2"
    moved = [rows[f"moved@method=knn@defence=none@{key}@radius={r}"]["reproduced"] for r in ("0", "1", "2")]
    assert moved == [25, 75, 100]
    assert rows[f"area@method=knn@defence=none@{key}"]["reproduced"] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert rows[f"area@method=knn@defence=smoothed@{key}"]["reproduced"] == pytest.approx((1 + 0.5) / 4)
    change = rows[f"area_change@method=knn@defence=smoothed@{key}"]
    differences = np.array([0, -50, -50, -100])  # of the areas 1, 1, ½, 1 without and 1, ½, 0, 0 with
    assert change["reproduced"] == pytest.approx(differences.mean())
    half = 3.1824 * differences.std(ddof=1) / 2  # t of 3 degrees of freedom
    assert change["low"] == -100  # the end of the range: −50 − half lies beyond
    assert change["high"] == pytest.approx(-50 + half, rel=1e-3)
    assert change["unit"] == "percentage points"
    assert f"area_change@method=knn@defence=none@{key}" not in rows
    assert change["model"] == "cnn"


def test_no_difference_in_any_image_has_no_interval() -> None:
    found = of_two()
    for direction, norm in summary.BALLS:
        found[SMOOTH][f"{direction}.{norm}"] = found[PLAIN][f"{direction}.{norm}"]
    change = rows_of(found)["area_change@method=knn@defence=smoothed@direction=reject@norm=l2"]
    assert (change["reproduced"], change["interval"], change["note"]) == (0, "none", "the same for all images")


def test_rates_and_price() -> None:
    rows = rows_of(of_two())
    assert rows["kept@method=knn@defence=smoothed"]["reproduced"] == 95
    assert rows["accuracy@method=knn@defence=smoothed"]["reproduced"] == 90
    assert rows["accepted@method=knn@defence=smoothed"]["reproduced"] == 25
    assert [rows[f"passes@method=knn@defence={d}"]["reproduced"] for d in ("none", "smoothed")] == [1, 9]
    assert rows["fooled@method=knn@defence=none"]["reproduced"] == pytest.approx(200 / 3)
    assert rows["fooled_not_of_class@method=knn@defence=none"]["reproduced"] == pytest.approx(100 / 3)
    assert rows["fooled@method=knn@defence=none@start=noise"]["n"] == 2
    assert rows["fooled@method=knn@defence=smoothed@start=noise"]["reproduced"] == 50


def test_certified_images_and_those_that_an_attack_moved_within() -> None:
    found = of_two()
    rows = rows_of(found)
    key = "certified@method=knn@defence=smoothed@direction=accept"
    assert [rows[f"{key}@radius={r}"]["reproduced"] for r in ("0", "0.1")] == [50, 25]
    assert (rows["moved_within"]["reproduced"], rows["moved_within"]["n"]) == (50, 4)
    assert rows["confirmed_within"]["reproduced"] == 0
    found[SMOOTH]["reject.within"] = np.array([2, -1, 0, -1])
    assert rows_of(found)["confirmed_within"]["reproduced"] == 25
    for direction in ("accept", "reject"):
        found[SMOOTH][f"{direction}.within"] = np.full(4, -1)
    assert rows_of(found)["confirmed_within"]["note"].startswith("not testable")
    table = summary.radius_table(of_two(), RADII)
    smooth = table[(table["defence"] == "smoothed") & (table["direction"] == "accept")]
    l2 = smooth[smooth["norm"] == "l2"]
    assert l2["radius"].tolist()[:2] == [0, 2]
    assert l2["radius"].isna().tolist() == [False, False, True, True]
    assert l2["certified"].tolist()[::2] == [0.3, 0.05]
    assert l2["certified"].isna().tolist() == [False, True, False, True]
    assert l2["within"].tolist() == ["stayed", "", "moved", ""]
    assert smooth.loc[smooth["norm"] == "linf", "certified"].isna().all()


class Mean(torch.nn.Module):
    """log ỹ of class 0 is the mean of the 16 pixels less 1, in which noise has the deviation σ/4."""

    def forward(self, x: Tensor) -> Output:
        mean = x.flatten(1).mean(1)
        return Output(torch.stack([mean - 1, torch.full_like(mean, -9)], 1), None)


SETTINGS: dict[str, Any] = {
    "scores": {"cnn": ["softmax"], "dae_sym": ["scaled_output_alpha2"]}, "fitted_images": 1, "known_images": 20,
    "threshold_images": 20, "unknown_images": 5, "ensemble": ["dae_sym", "dae_asym"], "starts": ["noise"],
    "smoothing": {"sigma": 0.8, "draws": 51, "attack_draws": 8, "certificate_draws": 300, "error": 0.01},
    "adversarial": {"model": "dae_sym", "images": 1, "held_out": 1, "epochs": 1, "batch_size": 1,
                    "learning_rate": 0.1, "radius": 0.1, "steps": 1},
    "restarts": 1, "attempts": [{"attack": "autopgd", "updates": 5}], "images": 4, "linf": [0.1, 0.4], "l2": [0.2, 2.0],
    "certified": [0.1], "ball_attempts": [{"attack": "autopgd", "updates": 5}], "judge_images": 1,
}  # fmt: skip


def smoothed() -> score.Smoothed:
    """The mean of 16 pixels, smoothed: known images of means 0.4 to 0.8, unknown ones of 0.1 to 0.4."""
    study: Any = object.__new__(score.Network)
    known = torch.linspace(102, 204, 40).round().to(torch.uint8)[:, None, None, None].expand(40, 1, 4, 4)
    unknown = torch.linspace(26, 102, 9).round().to(torch.uint8)[:, None, None, None].expand(9, 1, 4, 4)
    vars(study).update(
        stage=SimpleNamespace(params=lambda _: 0.95), settings=DefendScores(**SETTINGS), network=Mean(), device="cpu",
        dataset=SimpleNamespace(name="d", shape=(1, 4, 4), classes=range(2)), chunk=100, probes=1, flat_parts={},
        confidence=SimpleNamespace(beta=10), labels=np.zeros(20, int), unknown=unknown, known=known[::2], _seen={},
        parts={"held_out": known[1::2], "known": known[::2]},
    )  # fmt: skip
    return score.Smoothed(Name("dae_sym", "scaled_output_alpha2", "smoothed"), study)


def test_a_smoothed_score_is_the_median_over_the_same_draws_for_every_image() -> None:
    one = smoothed()
    x = torch.rand(7, 16, generator=torch.Generator().manual_seed(0))
    values, labels = one.of(x)
    by_hand = [np.median((image + one.noise).mean(1).numpy()) - 1 for image in x]
    one.threshold = -np.inf
    np.testing.assert_allclose(one.of(x)[0], by_hand, atol=1e-6)
    np.testing.assert_allclose(one.of(x[3:4])[0], by_hand[3:4], atol=1e-6)
    assert (values >= smoothed().threshold).tolist() == (np.array(by_hand) >= smoothed().threshold).tolist()
    assert labels.tolist() == [0] * 7
    assert one.passes == 51
    draws = one.drawn("certify", 300)
    assert draws.std() == pytest.approx(0.8, rel=0.06)
    assert not torch.equal(draws[:51], one.noise)


def test_its_threshold_is_its_own_and_keeps_what_it_shall() -> None:
    one = smoothed()
    scores = one.of(one.flat("held_out"))[0]
    assert (scores >= one.threshold).mean() == 0.95
    assert one.threshold != pytest.approx(one.base.threshold, abs=1e-4)
    assert one.accepts.mean() >= 0.9
    assert one.right.all()


def test_attacks_and_certificates_agree_with_the_closed_form() -> None:
    """An image of mean m is at an L2 distance of 4·|t − m| from the threshold t: √16 times the distance in the mean."""
    one = smoothed()
    assert isinstance(one.attackable, OnOutput)
    centre = attack.centres(one, "accept")
    distance = 4 * (one.threshold + 1 - centre.mean(1).numpy())
    found = attack.certified(one, "accept")
    hits = one.hits(centre, "accept", one.drawn("certify", 300))
    np.testing.assert_array_equal(found["certified"], certified_radius(hits, 300, 0.8, 0.01))
    assert (found["certified"] <= distance + 0.6).all()  # the fixed draws have a median of their own
    assert found["certified"][0] > 0.3 > 0
    assert (found["within"][found["certified"] > 0] == 0).all()
    assert (found["within"][found["certified"] <= 0] == -1).all()
    at = attack.smallest_radius(one, "accept", centre, "l2")
    true = np.array([0.0, 0.2, 2.0])
    values = one.of(centre)[0]
    exact = 4 * (one.threshold - values)  # by the draws that decide
    expected = np.array([next((i for i, r in enumerate(true) if d <= r), NEVER) for d in exact])
    clear = np.abs(exact[:, None] - true).min(1) > 0.03
    assert clear.sum() >= 3
    assert at[clear].tolist() == expected[clear].tolist()


def test_what_is_moved_within_a_certificate_is_confirmed_by_fresh_draws_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that claims success everywhere: the fresh draws see that the image never moved; or that it did."""
    one = smoothed()

    for further, came in ((0.0, attack.MOVED), (2.0, attack.CONFIRMED)):

        def stands(*given: Any, further: float = further) -> tuple[Tensor, np.ndarray]:
            start, rows = given[2], given[4]
            return start[rows] + further, np.ones(len(rows), bool)

        monkeypatch.setattr(attack, "within", stands)
        found = attack.certified(one, "accept")
        assert (found["within"][found["certified"] > 0] == came).all()


def test_known_images_are_moved_in_turn_of_each_class_and_unknown_ones_are_not_those_that_are_counted() -> None:
    study: Any = object.__new__(score.Network)
    settings = SimpleNamespace(images=4, unknown_images=3)
    unknown = torch.arange(9, dtype=torch.uint8)
    vars(study).update(labels=np.array([1, 1, 0, 1, 0, 2]), settings=settings, unknown=unknown)
    assert study.moved_known().tolist() == [0, 2, 5, 1]
    counted, moved = study.unknown_parts
    assert (counted.tolist(), moved.tolist()) == ([2, 3, 4], [5, 6, 7, 8])


def test_scores_are_smoothed_and_scaled_outputs_defended_further() -> None:
    made = score.names(DefendScores(**SETTINGS))
    assert [tuple(name) for name in made] == [
        ("cnn", "softmax", "none"), ("cnn", "softmax", "smoothed"),
        *(("dae_sym", "scaled_output_alpha2", defence) for defence in ("none", "smoothed", "ensemble", "adversarial")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"certified": [0.2, 0.1]}, "certified: radii must rise"),
        ({"scores": {"dae_sym": ["scaled_output"]}}, "is judged at an α"),
        ({"scores": {"cnn": ["softmax_alpha2"], "dae_sym": ["scaled_output_alpha2"]}}, "is judged at an α"),
        ({"scores": {"cnn": ["no_score"], "dae_sym": ["scaled_output_alpha2"]}}, "must be one of"),
        ({"scores": {"cnn": ["softmax"]}}, "defend ỹ of one model"),
        ({"ensemble": ["dae_asym", "cnn"]}, "defend ỹ of one model"),
        ({"ensemble": ["dae_sym"]}, "at least 2"),
        ({"smoothing": SETTINGS["smoothing"] | {"error": 0.5}}, "less than 0.5"),
    ],
)
def test_sections_that_do_not_fit_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DefendScores(**SETTINGS | change)


def test_a_score_without_a_gradient_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from overgen import OvergenError

    blind = SimpleNamespace(black_box="no form in tensors")
    monkeypatch.setattr(plain, "AttackedScore", lambda *_: blind)
    with pytest.raises(OvergenError, match="knn has no gradient: no form"):
        score.Defended(PLAIN, SimpleNamespace())  # type: ignore[arg-type]


def of_cell(root: Path, **options: Any) -> Study:
    """The study of one made-up cell."""
    example_cell(root / "reports/cells", "defend_scores", "scores", **options)
    (root / "budgets").mkdir()
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return read_study(plan_of({"defend_scores": {"scores": {}}}), "mnist", root, bands=BANDS)


SCALED = "scaled_output_alpha20"
SMOOTHED = [(method, "smoothed") for method in ("knn", "softmax", SCALED)]


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "holds"),
        ({"moved": dict.fromkeys(SMOOTHED, 0.9)}, "contradicted"),
        ({"moved": {SMOOTHED[0]: 0.5}}, "cannot tell"),
        ({"moved": {SMOOTHED[0]: 0.9}}, "cannot tell"),
        ({"moved": {SMOOTHED[0]: 0.5}, "kept": {SMOOTHED[0]: 0.899}}, "holds"),  # it does not count
        ({"moved": {SMOOTHED[0]: 0.5}, "kept": {("knn", "none"): 0.899}}, "holds"),  # nor without the defence
        ({"moved": {SMOOTHED[0]: 0.5}, "kept": {SMOOTHED[0]: 0.9}}, "cannot tell"),
    ],
)
def test_smoothing_is_asked_of_every_score_that_counts(tmp_path: Path, options: dict[str, Any], verdict: str) -> None:
    claim = report.smoothing_buys(of_cell(tmp_path, **options))
    assert claim is not None
    assert claim.verdict == verdict
    assert claim.row["norm"] == "linf"


@pytest.mark.parametrize("defence", ["ensemble", "adversarial"])
@pytest.mark.parametrize(
    ("share", "kept", "verdict"),
    [(0.2, 0.9, "holds"), (0.9, 0.9, "contradicted"), (0.5, 0.9, "cannot tell"), (0.2, 0.899, "cannot tell")],
)
def test_a_defence_of_one_score(tmp_path: Path, defence: str, share: float, kept: float, verdict: str) -> None:
    study = of_cell(tmp_path, moved={(SCALED, defence): share}, kept={(SCALED, defence): kept})
    claim = {"ensemble": report.ensemble_buys, "adversarial": report.further_training_buys}[defence](study)
    assert claim is not None
    assert claim.verdict == verdict
    assert ("keeps fewer than 90 %" in claim.number) == (kept < 0.9)


def test_both_norms_have_to_say_the_same() -> None:
    below, above, across = ({"low": low, "high": high} for low, high in ((-3, -1), (1, 3), (-1, 1)))
    none = {"low": np.nan, "high": np.nan}
    sides = {(-1,): (below, below), (1,): (above, above), (0,): (below, above)}
    assert all(report.side(pair) == side for (side,), pair in sides.items())  # type: ignore[arg-type]
    assert [report.side((below, other)) for other in (across, none)] == [0, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "verdict"), [({}, "holds"), ({"confirmed": 1}, "contradicted"),
                                                  ({"certified": False}, "cannot tell")])  # fmt: skip
def test_a_confirmed_success_contradicts_certificates(tmp_path: Path, options: dict[str, Any], verdict: str) -> None:
    claim = report.certificates_agree(of_cell(tmp_path, **options))
    assert claim is not None
    assert claim.verdict == verdict


def test_a_cell_counts_what_its_tables_hold(study: Any) -> None:
    folder = study.cell("defend_scores", "scores")
    rows = {row["metric"]: row for row in json.loads((folder / "metrics.json").read_text())["metrics"]}
    radii, trials = pd.read_csv(folder / "radii.csv"), pd.read_csv(folder / "trials.csv")
    scores = radii[["method", "defence"]].drop_duplicates().to_numpy().tolist()
    scaled = "scaled_output_alpha2"
    assert scores == [["softmax", "none"], ["softmax", "smoothed"],
                      *([scaled, defence] for defence in ("none", "smoothed", "ensemble", "adversarial"))]  # fmt: skip
    for (method, defence, direction, norm), some in radii.groupby(["method", "defence", "direction", "norm"]):
        key = f"method={method}@defence={defence}@direction={direction}@norm={norm}"
        limit = 0.1 if norm == "linf" else 1
        moved = 100 * (some["radius"] <= limit).mean()
        assert rows[f"moved@{key}@radius={limit}"]["reproduced"] == pytest.approx(moved)
        assert rows[f"area@{key}"]["reproduced"] == pytest.approx(moved / 100)  # there is one radius
    for (method, defence), some in trials.groupby(["method", "defence"]):
        key = f"fooled@method={method}@defence={defence}"
        assert rows[key]["reproduced"] == pytest.approx(100 * some["fooled"].mean())
        assert rows[key]["n"] == len(some) == 10
    tried = radii["within"].notna().sum()
    assert rows["confirmed_within"]["n"] == rows["moved_within"]["n"] == tried == radii["certified"].notna().sum()
    assert rows[f"passes@method={scaled}@defence=smoothed"]["reproduced"] == 3
    assert rows[f"passes@method={scaled}@defence=ensemble"]["reproduced"] == 2
    assert rows["right_when_moved@when=after"]["reproduced"] >= rows["right_when_moved@when=before"]["reproduced"]
