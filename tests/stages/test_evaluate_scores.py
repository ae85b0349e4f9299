"""The stage evaluate_scores: its numbers by hand, and its cell on a tiny study."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import OvergenError, data
from overgen.measures import histograms
from overgen.measures.thresholds import Threshold
from overgen.run.files import read_json, read_npz, write_npz
from overgen.stages.evaluate_scores import member, summary
from overgen.stages.evaluate_scores import run as evaluate_scores

from conftest import Run, set_params

PAIRS = ((0.9, 20.0), (0.99, 3.0))  # (τ, α)


def test_images_of_another_data_set_are_unknowns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Borrowed from data/ if they are there, else fetched once to a place that DVC does not know."""
    monkeypatch.chdir(tmp_path)
    fooling = np.zeros((3, 28, 28), np.uint8)
    for dataset, images in (("mnist", fooling), ("digits", fooling[:0])):
        write_npz(f"reports/cells/{dataset}/collect_fooling/attacked/examples.npz", image=images)

    def further(dataset: str, other: str = "digits") -> dict[str, torch.Tensor]:
        options = {"evaluate_scores.other_data": {"mnist": other}, "evaluate_scores.noise_images": 40}
        return evaluate_scores.further_images(SimpleNamespace(item={"dataset": dataset}, params=options.__getitem__))

    first = further("mnist")
    assert list(first) == ["other_data", "fooling"]
    assert (first["other_data"].shape, first["other_data"].dtype) == ((40, 1, 28, 28), torch.uint8)
    assert first["fooling"].shape == (3, 1, 28, 28)
    place = Path(".overgen/data/digits/tensors.safetensors")
    written = place.stat().st_mtime_ns
    test = {image.numpy().tobytes() for image in data.load("digits", ".overgen/data").test_images}
    assert {image.numpy().tobytes() for image in first["other_data"]} <= test
    assert torch.equal(further("mnist")["other_data"], first["other_data"])
    assert place.stat().st_mtime_ns == written
    shutil.copytree(".overgen/data/digits", "data/digits")
    shutil.rmtree(".overgen")
    assert torch.equal(further("mnist")["other_data"], first["other_data"])
    assert not Path(".overgen").exists()
    assert further("digits") == {}  # none is named for it, and none was collected
    with pytest.raises(OvergenError, match="letters"):
        further("mnist", "letters")


def test_the_networks_own_scores_by_hand() -> None:
    """Two images of two classes: ỹ = c̃·y at each α; of c̃ itself y has no part. Without a reconstruction ỹ = y."""
    section = SimpleNamespace(beta=10.0, thresholds=[Threshold(tau=tau, alpha=alpha) for tau, alpha in PAIRS])
    log_y = np.log(np.array([[[0.9, 0.1], [0.4, 0.6]]]))
    reconstructs = {"log_y": log_y, "distance": np.array([[784.0, 0]]), "gamma": np.array([[-1.0, 0.5]])}
    answers, asked = np.array([0, 1]), ["softmax", "scaled_output", "confidence"]
    plain = member.output_scores(asked, section, {"test": {"log_y": log_y}}, answers)
    assert set(plain) == {"scaled_output.test", "scaled_output.predicted"}
    np.testing.assert_allclose(np.exp(plain["scaled_output.test"]), [0.9, 0.6])
    scores = member.output_scores(asked, section, {"test": reconstructs, "uniform": reconstructs}, answers)
    methods = ["scaled_output_alpha3", "scaled_output_alpha20", "confidence_alpha3", "confidence_alpha20"]
    assert list(scores) == [f"{name}.{part}" for name in methods for part in ("test", "uniform", "predicted")]
    np.testing.assert_allclose(scores["confidence_alpha3.test"], [-3, -5])  # −α/784·784, and −β·½
    np.testing.assert_allclose(scores["confidence_alpha20.uniform"], [-20, -5])
    np.testing.assert_allclose(scores["scaled_output_alpha20.test"], [-20 + np.log(0.9), -5 + np.log(0.6)])
    assert scores["confidence_alpha3.predicted"].tolist() == [0, 1]


def test_histograms_hold_every_score() -> None:
    kinds = {"known": np.r_[np.linspace(0, 1, 500), 1e9], "unknown": np.full(40, -1e9)}
    found = histograms.histogram(kinds, 10, span=["known"])
    assert 0 <= found["low"].min() < found["high"].max() <= 1
    assert found.groupby("kind")["count"].sum().to_dict() == {"known": 501, "unknown": 40}
    assert histograms.histogram({"alike": np.full(9, 3.0)}, 4, span=["alike"])["count"].sum() == 9


