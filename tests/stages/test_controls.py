"""The controls: remove_gate, fool_controls, train_controls and evaluate_controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from overgen.models import registry
from overgen.models.params import CnnModel
from overgen.run import params
from overgen.run.files import read_json, read_npz
from overgen.stages.evaluate_controls.params import EvaluateControls
from overgen.training import members
from overgen.training.params import Training

from workspace import ROOT, Study


def test_the_gate_off_answers_as_the_classifier_of_the_dae(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same log y on every test image, no reconstruction, and the weights of a CNN."""
    study.cell("remove_gate", "dae_sym")
    monkeypatch.chdir(study.root)
    whole, alone = (read_npz(f"models/digits/networks/{name}/outputs.npz") for name in ("dae_sym", "dae_sym_gate_off"))
    np.testing.assert_array_equal(whole["log_y"][:1], alone["log_y"])
    assert "distance" in whole
    assert not {"distance", "gamma"} & set(alone)
    network, about = registry.trained("digits", "dae_sym_gate_off")
    assert type(network).__name__ == "CNN"
    assert about["budget"] == registry.trained("digits", "dae_sym")[1]["budget"]
    (row,) = read_json(study.cell("remove_gate", "dae_sym") / "metrics.json")["metrics"]
    right = (alone["log_y"][0].argmax(1) == alone["labels"]).mean()
    assert (row["model"], row["reproduced"]) == ("dae_sym_gate_off", pytest.approx(100 * right))


def test_a_cnn_is_trained_on_noise_where_its_entry_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The noise that its network sees has the deviation of `training`; without the entry it sees the images."""
    images, labels = torch.full((8, 1, 28, 28), 128, dtype=torch.uint8), torch.arange(8)
    settings = Training(batch_size=8, learning_rate=1e-3, noise_std=0.2, l2=0.0)
    stage = type("Stage", (), {"item": {"model": "cnn_noise"}, "device": torch.device("cpu")})()
    seen = {}
    for kind in ("noisy", "clean"):
        model = CnnModel(network="cnn", classifier_input=kind)  # type: ignore[arg-type]
        module = members.prepare(stage, images, labels, key=("k",), classes=10, model=model, training=settings)
        module.network.register_forward_pre_hook(lambda _, x, kind=kind: seen.update({kind: x[0].detach()}))
        monkeypatch.setattr(module, "noise", module.noise_of(0, torch.device("cpu")), raising=False)
        monkeypatch.setattr(module, "sums", torch.zeros(5), raising=False)
        module.training_step(torch.arange(8))
    clean = torch.full((8, 1, 28, 28), 128 / 255)
    torch.testing.assert_close(seen["clean"], clean)
    noise = seen["noisy"] - clean
    assert abs(float(noise.std()) - 0.2) < 0.01
    assert abs(float(noise.mean())) < 0.01


def test_controls_start_where_the_attacks_on_the_study_s_networks_do(study: Study) -> None:
    """The same starts, targets and source images; and rows of an experiment of their own."""
    control, whole = study.cell("fool_controls", "dae_sym_gate_off"), study.cell("fool_gradient", "dae_sym")
    names = ["start", "target", "trial", "source"]
    ours, theirs = (pd.read_csv(cell / "trials.csv")[names].drop_duplicates() for cell in (control, whole))
    pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs.reset_index(drop=True))
    assert {row["experiment"] for row in read_json(control / "metrics.json")["metrics"]} == {"control_gradient"}


def test_every_network_of_the_controls_is_judged_by_all_methods_of_features(study: Study) -> None:
    trials = pd.read_csv(study.cell("evaluate_controls", "dae_sym") / "trials.csv")
    assert set(trials["method"]) == {"knn", "scaled_output_alpha20", "scaled_output_alpha3", "scaled_output_alpha2"}
    rows = read_json(study.cell("evaluate_controls", "dae_sym") / "metrics.json")["metrics"]
    assert {row["experiment"] for row in rows} == {"control_scores"}
    with pytest.raises(ValidationError, match="knn_pixels, softmax: must judge the top hidden layer"):
        EvaluateControls(features=["knn", "knn_pixels", "softmax"], outputs={})


@pytest.mark.parametrize("model", ["cnn", "cnn_noise", "cool", "dae_sym"])
def test_the_committed_controls_are_judged_by_all_of_their_lists(model: str) -> None:
    """Each method once on each problem, the same ones for every network; the summary's means are over them."""
    settings, cells = params.load(ROOT / "params.yaml"), ROOT / "reports/cells/mnist/evaluate_controls"
    asked, spent = settings.evaluate_controls, settings.train_controls["mnist"]
    assert model in settings.names("controls")
    trials = pd.read_csv(cells / model / "trials.csv")
    judged = trials["method"].str.partition("_alpha")[0]  # one that takes an alpha is there once for each
    assert set(judged) == {*asked.features, *asked.outputs[model]}
    assert not trials.duplicated(["method", "known", "subset"]).any()
    assert set(trials.groupby("method").size()) == {len(spent.known) * spent.subsets}
    problems = [frame[["known", "subset", "classes"]].drop_duplicates().reset_index(drop=True)
                for frame in (trials, pd.read_csv(cells / "cnn/trials.csv"))]  # fmt: skip
    pd.testing.assert_frame_equal(*problems)
    rows = {row["metric"]: row for row in read_json(cells / model / "metrics.json")["metrics"]}
    for method, of_method in trials.groupby("method"):
        row = rows[f"auroc@method={method}"]
        assert (row["reproduced"], row["n"]) == (pytest.approx(of_method["auroc"].mean()), len(of_method))
