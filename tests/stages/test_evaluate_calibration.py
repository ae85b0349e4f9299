"""The stage evaluate_calibration: its numbers by hand, its cell on the tiny study, what decides its claims."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import OvergenError, data
from overgen.measures import calibration, metrics
from overgen.measures.outputs import scores_of_images
from overgen.models import Output, registry
from overgen.models.cnn import CNN, COOL
from overgen.report.study import Study as Report
from overgen.report.study import read_study
from overgen.run.files import read_json, read_npz
from overgen.stages.evaluate_calibration import report, run, summary
from overgen.stages.evaluate_calibration.params import EvaluateCalibration, check
from report_study import BANDS, changed, plan_of

from made_up import example_cell
from workspace import ROOT, Study

ATTACK = {"restarts": 2, "attacks": [{"objective": "margin", "learning_rate": 0.1, "updates": 3}],
          "starts": ["noise"], "check": 2, "block": 20}  # fmt: skip
SECTION = {"bins": 5, "resamples": 5, "training_images": 5, "kinds": ["uniform"], "other_data": [], "images": 5}
HALVES = np.array([0, 0, 1, 1])


def images(seed: int = 0, count: int = 40, classes: int = 3, *, labelled: bool = True) -> dict[str, np.ndarray]:
    """Logits with mistakes among them, and labels."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(classes, size=count)
    logits = draw.normal(0, 2, (count, classes))
    logits[np.arange(count), labels] += 2
    return {"logits": logits} | ({"labels": labels} if labelled else {})


def temperature(value: float, images: int = 2) -> calibration.Temperature:
    return calibration.Temperature(value, (value / 2, value * 2), images)


def test_no_image_is_judged_at_a_temperature_that_it_took_part_in() -> None:
    """Whatever becomes of one half, the numbers of that half stay as they are; those of the other change."""
    test, training = images(), images(1)
    found = summary.temperatures(test, training, 3, key=("d", "m"))
    assert sorted(np.bincount(found.halves)) == [20, 20]
    before = summary.judged(test, found.halves, found.judging(summary.AFTER), 3)
    changed = test | {"labels": np.where(found.halves == 1, (test["labels"] + 1) % 3, test["labels"])}
    again = summary.temperatures(changed, training, 3, key=("d", "m"))
    np.testing.assert_array_equal(again.halves, found.halves)
    after = summary.judged(test, again.halves, again.judging(summary.AFTER), 3)
    own = found.halves == 1
    np.testing.assert_array_equal(after[own], before[own])
    assert (np.abs(after - before)[~own].max(1) > 1e-3).all()
    assert again.test != found.test
    tops = [summary.judged(test, each.halves, each.judging(summary.TOP), 3)[own] for each in (found, again)]
    np.testing.assert_array_equal(*tops)
    assert again.training == found.training == calibration.fit(training["logits"], training["labels"], 3)


def test_what_passes_each_threshold_is_counted_at_the_temperature_of_its_half() -> None:
    """Two classes with logits (a, 0): y = 1 / (1 + exp(−a/T)). Half 0 is judged at T = 2, half 1 at T = 1."""
    gap = np.array([4.5, 5.0, 2.3, 2.1])
    logits = np.stack([gap, np.zeros(4)], 1)
    test = {"logits": logits, "labels": np.array([0, 1, 0, 0])}
    kinds = {"uniform": {"logits": np.array([[2.3, 0.0], [2.3, 0.0], [0.0, 4.5]])}}  # halves 0, 1, 0
    halves = (temperature(1.0), temperature(2.0))
    found = summary.Temperatures(HALVES, halves, temperature(1.5), temperature(0.5), halves, temperature(1.5))
    rows = {
        (row["metric"], row["tau"]): row
        for name in (summary.BEFORE, summary.AFTER)
        for row in summary.threshold_rows(test, kinds, found, [(0.9, 0.0)], 10.0, classes=2, name=name)
    }
    passes = {name: rows[f"accepted@temperature={name}", 0.9]["reproduced"] for name in ("1", "fitted")}
    assert passes == {"1": 75, "fitted": 75}  # ln 9 = 2.197: 4.5/2 and 5/2 are above it, 2.1 is not
    assert rows["accepted_accuracy@temperature=fitted", 0.9]["reproduced"] == 50
    assert rows["right_of_accepted@temperature=fitted", 0.9]["reproduced"] == pytest.approx(200 / 3)
    assert rows["right_of_accepted@temperature=fitted", 0.9]["n"] == 3
    assert rows["accepted@kind=uniform@temperature=1", 0.9]["reproduced"] == 100
    assert rows["accepted@kind=uniform@temperature=fitted", 0.9]["reproduced"] == pytest.approx(200 / 3)
    for name, least in (("1", 2.1), ("fitted", 2.1)):  # of four images 95 % are all four
        scaled = np.array([2.3, 2.3, 4.5]) / ([1, 1, 1] if name == "1" else [2, 1, 2])
        assert rows[f"fpr_at_95_tpr@kind=uniform@temperature={name}", None]["reproduced"] == pytest.approx(
            100 * np.mean(scaled >= least)
        )
    none = summary.threshold_rows(test, {}, found, [(0.999, 0.0)], 10.0, classes=2, name=summary.AFTER)
    assert none[2]["reproduced"] is None
    assert none[2]["note"] == "not testable: no test image is above τ"


