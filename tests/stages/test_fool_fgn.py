"""The stage fool_fgn on the tiny study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from overgen.attacks.attacked import Block
from overgen.measures.accuracy import accuracy_rows
from overgen.measures.outputs import scores_of_images
from overgen.models import registry, weights
from overgen.run.files import read_json, read_npz
from overgen.stages.fool_fgn import summary as fool_fgn_summary
from overgen.stages.fool_fgn import trials

from workspace import Study


def test_every_trial_is_in_the_evidence(study: Study) -> None:
    """The rates in metrics.json are those of the rows in trials.csv."""
    cell = study.cell("fool_fgn", "cnn")
    for model, updates in (("cnn", 3), ("dae_sym", 2)):  # by model, as params.yaml says
        written = read_json(study.cell("fool_fgn", model) / "metrics.json")
        assert written["budget"]["fool_fgn.digits.updates"] == updates
    trials = pd.read_csv(cell / "trials.csv")
    metrics = read_json(cell / "metrics.json")["metrics"]
    rate = next(m for m in metrics if m["metric"] == "fooling_rate" and m["tau"] == 0.9)
    column = next(c for c in trials if c.startswith("step@tau=0.9,"))
    trials = trials.set_index(["seed", "target", "trial"])
    variant, trials = (trials[trials["objective"] == name] for name in ("lr_1e-3", "y"))
    assert len(trials) == len(variant) == 2 * 10 * 1  # seeds × classes × trials
    left = trials[column].isna() & variant[column].isna()  # that go on: at another rate they end elsewhere
    assert left.any()
    assert (trials["final_log_y"] != variant["final_log_y"])[left].all()
    assert rate["reproduced"] == pytest.approx(100 * trials[column].notna().mean())
    assert rate["n"] == len(trials)


def test_every_success_is_saved(study: Study) -> None:
    """A picture for each passage of a trial, of which trials.csv has the score by the network that it fooled."""
    cell = study.cell("fool_fgn", "cnn")
    trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
    metrics = {(m["experiment"], m["metric"], m["tau"]): m for m in read_json(cell / "metrics.json")["metrics"]}
    assert kept["image"].dtype == np.uint16
    assert (kept["score"] > kept["tau"] - 1e-5).all()  # 16 bits are enough
    for tau in (0.9, 0.99):
        passed, score = trials[f"step@tau={tau},alpha=0"].notna(), trials[f"score_in_8_bits@tau={tau},alpha=0"]
        assert passed.any()
        assert score.notna().tolist() == passed.tolist()
        at_tau = kept["tau"] == tau
        in_16_bits = trials[f"score_in_16_bits@tau={tau},alpha=0"]
        assert in_16_bits.dropna().tolist() == kept["score"][at_tau].tolist()  # as which the images are saved
        assert in_16_bits.notna().tolist() == passed.tolist()
        assert kept["trial"][at_tau].tolist() == np.flatnonzero(passed).tolist()
        for seed in (0, 1):
            network, _ = registry.load(study.root / weights.weights_path("digits", "cnn", seed))
            rows = kept["trial"][at_tau][trials.loc[kept["trial"][at_tau], "seed"] == seed]
            of_seed = at_tau & np.isin(kept["trial"], rows)
            images = kept["image"][of_seed] / 65535
            for stored, shown in ((kept["score"][of_seed], images), (score[rows], np.rint(images * 255) / 255)):
                again = scores_of_images(network, shown, np.zeros(len(rows)), beta=0.0, probes=1)
                np.testing.assert_allclose(stored, again[np.arange(len(rows)), trials.loc[rows, "target"]], atol=1e-6)
        variant = trials["objective"] == "lr_1e-3"
        rate = metrics["fgn_lr_1e-3", "fooling_rate_in_8_bits", tau]
        assert rate["reproduced"] == pytest.approx(100 * (score[variant] > tau).mean())


PAIRS = [(0.9, 20.0), (0.99, 3.0), (0.99, 2.0)]


def test_fooling_rates_and_steps_by_hand() -> None:
    pairs = [(0.9, 20.0), (0.99, 3.0)]
    y, scaled, fast = (trials.Attack(*each, {}) for each in (("y", None), ("scaled", 3.0), ("lr_1e-3", None)))
    each = [(0, 0), (1, 0), (2, 0), (3, 0)]
    blocks = [Block("a", 0, y, each), Block("b", 0, scaled, each[:2]), Block("c", 0, fast, each)]
    image = np.arange(8)[:, None].repeat(784, 1).reshape(4, 2, 784)  # a grey for each trial and pair
    passage = {"image": image, "log_y": np.zeros(4), "distance": np.ones(4), "gamma": np.ones(4)}
    passages = [
        passage | {"step": np.array([[5, 9], [7, -1], [-1, -1], [0, 3]])},
        {k: v[:2] for k, v in passage.items()} | {"step": np.array([[-1], [40]]), "image": image[:2, :1]},
        passage | {"step": np.array([[1, 2], [2, -1], [3, 4], [4, 6]])},
    ]
    table, images = trials.gather(blocks, passages, pairs, 784)
    assert images.shape == (10, 2, 784)
    assert np.isnan(images[4:6, 0]).all()  # the attack on ỹ at α = 3 is not judged at the other
    assert images[4:6, 1, 0].tolist() == [0, 2]
    hits = trials.hits_of(table, pairs)
    assert hits.loc[hits["tau"] == 0.9, "trial"].tolist() == [0, 1, 3, 6, 7, 8, 9]
    late = hits[hits["tau"] == 0.99]
    assert late[["trial", "target", "alpha", "pair"]].to_numpy().tolist() == [
        [0, 0, 3, 1], [3, 3, 3, 1], [5, 1, 3, 1], [6, 0, 3, 1], [8, 2, 3, 1], [9, 3, 3, 1]
    ]  # fmt: skip
    assert images[late["trial"], late["pair"], 0].tolist() == [1, 7, 2, 1, 5, 7]
    table["score_in_8_bits@tau=0.9,alpha=20"] = [0.95, 0.9, np.nan, 0.8, *[np.nan] * 6]
    table["score_in_8_bits@tau=0.99,alpha=3"] = np.nan
    rows = {(r["experiment"], r["metric"], r["tau"]): r for r in fool_fgn_summary.fooling_rows(table, pairs)}
    assert rows["fgn", "fooling_rate", 0.9]["reproduced"] == 75
    assert rows["fgn", "mean_steps_to_fool", 0.9]["reproduced"] == 4
    assert rows["fgn", "fooling_rate_in_8_bits", 0.9]["reproduced"] == 25  # 0.9 is not above 0.9
    assert rows["fgn", "fooling_rate_in_8_bits", 0.99]["reproduced"] == 0
    classes = [rows["fgn", "classes_fooled", tau] for tau in (0.9, 0.99)]
    assert [(row["reproduced"], row["n"]) for row in classes] == [(3, 4), (2, 4)]
    over = rows["fgn", "fooling_rate_over_classes", 0.9]
    rates = [100, 100, 0, 100]
    low, high = stats.t.interval(0.95, 3, np.mean(rates), stats.sem(rates))
    assert (over["reproduced"], over["low"], over["high"], over["n"]) == (75, pytest.approx(max(low, 0)), 100, 4)
    assert high > 100
    alike = rows["fgn_lr_1e-3", "fooling_rate_over_classes", 0.9]
    assert (alike["reproduced"], alike["low"], alike["note"]) == (100, None, "the same in all classes")
    assert rows["fgn", "fooling_rate", 0.99]["reproduced"] == 50
    assert rows["fgn", "mean_steps_to_fool", 0.99]["reproduced"] == 6
    assert rows["fgn_on_scaled_output", "fooling_rate", 0.99]["reproduced"] == 50
    assert rows["fgn_on_scaled_output", "mean_steps_to_fool", 0.99]["reproduced"] == 40
    assert ("fgn_on_scaled_output", "fooling_rate", 0.9) not in rows
    assert rows["fgn_lr_1e-3", "fooling_rate", 0.9]["reproduced"] == 100
    assert rows["fgn_lr_1e-3", "mean_steps_to_fool", 0.99]["reproduced"] == 4
    outcome = trials.Outcome(table, images, {})
    shown = fool_fgn_summary.examples(outcome, pairs, range(2), (1, 28, 28), beta=10.0)
    assert "target" not in shown
    assert fool_fgn_summary.examples(outcome, pairs, [1], (1, 28, 28), beta=10.0)["target"].tolist() == [1]
    assert shown["objective"].tolist() == ["y", "scaled"]  # not the variants


def test_accuracy_and_curvature_rows_by_hand(outputs: dict[str, np.ndarray]) -> None:
    stored = {k: v[:1] for k, v in outputs.items() if k not in ("labels", "known")}
    stored |= {"labels": outputs["labels"], "seeds": np.array([0])}
    rows = accuracy_rows(stored, PAIRS, beta=10.0)
    assert [(r["metric"], r["tau"], r["reproduced"]) for r in rows] == [
        ("thresholded_accuracy", 0.0, 75.0),
        ("thresholded_accuracy", 0.9, 50.0),
        ("thresholded_accuracy", 0.99, 0.0),
        ("thresholded_accuracy@alpha=2", 0.99, 0.0),
    ]
    stored["gamma"] = np.array([[-1.0, 0.0, 0.5, 0.1]])
    test, attacked = fool_fgn_summary.curvature_rows(
        stored, pd.DataFrame({"seed": 0, "final_gamma": [-1.0, 0.2, -3, -2]})
    )
    assert (test["reproduced"], attacked["reproduced"]) == (50, 25)
