"""The stage explore_noise."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import data
from overgen.confidence import ScaledOutput
from overgen.measures.thresholds import Threshold
from overgen.models import registry
from overgen.run.files import read_json, read_npz
from overgen.stages.explore_noise import report, summary
from overgen.stages.explore_noise.params import ExploreNoise
from overgen.stages.explore_noise.run import judged
from report_study import changed, study_of

from processes import Run
from workspace import Study, set_params

PAIRS = [(0.9, 20.0), (0.99, 3.0)]


def test_of_each_tau_the_first_alpha_is_taken() -> None:
    thresholds = [Threshold(tau=t, alpha=a) for t, a in ((0.9, 20.0), (0.99, 3.0), (0.99, 2.0))]
    assert summary.paper_pairs(thresholds) == PAIRS


def test_scores_are_those_of_the_scaled_output(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Γ is computed only where it can decide: where ỹ lies above some τ it is there, elsewhere it is an upper bound."""
    study.cell("train_autoencoder", "dae_sym")
    monkeypatch.chdir(study.root)
    network, _ = registry.trained("digits", "dae_sym")
    x = data.floats(data.load("digits").test_images[:40])
    pairs = [(0.1, 3.0), (0.3, 1.0)]
    scores, labels = judged(network, x, pairs=pairs, beta=10.0, probes=1)
    log_y = network(x).log_y
    assert torch.equal(labels, log_y.argmax(1))
    assert torch.equal(scores[0], log_y.max(1).values)
    for (tau, alpha), found in zip(pairs, scores[1:], strict=True):
        whole = ScaledOutput(network, alpha=alpha, beta=10.0, probes=1)
        exact, bound = whole(x).max(1).values, whole.upper_bound(x).max(1).values
        assert torch.equal(found > math.log(tau), exact > math.log(tau))
        assert bool((found <= bound + 1e-5).all())
        assert bool((found >= exact - 1e-5).all())
        above = exact > math.log(tau)
        assert torch.allclose(found[above], exact[above], atol=1e-5)


def test_each_score_is_counted_above_its_own_tau() -> None:
    """Of four images: y, and ỹ at the α of either τ."""
    y, first, second = [0.95, 0.995, 0.5, 0.91], [0.92, 0.8, 0.3, 0.1], [0.995, 0.992, 0.3, 0.2]
    found = summary.noise_of("dae_sym", {"uniform.scores": np.log([y, first, second])}, PAIRS, ["uniform"])
    assert found[["score", "tau", "called", "images"]].to_numpy().tolist() == [
        ["y", 0.9, 3, 4], ["scaled", 0.9, 1, 4], ["y", 0.99, 1, 4], ["scaled", 0.99, 2, 4],
    ]  # fmt: skip


def runs(log10: list[float], reached: list[bool]) -> pd.DataFrame:
    spent = {"variation": 0.5, "evaluations": 100}
    return pd.DataFrame({"log10": log10, "reached": reached}).assign(**spent)


def test_a_volume_is_a_mean_over_runs_or_a_bound() -> None:
    row = summary.volume_row("log_volume@score=y", runs([-3.0, -3.5, -2.5], [True] * 3), tau=0.9, model="cnn")
    assert row["reproduced"] == pytest.approx(-3)
    assert row["low"] < -3 < row["high"]
    bound = summary.volume_row("log_volume@score=y", runs([-10.0, -9.0], [True, False]), tau=0.9, model="cnn")
    assert (bound["reproduced"], bound["low"]) == (None, None)
    assert bound["high"] == pytest.approx(-9 + 2 * 0.5 / math.log(10))
    assert "1 of 2 runs ended before the set" in bound["note"]


def test_what_gamma_leaves_of_a_set_makes_it_smaller() -> None:
    def volumes(kept: float) -> pd.DataFrame:
        rows = np.array([[1, 0.9, 20.0, 0, -5.0, 1, 0.5, 7, 900, 40, kept]])
        return summary.volumes_of("dae_sym", {"volumes": rows})

    assert volumes(1.0)["log10"].item() == -5
    assert volumes(0.1)["log10"].item() == pytest.approx(-6)
    nothing = volumes(0.0)
    assert (nothing["log10"].item(), nothing["reached"].item()) == (-5, False)