def test_a_dae_keeps_its_confidence() -> None:
    """log ỹ at T is log c̃ and log y at T; what y alone would accept is rejected by c̃ as before."""
    shown = images(count=4) | {"distance": np.array([0.0, 3.0, 6.0, 9.0]), "gamma": np.array([-0.1, 0.0, 0.02, -1.0])}
    log_y = calibration.log_scores(shown["logits"], 2.0, 3)
    c = -20 / 784 * shown["distance"] - 10 * np.array([0, 0, 0.02, 0])
    np.testing.assert_allclose(summary.scaled(shown, log_y, alpha=20, beta=10), log_y + c[:, None], atol=1e-12)


def test_what_is_kept_is_counted_by_attack() -> None:
    kept = pd.DataFrame({
        "attack": ["fool_fgn"] * 3 + ["fool_gradient"] * 2, "variant": ["y", "y", "scaled", "noise", "mean_image"],
        "tau": 0.9, "plain": [0.91, 0.9, 0.95, 0.99, 0.91], "calibrated": [0.8, 0.8, 0.95, 0.95, 0.2],
    })  # fmt: skip
    rows = {row["metric"]: (row["reproduced"], row["n"]) for row in summary.kept_rows(kept)}
    assert rows == {
        "fooling_rate_of_kept@attack=fgn@temperature=1": (50, 2),  # 0.9 is not above 0.9
        "fooling_rate_of_kept@attack=fgn@temperature=fitted": (0, 2),
        "fooling_rate_of_kept@attack=fgn_scaled@temperature=1": (100, 1),
        "fooling_rate_of_kept@attack=fgn_scaled@temperature=fitted": (100, 1),
        "fooling_rate_of_kept@attack=gradient@temperature=1": (100, 2),
        "fooling_rate_of_kept@attack=gradient@temperature=fitted": (50, 2),
    }


def test_a_new_trial_stands_beside_the_same_one_of_before() -> None:
    at = {"seed": 0, "tau": 0.9, "alpha": 20.0, "start": "noise"}
    new = pd.DataFrame([at | {"target": 1, "trial": 0, "step": 30}, at | {"target": 2, "trial": 0, "step": None}])
    old = pd.DataFrame([at | {"target": target, "trial": 0, "step": step} for target, step in ((2, 4), (1, 5), (3, 6))]
                       + [at | {"seed": 1, "target": 1, "trial": 0, "step": 99}])  # fmt: skip
    new, old = (table.astype({"step": "Int64"}) for table in (new, old))
    joined = summary.with_steps_before(new, old, Path("reports/cells/d/fool_gradient/m"))
    assert joined["step_before"].tolist() == [5, 4]
    rows = {row["metric"]: row for row in summary.trial_rows(joined)}
    assert rows["fooling_rate@start=noise@temperature=1"]["reproduced"] == 100
    assert rows["fooling_rate@start=noise@temperature=fitted"]["reproduced"] == 50
    assert rows["mean_steps_to_fool@start=noise@temperature=1"]["reproduced"] == 4.5
    assert rows["mean_steps_to_fool@start=noise@temperature=fitted"]["reproduced"] == 30
    with pytest.raises(OvergenError, match=r"has no trial .*'target': 2.* `dvc repro fool_gradient@d-m` makes it"):
        summary.with_steps_before(new, old[1:], Path("reports/cells/d/fool_gradient/m"))


