"""The stage explore_anomaly, and `overgen anomaly`, which judges a picture by its cell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.metrics import log_loss, roc_auc_score
from typer.testing import CliRunner

from overgen import cli, data
from overgen.anomaly import Judged
from overgen.measures.reconstruction import codes_and_errors, reconstruction_errors
from overgen.models import registry
from overgen.report.study import read_study
from overgen.run.files import read_json, read_npz
from overgen.run.streams import generator
from overgen.stages.explore_anomaly import report, run, summary, tutorial
from report_study import BANDS, changed, plan_of, study_of

from made_up import example_cell
from workspace import ROOT, Study


def test_errors_of_a_reconstruction_by_hand() -> None:
    draw = np.random.default_rng(0)
    x, r = (draw.random((2, 5)) > 0.5).astype(np.float32), draw.uniform(0.1, 0.9, (2, 5)).astype(np.float32)
    errors = reconstruction_errors(torch.from_numpy(r), torch.from_numpy(x))
    for i in range(2):
        assert float(errors["mse"][i]) == pytest.approx(np.mean((r[i] - x[i]) ** 2))
        assert float(errors["rmse"][i]) == pytest.approx(np.sqrt(np.mean((r[i] - x[i]) ** 2)))
        assert float(errors["mae"][i]) == pytest.approx(np.mean(np.abs(r[i] - x[i])))
        assert float(errors["bce"][i]) == pytest.approx(log_loss(x[i], r[i], labels=[0, 1]), rel=1e-6)


def test_the_error_of_a_pixel_that_is_wrong_for_sure_is_finite() -> None:
    errors = reconstruction_errors(torch.tensor([[1.5, -0.5]]), torch.tensor([[0.0, 1.0]]))
    assert float(errors["bce"]) == 100  # where the logarithm is cut


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.floats(-1, 3))
def test_curves_and_areas_are_those_of_scikit_learn(seed: int, shift: float) -> None:
    draw = np.random.default_rng(seed)
    known, labels = draw.normal(0, 1, 60).round(1), np.arange(60) % 3
    unknown = {"a": draw.normal(shift, 1, 25).round(1), "b": draw.normal(shift, 2, 10).round(1)}
    rows = pd.DataFrame(summary.by_class(known, labels, unknown)).set_index(["kind", "class"])["auroc"]
    for kind, values in unknown.items():
        for c in range(3):
            of = known[labels == c]
            expected = roc_auc_score(np.r_[np.zeros(len(of)), np.ones(len(values))], np.r_[of, values])
            assert rows[kind, c] == pytest.approx(expected)
    curve = summary.roc(known, labels, unknown)
    assert (np.diff(curve["tpr"]) >= 0).all()
    assert (curve["low"] <= curve["tpr"]).all()
    at = curve.iloc[10]  # a fifth of each class's 20 images may be rejected: 4
    shares = [np.mean([np.mean(v > np.sort(known[labels == c])[-5]) for v in unknown.values()]) for c in range(3)]
    assert at["fpr"] == pytest.approx(0.2)
    assert at["tpr"] == pytest.approx(np.mean(shares))


def test_a_threshold_rejects_what_lies_beyond_it() -> None:
    held_out = np.array([1.0, 2.0, 3.0])
    assert summary.threshold(held_out, 2) == 4
    errors = {
        "n": {
            f"rmse.{kind}": values
            for kind, values in {
                "held_out": held_out,
                "known": np.array([1.0, 4.0, 4.1, 2.0]),
                "far": np.full(5, 9.0),
            }.items()
        }
    }
    curves = pd.DataFrame({"seed": 0, "epoch": [1], "mean": [0.1], "deviation": [0.03]})
    rows, tables = summary.cell(errors, np.array([0, 0, 1, 1]), curves, [2])
    found = {row["metric"]: row["reproduced"] for row in rows}
    assert found["known_rejected@measure=rmse@k=2"] == 25
    assert found["unknown_rejected@kind=far@measure=rmse@k=2"] == 100
    assert found["auroc@kind=far@measure=rmse"] == 1
    assert tables["thresholds"]["threshold"].tolist() == [4, 4]


def test_the_network_of_the_tutorial_learns_and_hangs_on_its_key_alone() -> None:
    images = data.floats(torch.randint(0, 2, (64, 1, 4, 4), generator=generator("images")).byte() * 255).flatten(1)
    chosen = SimpleNamespace(hidden=8, learning_rate=0.05, epochs=5, batch_size=16)
    first, again, other = (tutorial.curve(images, images[:9], chosen, key) for key in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert first["mean"].iloc[-1] < first["mean"].iloc[0]
    near = tutorial.nearest(
        pd.concat([first.assign(seed=0), other.assign(seed=1)], ignore_index=True), first["mean"][2]
    )
    assert near["epoch"].iloc[0] == 3
    assert len(near) == 2


def test_the_tutorials_numbers_are_of_the_last_epoch_and_of_the_slides_mean() -> None:
    curves = pd.DataFrame(
        {"seed": seed, "epoch": epoch, "mean": mean, "deviation": deviation}
        for seed, epoch, mean, deviation in (
            (0, 1, 0.20, 0.06), (0, 2, 0.11, 0.04), (0, 3, 0.09, 0.02),
            (1, 1, 0.104, 0.03), (1, 2, 0.09, 0.01), (1, 3, 0.07, 0.01),
        )
    )  # fmt: skip
    rows = {row["metric"]: row["reproduced"] for row in summary.tutorial_rows(curves, 60)}
    assert rows == pytest.approx({  # .105 is nearest to that of epoch 2 of one seed and 1 of the other
        "tutorial_mean": 0.08, "tutorial_deviation": 0.015, "tutorial_mean_near_reported": 0.107,
        "tutorial_deviation_near_reported": 0.035, "tutorial_epoch_near_reported": 1.5,
    })  # fmt: skip


def test_thresholds_are_set_on_other_images_than_are_judged(study: Study) -> None:
    study.cell("download")
    dataset = data.load("digits", study.root / "data")
    held_out, known = (set(part.tolist()) for part in run.halves(dataset, 60))
    assert len(held_out) == len(known) == 60
    assert not held_out & known
    held_out, known = (set(part.tolist()) for part in run.halves(dataset, 10**6))
    assert len(held_out | known) == len(dataset.test_images)


def test_what_lies_more_than_k_deviations_above_the_mean_is_strange() -> None:
    measured = Judged("error", 1.5, 1.0, 0.25, 60)
    assert [measured.threshold(k) for k in (0, 1, 2)] == [1, 1.25, 1.5]
    assert [measured.strange(k) for k in (0, 1, 2, 3)] == [True, True, False, False]


@pytest.fixture
def folder(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what `overgen anomaly` needs, which is no data."""
    cell = study.cell("explore_anomaly", "networks")
    shutil.copytree(cell, tmp_path / "reports/cells/digits/explore_anomaly/networks")
    for name in ("autoencoder", "dae_sym", "cnn"):
        stage = "train_classifier" if name == "cnn" else "train_autoencoder"
        study.cell(stage, name)
        shutil.copytree(study.root / "models/digits/networks" / name, tmp_path / "models/digits/networks" / name)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(study.root / name, tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/overgen").symlink_to(study.root / "src/overgen")
    monkeypatch.chdir(tmp_path)
    return tmp_path


Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    def called(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli.commands, ["anomaly", *arguments])
        return result.exit_code, result.output + (str(result.exception) if result.exception else "")

    return called


def picture(image: np.ndarray, name: str) -> str:
    Image.fromarray(image).save(name)
    return name


def numbers(folder: Path, model: str) -> Mapping[str, float]:
    rows = read_json(folder / "reports/cells/digits/explore_anomaly/networks/metrics.json")["metrics"]
    return {row["metric"]: row["reproduced"] for row in rows if row.get("model") == model}


def test_a_picture_gets_the_verdict_of_the_study(folder: Path, study: Study, call: Call) -> None:
    dataset = data.load("digits", study.root / "data")
    network, _ = registry.trained("digits", "autoencoder")
    x = dataset.test_images[:1]
    code, errors = codes_and_errors(network, x, chunk=1)
    kept, of = (
        read_npz(folder / "reports/cells/digits/explore_anomaly/networks/examples.npz"),
        numbers(folder, "autoencoder"),
    )
    white = kept["autoencoder.whitening"]
    distance = cdist(code @ white.T, kept["autoencoder.means"] @ white.T).min()  # whitened, it is Euclid's
    limit = of["error_mean@measure=rmse"] + 50 * of["error_deviation@measure=rmse"]
    status, said = call(picture(x[0, 0].numpy(), "digit.png"), "--on", "digits/autoencoder", "--k", "50")
    assert status == 0, said
    assert f"RMS error of the reconstruction {errors['rmse'][0]:.4g}; threshold {limit:.4g} = " in said
    assert f"Mahalanobis distance of the code {distance:.4g}; " in said
    assert "digit.png: no anomaly to digits/autoencoder" in said
    status, said = call(picture(255 - x[0, 0].numpy(), "inverse.png"), "--on", "digits/autoencoder", "--no-invert")
    assert status == 0
    assert "inverse.png: an anomaly to digits/autoencoder" in said
    assert call("inverse.png", "--on", "digits/autoencoder", "--invert", "--k", "50")[1] == call(
        "digit.png", "--on", "digits/autoencoder", "--k", "50")[1].replace("digit.png", "inverse.png")  # fmt: skip
    assert "inverse.png: its ground is bright" in call("inverse.png", "--on", "digits/autoencoder")[1]
    status, said = call("digit.png", "--on", "digits/dae_sym", "--k", "50")
    assert "the code of digits/dae_sym is not judged" in said
    assert (status, said.count("threshold")) == (0, 1)  # a code of 400 units is not in the cell


def test_what_cannot_be_judged_is_named(folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    there = picture(np.zeros((28, 28), np.uint8), "there.png")
    Path("cut.png").write_bytes(Path("there.png").read_bytes()[:30])
    for arguments, says in (
        (
            ("there.png", "--on", "digits/cnn"),
            "digits/explore_anomaly/networks has no errors of it",
        ),
        (("there.png", "--on", "digits/nothing"), "no trained weights"),
        (("missing.png", "--on", "digits/autoencoder"), "missing.png: missing"),
        (("cut.png", "--on", "digits/autoencoder"), "cut.png"),
    ):
        status, said = call(*arguments)
        assert status == 1
        assert says in said
    shutil.copy("models/digits/networks/dae_sym/seed0.safetensors", "models/digits/networks/autoencoder")
    assert "is of other weights than those here" in call(there, "--on", "digits/autoencoder")[1]
    shutil.rmtree("reports")
    assert "`dvc repro explore_anomaly@digits-networks` makes it" in call(there, "--on", "digits/dae_sym")[1]


def test_the_claims_follow_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "budgets").mkdir()
    shutil.copy(ROOT / "budgets/paper.txt", tmp_path / "budgets")

    def verdicts(dataset: str, **options: Any) -> dict[str, str | None]:
        example_cell(tmp_path / "reports/cells", "explore_anomaly", "networks", dataset=dataset, **options)
        found = read_study(plan_of({"explore_anomaly": {"networks": {}}}), dataset, tmp_path, bands=BANDS)
        claims = {claim.__name__: claim(found) for claim in report.CLAIMS}
        return {name: claim and claim.verdict for name, claim in claims.items()}

    of_mnist = verdicts("mnist")
    assert of_mnist["slides_detector"] == "holds"
    assert of_mnist["other_data_are_anomalies"] == "holds"
    assert of_mnist["threshold_keeps_the_known"] in (
        "contradicted",
        "cannot tell",
    )
    assert of_mnist["codes_tell_anomalies"] == "cannot tell"  # one kind has the codes of test images
    of_digits = verdicts("digits", kinds=("uniform",))
    assert of_digits["slides_detector"] is None
    assert of_digits["other_data_are_anomalies"] is None


def test_the_slides_deviation_must_lie_within_a_quarter_of_theirs(tmp_path: Path) -> None:
    """0.036 of the slides: from 0.027 to 0.045 with the whole interval; beyond either end it is another network's."""
    study = study_of(tmp_path, explore_anomaly="networks")

    def said(low: float, high: float) -> str:
        claim = report.slides_detector(
            changed(study, {"metric": "tutorial_deviation_near_reported"}, low=low, high=high)
        )
        assert claim is not None
        return claim.verdict

    assert said(0.028, 0.044) == "holds"
    assert said(0.02, 0.026) == said(0.046, 0.06) == "contradicted"
    assert said(0.02, 0.03) == said(0.04, 0.05) == said(0.02, 0.05) == "cannot tell"
