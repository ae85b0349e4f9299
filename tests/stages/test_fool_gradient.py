"""The stage fool_gradient: its rows by hand, and its cell on the tiny study."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from overgen.attacks import gradient
from overgen.attacks.attacked import Block
from overgen.attacks.passage import Passage
from overgen.measures.outputs import scores_of_images
from overgen.models import registry, weights
from overgen.run.files import read_npz
from overgen.run.streams import generator
from overgen.stages.fool_gradient import summary as fool_gradient_summary
from overgen.stages.fool_gradient.params import GradientDescent

from workspace import Study


def noise(trials: int = 3) -> torch.Tensor:
    return torch.stack([torch.rand(784, generator=generator("g", t), dtype=torch.float64) for t in range(trials)])


def test_rates_and_means_of_the_trials() -> None:
    common = {"seed": 0, "tau": 0.9, "alpha": 20.0, "start": "noise", "target": 3}
    table = pd.DataFrame(
        [
            common | {"trial": 1, "step": None, "nearest_label": 3, "target_distance": 1, "change": 1, "score": 0.2},
            common | {"trial": 0, "step": 30, "nearest_label": 5, "target_distance": 6.0, "change": 9.0, "score": 0.92},
        ]
    ).astype({"step": "Int64"})
    table["score_in_8_bits"] = [math.nan, 0.9]
    found = {row["metric"]: row for row in fool_gradient_summary.rows(table, [(0.9, 20.0)])}
    assert found["fooling_rate@start=noise"]["reproduced"] == 50
    assert found["fooling_rate@start=noise"]["n"] == 2
    assert found["fooling_rate_in_8_bits@start=noise"]["reproduced"] == 0  # 0.9 is not above 0.9
    assert found["fooling_rate_in_8_bits@start=noise"]["n"] == 2
    over = found["fooling_rate_over_classes@start=noise"]
    assert (over["reproduced"], over["n"], over["low"]) == (50, 1, None)  # both trials are of one class
    assert found["mean_steps_to_fool@start=noise"]["reproduced"] == 30
    assert found["mean_distance_to_target_class@start=noise"]["reproduced"] == 6
    assert found["mean_change@start=noise"]["reproduced"] == 9
    assert found["nearest_is_target_rate@start=noise"]["reproduced"] == 0
    assert found["nearest_is_target_rate@start=noise"]["n"] == 1
    images = np.arange(2)[:, None] * np.ones((2, 784))
    shown = fool_gradient_summary.examples(table, images, [(0.9, 20.0)], range(4), (1, 28, 28))
    assert shown["image"][0, 3].flat[0] == 1
    assert shown["score"][0, 3] == 0.92
    assert shown["fooled"][0].tolist() == [False, False, False, True]


def test_the_score_of_a_trial_has_every_factor() -> None:
    """ỹ_t = y_t · exp(−α/784·‖r − x‖) · exp(−βγ), as the threshold judges it."""
    ended = Passage(
        step=torch.tensor([[5], [-1]]),
        image=torch.zeros(2, 1, 784),
        log_y=torch.tensor([0.95, 0.5]).log(),
        distance=torch.tensor([2.0, 3.0]),
        gamma=torch.tensor([0.01, -0.5]),
    )
    found = gradient.in_turn([(lambda rows: ended, 9)], trials=2, pixels=784, alpha=20, beta=10)
    scores = [0.95 * math.exp(-20 / 784 * 2) * math.exp(-0.1), 0.5 * math.exp(-20 / 784 * 3)]
    assert found.score.exp().tolist() == pytest.approx(scores)
    blocks = [Block("block0", 0, (0.9, 20.0), [("noise", 3, 0), ("other_class", 4, 1)])]
    arrays = {name: values.numpy() for name, values in vars(found).items()} | {
        "source": np.array([-1, 77]), "change": np.ones(2), "target_distance": np.ones(2),
        "nearest_label": np.array([3, 4]), "nearest_distance": np.ones(2),
    }  # fmt: skip
    attacks = [GradientDescent(objective="margin", learning_rate=0.1, updates=9)]
    table = fool_gradient_summary.gather(blocks, [arrays], attacks)
    assert table["score"].tolist() == pytest.approx(scores)
    assert table["step"].isna().tolist() == [False, True]
    assert table["source"].isna().tolist() == [True, False]
    assert table["objective"].tolist() == ["margin", "margin"]


def test_the_cell_of_a_stage(study: Study) -> None:
    cell, workspace = study.cell("fool_gradient", "cnn"), study.root
    trials = pd.read_csv(cell / "trials.csv")
    assert len(trials) == 2 * 2 * 3 * 10 * 1  # seeds × thresholds × starts × classes × restarts
    assert (trials["source"].notna() == (trials["start"] == "other_class")).all()
    fooled = trials["step"].notna()
    assert fooled.any()
    assert (trials.loc[fooled, "score"] > trials.loc[fooled, "tau"]).all()
    assert (trials.loc[~fooled, "score"] <= trials.loc[~fooled, "tau"]).all()
    assert set(trials.loc[fooled & (trials["step"] <= 12), "objective"]) == {"cross_entropy"}  # which goes first
    later = trials.loc[fooled & (trials["step"] > 12), "objective"]
    assert set(later) <= {"margin"}
    written = json.loads((cell / "metrics.json").read_text())
    assert written["budget"]["fool_gradient.digits.attacks"] == 2
    assert written["budget"]["fool_gradient.digits.updates"] == 12 + 8  # of all attacks in turn
    rate = next(m for m in written["metrics"] if m["metric"] == "fooling_rate@start=mean_image" and m["tau"] == 0.9)
    mine = trials[(trials["start"] == "mean_image") & (trials["tau"] == 0.9)]
    assert rate["reproduced"] == pytest.approx(100 * mine["step"].notna().mean())
    assert trials["score_in_8_bits"].notna().tolist() == fooled.tolist()
    with np.load(cell / "successes.npz") as kept:
        assert kept["trial"].tolist() == np.flatnonzero(fooled).tolist()
        assert (kept["image"].dtype, kept["image"].shape) == (np.uint8, (fooled.sum(), 28, 28))
        first = read_npz(cell / "examples.npz")
        assert first["fooled"][0, 0]
        pixels = 255 * first["image"][0, 0].astype(np.float64)
        np.testing.assert_array_equal(kept["image"][0], np.rint(pixels))  # the first of noise and 0
        for seed in (0, 1):  # the score of the picture, by the network that it fooled
            network, _ = registry.load(workspace / weights.weights_path("digits", "cnn", seed), seed=seed)
            rows = np.flatnonzero(fooled & (trials["seed"] == seed))
            pictures = kept["image"][np.isin(kept["trial"], rows)] / 255
            found = scores_of_images(network, pictures, np.zeros(len(rows)), beta=0.0, probes=1)
            score = found[np.arange(len(rows)), trials.loc[rows, "target"]]
            np.testing.assert_allclose(trials.loc[rows, "score_in_8_bits"], score, atol=1e-6)
    assert (trials["score_in_8_bits"] != trials["score"])[fooled].any()
    same = trials.dropna(subset="source").groupby(["seed", "target", "trial"])["source"].nunique()
    assert (same == 1).all()  # the attacks at every threshold start from the same image