@pytest.mark.parametrize("model", ["cnn", "dae_sym"])
def test_the_cell_follows_from_what_the_network_says(study: Study, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temperature, accuracy and calibration error from the stored outputs; new trials scored again."""
    cell = study.cell("evaluate_calibration", model)
    monkeypatch.chdir(study.root)
    rows = {(row["metric"], row["tau"]): row for row in read_json(cell / "metrics.json")["metrics"]}
    outputs = read_npz(f"models/digits/networks/{model}/outputs.npz")
    log_y, labels = outputs["log_y"][0].astype(float), outputs["labels"]
    fitted = calibration.fit(log_y, labels, 10)
    assert rows["temperature@fitted_on=test", None]["reproduced"] == pytest.approx(fitted.value)
    accuracies = [rows[f"accuracy@temperature={name}", None]["reproduced"] for name in ("1", "fitted", "training")]
    assert accuracies == [100 * float(np.mean(log_y.argmax(1) == labels))] * 3
    top = calibration.fit_top_score(log_y, labels, 10)
    assert rows["temperature@fitted_on=top_score", None]["reproduced"] == pytest.approx(top.value)
    plain = metrics.reliability(np.exp(log_y.max(1)), log_y.argmax(1) == labels, 10)
    error = rows["calibration_error@temperature=1", None]["reproduced"]
    assert error == pytest.approx(metrics.calibration_error(plain))
    losses = [rows[f"negative_log_likelihood@temperature={name}", None]["reproduced"] for name in ("1", "fitted")]
    assert losses[1] < losses[0]

    network, _ = registry.trained("digits", model)
    kept = pd.read_csv(cell / "kept.csv")
    assert set(kept["attack"]) <= {"fool_fgn", "fool_gradient", "fool_evolution"}
    trials = pd.read_csv(cell / "trials.csv")
    earlier = pd.read_csv(study.cell("fool_gradient", model) / "trials.csv")
    same = earlier[(earlier["seed"] == 0) & (earlier["start"] == "noise")].set_index(summary.TRIAL)
    at = pd.MultiIndex.from_frame(trials[summary.TRIAL])
    pd.testing.assert_series_equal(trials["step_before"].astype(float), same.loc[at, "step"].astype(float),
                                   check_names=False, check_index=False)  # fmt: skip
    pairs = {(tau, alpha) for tau, alpha in zip(trials["tau"], trials["alpha"], strict=True)}
    assert pairs == ({(0.9, 20.0), (0.99, 3.0)} if model == "dae_sym" else {(0.9, 0.0), (0.99, 0.0)})
    successes = read_npz(cell / "successes.npz")
    assert successes["trial"].tolist() == np.flatnonzero(trials["step"].notna()).tolist()
    hits = trials.iloc[successes["trial"]]
    saved = (successes["image"] / 255).astype(np.float32)
    if not len(hits):
        assert model == "dae_sym"  # which so few updates do not fool
        return
    scores = scores_of_images(network, saved, hits["alpha"].to_numpy(), beta=10, probes=1)
    plain_y = scores_of_images(network, saved, np.zeros(len(hits)), beta=0.0, probes=1)
    c = scores.max(1) / plain_y.max(1)
    wanted = c * by_temperature(plain_y, fitted.value)[np.arange(len(hits)), hits["target"]]
    np.testing.assert_allclose(hits["score_in_8_bits"], wanted, rtol=2e-3, atol=1e-6)


def by_temperature(y: np.ndarray, temperature: float) -> np.ndarray:
    powers = np.maximum(y, 1e-300) ** (1 / temperature)
    return powers / powers.sum(1, keepdims=True)


def test_stored_images_have_the_score_that_their_cell_says(study: Study) -> None:
    """Before; and after, that at the temperature: where T > 1 a success that was barely above τ is below it."""
    cell = study.cell("evaluate_calibration", "cnn")
    kept = pd.read_csv(cell / "kept.csv")
    told = read_npz(study.cell("fool_fgn", "cnn") / "successes.npz")
    table = pd.read_csv(study.cell("fool_fgn", "cnn") / "trials.csv").iloc[told["trial"]]
    own = ((table["seed"] == 0) & table["objective"].isin(["y", "scaled"])).to_numpy()
    mine = kept[kept["attack"] == "fool_fgn"]
    np.testing.assert_allclose(mine["plain"], told["score"][own], rtol=1e-4)
    assert (mine["target"].to_numpy() == table.loc[own, "target"].to_numpy()).all()
    rows = {row["metric"]: row["reproduced"] for row in read_json(cell / "metrics.json")["metrics"]}
    falls = rows["temperature@fitted_on=test"] > 1
    assert ((kept["calibrated"] < kept["plain"]) == falls).mean() > 0.95


def attacked(network: Any, labels: torch.Tensor, train_labels: torch.Tensor | None = None) -> Any:
    """What `run.seen` and `run.refused` ask of `Attacked`."""
    pictures = torch.randint(0, 256, (len(labels), 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte()
    source = data.Dataset("mine", tuple("0123456789"), pictures, labels if train_labels is None else train_labels,
                          pictures, labels)  # fmt: skip
    outputs = {"labels": labels.numpy(), "log_y": network(pictures / 255).log_y[None].detach().numpy()}
    return SimpleNamespace(
        dataset="mine", model="net", source=source, outputs=outputs, chunk=16,
        probes=1, stage=SimpleNamespace(device="cpu"), shape=(1, 28, 28),
    )  # fmt: skip


def cool() -> COOL:
    network = COOL(output_std=0.3)
    network.initialise(torch.Generator().manual_seed(0))
    return network.eval()


def test_of_cool_the_units_are_seen() -> None:
    settings = SimpleNamespace(training_images=7, kinds=["uniform"], other_data=[], images=5)
    labels = torch.arange(30) % 10
    labels[3] = -1
    found = run.seen(attacked(cool(), labels), settings, cool())
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {
        "test.logits": (29, 100), "test.labels": (29,), "training.logits": (7, 100), "training.labels": (7,),
        "uniform.logits": (5, 100),
    }  # fmt: skip
    assert -1 not in found["training.labels"]
    wanted = attacked(cool(), labels).outputs["log_y"][0][labels.numpy() >= 0]
    np.testing.assert_allclose(calibration.log_scores(found["test.logits"], 1, 10), wanted, atol=1e-3)


class Scores(CNN):
    """A score for each class by itself."""

    def forward(self, x: torch.Tensor) -> Output:
        return Output(torch.nn.functional.logsigmoid(self.fc2(self.encode(x))), None)


@pytest.mark.parametrize(
    ("network", "labels", "train", "why"),
    [
        (cool(), torch.arange(20) % 10, None, ""),
        (cool(), torch.arange(19) % 10, None, "19 test images have a label"),
        (cool(), torch.full((30,), -1), None, "0 test images have a label"),
        (cool(), torch.arange(20) % 10, torch.full((20,), -1), "0 training images have a label"),
        (Scores().eval(), torch.arange(20) % 10, None, "the scores are no softmax"),
    ],
)
def test_why_a_network_has_no_temperature(network: Any, labels: torch.Tensor, train: Any, why: str) -> None:
    found = run.refused(attacked(network, labels, train), network)
    assert (why in found) if why else (found == "")


def test_a_cell_without_a_temperature_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = attacked(Scores().eval(), torch.arange(20) % 10)
    settings = EvaluateCalibration.model_validate(SECTION | {"attack": ATTACK})
    asked.stage = SimpleNamespace(
        device="cpu", rank=0, params=lambda key: settings, cell=tmp_path / "mine/evaluate_calibration/net"
    )
    asked.seeds, asked.network, asked.refuse_black_box = [0], lambda seed: Scores().eval(), lambda: None
    monkeypatch.setattr(run, "Attacked", lambda stage: asked)
    monkeypatch.setattr(registry, "trained", lambda *_: (None, {"budget": {"epochs": 3}}))
    run.main(asked.stage)
    cell = read_json(asked.stage.cell / "metrics.json")
    (row,) = cell["metrics"]
    assert (row["reproduced"], row["n"]) == (None, 0)
    assert row["note"].startswith("not testable: log Σ y over the classes is")
    assert cell["budget"]["epochs"] == 3
    assert cell["budget"]["evaluate_calibration.mine.attack.updates"] == 3
    assert len(pd.read_csv(asked.stage.cell / "reliability.csv")) == 0


def test_other_data_must_be_of_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = attacked(cool(), torch.arange(20) % 10)
    settings = SimpleNamespace(kinds=["uniform"], other_data=["colour"], images=5)
    other = SimpleNamespace(shape=(3, 32, 32))
    monkeypatch.setattr(run.borrow, "borrow", lambda name, mirror: other)
    with pytest.raises(OvergenError, match=r"other_data: images of colour are \(3, 32, 32\)"):
        run.unknown_images(asked, settings)


def test_only_trials_that_fool_gradient_has_can_be_made_anew() -> None:

    def checked(**changes: Any) -> None:
        own = EvaluateCalibration.model_validate(SECTION | {"attack": ATTACK | changes})
        made = EvaluateCalibration.model_validate(SECTION | {"attack": ATTACK}).attack
        check(SimpleNamespace(evaluate_calibration={"d": own, "other": own}, fool_gradient={"d": made}))  # type: ignore[arg-type]

    checked()
    checked(restarts=1)
    with pytest.raises(ValueError, match=r"evaluate_calibration\.d\.attack: 3 restarts .* for 2 of 10"):
        checked(restarts=3)
    with pytest.raises(ValueError, match="4 classes"):
        checked(classes=4)
    with pytest.raises(ValueError, match=r"attack\.starts: mean_image: fool_gradient\.d\.starts has no such"):
        checked(starts=["noise", "mean_image"])


def of_cells(root: Path, cells: dict[str, dict[str, Any]]) -> Report:
    """The study of made-up cells by model."""
    for model, options in cells.items():
        example_cell(root / "reports/cells", "evaluate_calibration", model, **options)
    (root / "budgets").mkdir()
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return read_study(plan_of({"evaluate_calibration": {model: {} for model in cells}}), "mnist", root, bands=BANDS)


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "holds"), (0.1, "holds"), (0.2, "cannot tell"),
                                                (0.5, "cannot tell"), (0.9, "contradicted"),
                                                (1.0, "contradicted")])  # fmt: skip
def test_whether_fooling_gets_rare(tmp_path: Path, share: float, verdict: str) -> None:
    """All trials of so many classes fool: the interval is over classes, and of two of ten it ends at 50.2 %."""
    claim = report.fooling_gets_rare(of_cells(tmp_path, {"cnn": {"fooled": (1.0, share)}, "cool": {}}))
    assert claim is not None
    assert claim.verdict == verdict
    assert claim.row["tau"] == "0.99"


def test_fooling_is_rare_only_if_so_at_every_threshold(tmp_path: Path) -> None:
    study = of_cells(tmp_path, {"cnn": {"fooled": (1.0, 0.0)}})
    at = (
        (study.frame["metric"] == "fooling_rate")
        & (study.frame["tau"] == "0.9")
        & (study.frame["temperature"] == "fitted")
    )
    study.frame.loc[at, ["reproduced", "low", "high"]] = [100.0, 88.0, 100.0]
    claim = report.fooling_gets_rare(study)
    assert claim is not None
    assert claim.verdict == "cannot tell"
    assert report.fooling_gets_rare(of_cells(tmp_path / "other", {"cool": {}})) is None


@pytest.mark.parametrize(("first", "second", "verdict"), [
    ((1.0, 1.0), (1.0, 1.0), "contradicted"),
    ((1.0, 1.0), (0.0, 0.0), "contradicted"),
    ((1.0, 0.0), (0.0, 1.0), "holds"),
    ((1.0, 1.0), (1.0, 0.0), "cannot tell"),  # an order where there was none
    ((1.0, 1.0), (0.0, 1.0), "cannot tell"),
])  # fmt: skip
def test_whether_an_order_is_another_one(
    tmp_path: Path, first: tuple[float, float], second: tuple[float, float], verdict: str
) -> None:
    study = of_cells(tmp_path, {"cnn": {"fooled": first}, "dae_sym": {"fooled": second}})
    claim = report.order_of_fooling(study)
    assert claim is not None
    assert claim.verdict == verdict
    assert report.order_of_fooling(of_cells(tmp_path / "one", {"cnn": {}})) is None


def test_an_order_is_asked_of_accuracy_and_of_other_data(tmp_path: Path) -> None:
    """Two networks alike, of which one is too sure and the other too modest: calibrated, they change places."""
    kinds = ("uniform", "data_fashion_mnist")
    cells = {"cnn": {"temperature": 3.0, "sure": 6.0, "kinds": kinds},
             "cool": {"temperature": 0.4, "sure": 10.0, "kinds": kinds, "unknown": 8.0}}  # fmt: skip
    study = of_cells(tmp_path, cells)
    accuracy, other = report.order_of_accuracy(study), report.order_without_tau(study)
    assert accuracy is not None
    assert other is not None
    assert accuracy.verdict == "holds"
    assert (accuracy.row["metric"], accuracy.row["temperature"]) == ("accepted_accuracy", "fitted")
    top = report.order_by_top_scores(study)
    assert top is not None
    assert (top.row["metric"], top.row["temperature"], top.before) == ("accepted_accuracy", "top_score", False)
    assert (other.row["metric"], other.row["kind"]) == ("fpr_at_95_tpr", "data_fashion_mnist")
    assert report.order_without_tau(of_cells(tmp_path / "none", {"cnn": {}, "cool": {}})) is None


@pytest.mark.parametrize(("cnn", "cool", "verdict"), [(0.5, 0.5, "holds"), (0.5, 4.0, "cannot tell"),
                                                      (4.0, 2.0, "contradicted")])  # fmt: skip
def test_whether_training_images_would_do(tmp_path: Path, cnn: float, cool: float, verdict: str) -> None:
    """The temperature of test images is 2 or so."""
    claim = report.training_images_will_not_do(
        of_cells(tmp_path, {"cnn": {"training": cnn}, "cool": {"training": cool}})
    )
    assert claim is not None
    assert claim.verdict == verdict


def test_a_temperature_at_the_end_of_the_range_counts_as_it_is(tmp_path: Path) -> None:
    study = of_cells(tmp_path, {"cnn": {"training": 1.0}})
    of = {"metric": "temperature", "fitted_on": "training"}
    claim = report.training_images_will_not_do(changed(study, of, reproduced=0.01, low=math.nan, high=math.nan))
    assert claim is not None
    assert claim.verdict == "holds"


def test_the_finding_is_of_the_network_that_is_fooled_least(tmp_path: Path) -> None:
    finding = report.calibrated_and_fooled(of_cells(tmp_path, {"cnn": {}, "dae_sym": {"fooled": (1.0, 0.1)}}))
    assert finding is not None
    assert finding.row["model"] == "dae_sym"
    assert "least, dAE sym, is seldom fooled" in finding.says
    same = report.calibrated_and_fooled(of_cells(tmp_path / "same", {"cnn": {}, "cool": {}}))
    assert same is not None
    assert "every network is mostly fooled" in same.says


def test_tables_have_a_line_a_number_and_leave_out_what_is_not_there(tmp_path: Path) -> None:
    cells: dict[str, dict[str, Any]] = {"cnn": {}, "cool": {"refused": "the scores are no softmax"}, "dae_sym": {}}
    study = of_cells(tmp_path, cells)
    short = report.calibration(study)
    lines = [line.split("|")[1:-1] for line in short.markdown.splitlines()]
    assert [cell.strip() for cell in lines[0]] == ["", "CNN", "COOL", "dAE sym"]
    assert {line[2].strip() for line in lines[3:]} == {"–"}
    assert not any("accepted where" in line[0] for line in lines)  # no other data here
    assert len(lines) - 2 <= 10  # a longer one is folded
    assert all(line[1].count("→") == 1 for line in lines[3:])
    heads = [line.split("|")[1].strip() for line in report.calibration_more(study).markdown.splitlines()]
    assert "what fooled still above τ\u00a0=\u00a00.99, FGN on ỹ, %" in heads
    assert report.context(study)["calibration_refused"] == ["COOL: the scores are no softmax"]
