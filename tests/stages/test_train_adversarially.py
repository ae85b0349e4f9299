"""The stage train_adversarially on the tiny study, and its section of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from overgen import data, rescoring
from overgen.models import registry
from overgen.models.perceptrons import Perceptron
from overgen.run.files import read_json, read_npz
from overgen.run.streams import generator
from overgen.stages.train_adversarially import report, summary
from overgen.stages.train_adversarially.networks import DroppingPerceptron
from overgen.stages.train_adversarially.params import TrainAdversarially
from report_study import changed, study_of

from processes import Run
from workspace import TINY, Study, set_params

SECTION: dict[str, Any] = TINY["train_adversarially.digits"]  # type: ignore[assignment]
NAMES = list(SECTION["trainings"])
FOLDER = Path("reports/cells/digits/train_adversarially/perceptrons")


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    """A workspace in which the stage has run."""
    study.cell("train_adversarially", "perceptrons")
    return study.copy(tmp_path_factory.mktemp("adversarial") / "workspace")


def metrics(cell: Path) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in read_json(cell / FOLDER / "metrics.json")["metrics"]}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"decays": [0.0]}, r"trainings.dropout.0.decays: \[0.0\] for 2 layers"),
        ({"decays": [0.0] * 2, "dropout": [0.1]}, r"dropout: \[0.1\] for the pixels and 1 hidden layers"),
        ({"decays": [0.0] * 2, "levels": [2], "weight": 1.0}, r"levels: \[2\] must differ and lie in 0..1"),
        ({"decays": [0.0] * 2, "levels": [0]}, r"levels \[0\] with the weight 0; give both"),
    ],
)
def test_settings_that_do_not_fit_are_named(setting: dict[str, Any], message: str) -> None:
    trainings = SECTION["trainings"] | {"dropout": [setting]}
    with pytest.raises(ValidationError, match=message):
        TrainAdversarially.model_validate(SECTION | {"trainings": trainings})


def test_the_setting_with_the_fewest_held_out_errors_is_taken() -> None:
    errors = {("a", 0): 5, ("a", 1): 3, ("a", 2): 3, ("b", 0): 9}
    assert summary.best(errors) == {"a": 1, "b": 0}


def test_dropout_by_hand_and_not_outside_training() -> None:
    network = DroppingPerceptron([50, 40], 3, [0.2, 0.0, 0.5])
    network.initialise(generator("n"))  # type: ignore[misc]
    plain = Perceptron([50, 40], 3)
    plain.load_state_dict(network.state_dict())
    x = torch.rand(30, 1, 28, 28, generator=generator("x"))
    torch.testing.assert_close(network.eval()(x).log_y, plain(x).log_y)
    torch.manual_seed(0)
    top = network.train().encode(x)
    assert (top == 0).float().mean() == pytest.approx(0.5, abs=0.05)
    torch.manual_seed(0)
    pixels = torch.nn.functional.dropout(x.flatten(1), 0.2)
    h = torch.sigmoid(network.layers[1](torch.sigmoid(network.layers[0](pixels))))
    torch.testing.assert_close(top[top > 0], (2 * h)[top > 0])  # what stays counts twice


def test_errors_are_those_of_the_published_weights_and_of_the_setting_taken(
    cell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cell)
    source, found = data.load("digits"), metrics(cell)
    tried = pd.read_csv(FOLDER / "settings.csv")
    assert tried.loc[tried["taken"], "training"].tolist() == NAMES
    own = tried[tried["training"] == "weight_decay"]
    assert own["taken"].tolist() == [False, True]  # a decay of 100 leaves nothing
    assert own["wrong"].iloc[0] > own["wrong"].iloc[1]
    assert json.loads(own["options"].iloc[1]) == {"decays": [1e-5, 1e-6]}
    wrong = {}
    for name in NAMES:
        for seed in SECTION["seeds"]:
            path = Path(f"models/digits/adversarial/perceptrons/{name}-seed{seed}.safetensors")
            network, _ = registry.load(path, dataset="digits", model=name, seed=seed)
            wrong[name, seed] = network(data.floats(source.test_images)).log_y.argmax(1) != source.test_labels
        mean = torch.stack([wrong[name, seed] for seed in SECTION["seeds"]]).float().mean()
        assert found[f"test_error@training={name}"]["reproduced"] == pytest.approx(100 * float(mean))
    less = [wrong["adversarial", s].float() - wrong["weight_decay", s].float() for s in SECTION["seeds"]]
    row = found["error_difference@training=adversarial@than=weight_decay"]
    assert row["reproduced"] == pytest.approx(100 * float(torch.stack(less).mean()), abs=1e-4)


def test_the_images_attacked_are_the_same_and_right_for_all(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    source, trials, found = data.load("digits"), pd.read_csv(FOLDER / "trials.csv"), metrics(cell)
    kept = read_npz(FOLDER / "successes.npz")
    assert trials.groupby(["training", "seed"])["index"].apply(tuple).nunique() == 1
    images = dict(zip(kept["trial"].tolist(), kept["image"], strict=True))
    for i, row in trials.iterrows():
        network, _ = registry.load(
            f"models/digits/adversarial/perceptrons/{row['training']}-seed{row['seed']}.safetensors"
        )
        assert int(network(data.floats(source.test_images[row["index"]][None])).log_y.argmax()) == row["label"]
        if row["found"]:
            assert int(network(torch.from_numpy(images[i])[None, None]).log_y.argmax()) == row["target"]
    rms = trials.pivot_table(index=["seed", "index"], columns="training", values="distortion", dropna=False)
    for than in ("weight_decay", "dropout"):
        wanted = (rms["adversarial"] - rms[than]).dropna().groupby("seed").mean().mean()
        row = found[f"distortion_difference@training=adversarial@than={than}"]
        assert row["reproduced"] == pytest.approx(wanted)
    again = rescoring.rescore_seeds("digits", "train_adversarially")
    assert (again.images, again.difference < 1e-6) == (len(kept["trial"]), True)


def test_curves_tell_of_the_pool_of_a_training_that_has_one(cell: Path) -> None:
    curves = pd.read_csv(cell / FOLDER / "curves.csv")
    assert curves.groupby(["training", "seed"]).size().to_dict() == {(n, 0): 4 for n in NAMES}
    pooled = curves["training"] == "adversarial"
    assert curves.loc[pooled, "found"].between(0, 1).all()
    assert curves.loc[~pooled, "found"].isna().all()


def test_too_many_images_are_named(cell: Path, run_stage: Run) -> None:
    before = (cell / "params.yaml").read_text()
    set_params(cell / "params.yaml", {"train_adversarially.digits.held_out": 400})
    try:
        done = run_stage(cell, "train_adversarially", model="perceptrons", check=False)
    finally:
        (cell / "params.yaml").write_text(before)
    assert done.returncode == 1
    assert "train_adversarially.digits.held_out: 400 of 400 training images; lower it" in done.stderr


def test_the_table_has_reported_and_measured_errors(tmp_path: Path) -> None:
    study = study_of(tmp_path, train_adversarially="perceptrons")
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in report.adversarial(study).markdown.splitlines()
    ]
    shown = {line[0]: line[1] for line in lines[2:]}
    assert shown["weight decay"].startswith("1.6 → 1.65 ")
    assert shown["dropout"].startswith("1.3 → 1.35 ")
    assert shown["examples of every layer"].startswith("1.2 → 1.15 ✓")  # "below 1.2 %" holds for whatever is less
    assert shown["examples of the pixels"].startswith("1.65 ")


@pytest.mark.parametrize(
    ("claim", "metric", "below"),
    [
        (report.below_weight_decay, "error_difference", True),
        (report.below_dropout, "error_difference", True),
        (report.hidden_layers_needed, "error_difference", False),
        (report.larger_changes, "distortion_difference", False),
    ],
)
def test_claims_hang_on_the_whole_interval(tmp_path: Path, claim: Any, metric: str, below: bool) -> None:
    study = study_of(tmp_path, train_adversarially="perceptrons")
    sign = -1 if below else 1
    for ends, verdict in (((1, 2), "holds"), ((-2, -1), "contradicted"), ((-1, 2), "cannot tell")):
        low, high = sorted(sign * end for end in ends)
        found = claim(changed(study, {"metric": metric}, reproduced=(low + high) / 2, low=low, high=high))
        assert found.verdict == verdict


def test_it_is_said_where_the_least_weight_of_the_examples_was_the_best(tmp_path: Path) -> None:
    study = study_of(tmp_path, train_adversarially="perceptrons")
    settings = pd.DataFrame(
        [
            {"training": name, "options": json.dumps({"weight": weight} if weight else {}), "taken": taken}
            for name, weight, taken in (
                ("weight_decay", None, True),
                ("adversarial", 0.1, True),
                ("adversarial", 0.3, False),
                ("adversarial_pixels", 0.1, False),
                ("adversarial_pixels", 0.3, True),
            )
        ]
    )
    assert report.at_least_weight(study, settings) == []  # as many training errors as with weight decay
    where = {"metric": "train_error", "training": "adversarial"}
    assert report.at_least_weight(changed(study, where, reproduced=9.0), settings) == ["adversarial"]
    assert report.context(study)["adversarial_at_end"] == []  # of one setting nothing can be said