def test_the_stage_on_a_tiny_study(workspace: Path, run_stage: Run) -> None:
    options = {
        "evaluate_scores.methods": {
            "dae_sym": [
                "scaled_output",
                "confidence",
                "openmax",
                "knn",
                "w_svm",
                "pca_pixels",
                "autoencoder_pixels",
                "other_uniform",
                "other_shuffled_pixels",
            ],
        },
        "attacked": [],
        "variant_datasets": [],
        "confidence.digits.thresholds": [{"tau": tau, "alpha": alpha} for tau, alpha in PAIRS],
        "evaluate_scores.network_updates": {"other": 60},
        "evaluate_scores.fit_images": 60,
        "evaluate_scores.noise_images": 20,
        "train_openset.digits": {"known": [2, 10], "subsets": 2, "epochs": 1},
    }
    set_params(workspace / "params.yaml", options)
    for attack in ("fool_fgn", "fool_gradient", "fool_evolution"):  # none was run
        (workspace / "reports/cells/digits" / attack).mkdir(parents=True)
    run_stage(workspace, "collect_fooling", model="attacked")
    run_stage(workspace, "train_openset", model="dae_sym")
    run_stage(workspace, "evaluate_scores", model="dae_sym")
    cell = workspace / "reports/cells/digits/evaluate_scores/dae_sym"
    trials = pd.read_csv(cell / "trials.csv")
    methods = ["openmax", "knn", "w_svm", "pca_pixels", "autoencoder_pixels", "other_uniform", "other_shuffled_pixels",
               "scaled_output_alpha3", "scaled_output_alpha20", "confidence_alpha3", "confidence_alpha20"]  # fmt: skip
    assert trials["method"].tolist() == methods * 3
    assert trials.groupby("known")["auroc"].count().to_dict() == {2: 2 * len(methods), 10: 0}
    pixels = trials[(trials["method"] == "pca_pixels") & (trials["known"] == 2)]
    assert (pixels["auroc"] > 0.8).all()  # as they should, whatever the network has learnt
    assert (pixels["auroc_uniform"] == 1).all()
    by_method = trials.groupby("method")[["auroc_uniform", "auroc_shuffled"]].min()
    assert by_method.loc["other_shuffled_pixels", "auroc_shuffled"] > 0.99  # what it was fitted on
    assert by_method.loc["other_uniform", "auroc_uniform"] > 0.99
    assert trials["auroc_fooling"].isna().all()  # no network is attacked here
    # ỹ is what evaluate_openset judges
    run_stage(workspace, "evaluate_openset", model="dae_sym")
    there = pd.read_csv(workspace / "reports/cells/digits/evaluate_openset/dae_sym/trials.csv")
    there = there[there["alpha"] == 20].set_index(["known", "subset"])["auroc"]
    here = trials[trials["method"] == "scaled_output_alpha20"].set_index(["known", "subset"])["auroc"]
    pd.testing.assert_series_equal(here, there)
    rows = {row["metric"]: row for row in read_json(cell / "metrics.json")["metrics"]}
    knn = trials[(trials["method"] == "knn") & (trials["known"] < 10)]
    assert rows["auroc@method=knn"]["reproduced"] == pytest.approx(knn["auroc"].mean())
    assert rows["auroc@method=knn"]["n"] == 2
    assert rows["auroc@method=knn@known=2"]["n"] == 2
    none = rows["auroc_fooling@method=knn"]
    assert (none["reproduced"], none["n"], none["note"]) == (None, 0, "there is no such image")
    kinds = set(pd.read_csv(cell / "histograms.csv")["kind"])
    assert kinds == {"known classes", "unknown classes", "uniform noise", "normal noise", "shuffled pixels"}
    with np.load(cell / "examples.npz") as examples:
        assert examples["image"].shape == (len(methods), 2, 10, 28, 28)
        assert examples["image"].dtype == np.uint8
        known = np.isin(examples["label"], examples["known"])
        assert not known[:, 0].any()
        assert known[:, 1].all()
        assert (np.diff(examples["score"][:, 0], axis=1) <= 0).all()
        assert (np.diff(examples["score"][:, 1], axis=1) >= 0).all()
    first = (cell / "trials.csv").read_bytes()
    run_stage(workspace, "evaluate_scores", model="dae_sym")
    assert (cell / "trials.csv").read_bytes() == first
    # the fooling images are those that were collected: here noise, which the error of pixels tells from every digit
    collection = workspace / "reports/cells/digits/collect_fooling/attacked/examples.npz"
    noise = np.random.default_rng(0).integers(256, size=(7, 28, 28), dtype=np.uint8)
    write_npz(collection, **read_npz(collection) | {"image": noise})
    set_params(workspace / "params.yaml", {"evaluate_scores.methods.dae_sym": ["pca_pixels"]})
    run_stage(workspace, "evaluate_scores", model="dae_sym")
    trials = pd.read_csv(cell / "trials.csv")
    assert trials["auroc_fooling"].tolist() == [1, 1, 1]
    assert pd.read_csv(cell / "histograms.csv").groupby("kind")["count"].sum()["fooling images"] == 2 * len(noise)


def test_means_stand_without_one_known_class_too() -> None:
    """Of k = 1, 2 and 4 known classes the mean over all is of three numbers, that over 2 and more of two."""
    trials = pd.DataFrame({"method": "softmax", "known": [1, 1, 2, 2, 4, 4], "subset": [0, 1] * 3})
    trials = trials.assign(**dict.fromkeys(summary.MEASURES, 0.5)).assign(auroc=[0.5, 0.5, 0.8, 0.9, 0.9, 1.0])

    def found(trials: pd.DataFrame) -> dict[tuple[str, str], tuple[float, int]]:
        rows = summary.mean_rows(trials)
        return {(row["experiment"], row["metric"]): (row["reproduced"], row["n"]) for row in rows}

    rows = found(trials)
    assert rows["scores", "auroc@method=softmax"] == (pytest.approx((0.5 + 0.85 + 0.95) / 3), 6)
    assert rows["scores_mean", "auroc@method=softmax@from_known=2"] == (pytest.approx((0.85 + 0.95) / 2), 4)
    assert {metric.partition("@")[0] for of, metric in rows if of == "scores_mean"} == {"auroc", "oscr", "f_measure"}
    for only in (trials[trials["known"] > 1], trials[trials["known"] == 1]):  # the two means would be one, or none
        assert not any(of == "scores_mean" for of, _ in found(only))