def test_the_cell_agrees_with_its_tables(study: Study) -> None:
    cell = study.cell("explore_noise", "networks")
    noise, volumes = pd.read_csv(cell / "noise.csv"), pd.read_csv(cell / "volumes.csv")
    rows = read_json(cell / "metrics.json")["metrics"]
    called = {
        (row["model"], row["metric"], row["tau"]): row["reproduced"] for row in rows if row["experiment"] == "noise"
    }
    assert len(called) == len(noise) == 4 * 2 * (1 + 2)  # kinds, τ, and y of two networks and ỹ of one
    for row in noise.to_dict("records"):
        name = f"called_a_class@{row['kind']}@score={row['score']}"
        assert called[row["network"], name, row["tau"]] == pytest.approx(100 * row["called"] / row["images"])
    assert (noise["images"] == 20).all()
    wide = noise.pivot(index=["network", "kind", "tau"], columns="score", values="called").dropna()
    assert (wide["scaled"] <= wide["y"]).all()
    assert len(volumes) == 2 * 2 * (1 + 2)  # runs, τ
    assert (volumes.groupby(["network", "score", "tau"])["log10"].nunique() == 2).any()  # runs are different ones
    assert (pd.read_csv(cell / "balls.csv").groupby("dimension")["log10"].nunique() == 2).all()
    assert ((volumes["log10"] <= 0) & (volumes["levels"] <= 4)).all()
    shown = read_npz(cell / "examples.npz")
    assert shown["image"].shape == (2, 4, 28, 28)
    assert len(shown["inside"]) == (volumes["reached"] & (volumes["run"] == 0)).sum()


def test_images_of_a_set_have_the_scores_that_stand_beside_them(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 8 bits, so nearly; and the noise that a network is surest of exactly."""
    cell: Path = study.cell("explore_noise", "networks")
    monkeypatch.chdir(study.root)
    shown = read_npz(cell / "examples.npz")
    for m, name in enumerate(shown["network"]):
        network, _ = registry.trained("digits", str(name))
        y = network(data.floats(torch.from_numpy(shown["image"][m])[:, None])).log_y.exp()
        np.testing.assert_allclose(y.max(1).values.numpy(), shown["score"][m], atol=1e-4)
        assert y.argmax(1).tolist() == shown["label"][m].tolist()


def test_a_volume_below_one_in_a_million_is_nothing_and_a_bound_can_only_hold(tmp_path: Path) -> None:
    study = study_of(tmp_path, explore_noise="networks")
    of = {"experiment": "volume", "score": "scaled", "model": "dae_sym", "tau": "0.99"}

    def said(**values: float) -> str:
        claim = report.a_random_image_is_noise(changed(study, of, **values))
        assert claim is not None
        return claim.verdict

    assert said(reproduced=math.nan, low=math.nan, high=-200.0) == "holds"
    assert said(reproduced=math.nan, low=math.nan, high=-5.0) == "cannot tell"
    assert said(reproduced=-250.0, low=-260.0, high=-240.0) == "holds"
    assert said(reproduced=-6.0, low=-7.0, high=-5.0) == "cannot tell"
    assert said(reproduced=-2.0, low=-3.0, high=-1.0) == "contradicted"


def test_the_claims_about_noise_take_the_kind_that_is_called_a_class_most(tmp_path: Path) -> None:
    study = study_of(tmp_path, explore_noise="networks")
    of = {"experiment": "noise", "on": "phase", "tau": "0.99"}
    much = changed(study, of, reproduced=60.0, low=50.0, high=70.0)
    classifier, scaled = report.classifiers_call_noise_a_class(much), report.scaled_output_knows_noise(much)
    assert classifier is not None
    assert scaled is not None
    assert (classifier.row["on"], classifier.row["model"], classifier.verdict) == ("phase", "cnn", "holds")
    assert (scaled.row["on"], scaled.row["score"], scaled.verdict) == ("phase", "scaled", "contradicted")
    little = changed(study, {"experiment": "noise"}, reproduced=0.0, low=0.0, high=1.0)
    classifier, scaled = report.classifiers_call_noise_a_class(little), report.scaled_output_knows_noise(little)
    assert classifier is not None
    assert scaled is not None
    assert (classifier.verdict, scaled.verdict) == ("contradicted", "holds")


def test_volumes_by_a_scaled_output_need_one(workspace: Path, study: Study, run_stage: Run) -> None:
    section = {"networks": ["cnn"], "images": 1, "runs": 2, "chains": 2, "length": 2, "levels": 1, "balls": [2]}
    with pytest.raises(ValueError, match="scaled_volumes: dae_sym not among networks"):
        ExploreNoise.model_validate(section | {"scaled_volumes": ["dae_sym"]})
    study.cell("train_classifier", "cnn")
    shutil.copytree(study.root / "models", workspace / "models")
    set_params(workspace / "params.yaml", {"explore_noise.digits": section | {"scaled_volumes": ["cnn"]}})
    done = run_stage(workspace, "explore_noise", model="networks", check=False)
    assert done.returncode == 1
    assert "explore_noise.digits.scaled_volumes: cnn does not reconstruct" in done.stderr
