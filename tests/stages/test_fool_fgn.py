"""The stage fool_fgn on the tiny study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from overgen.measures.outputs import scores_of_images
from overgen.models import registry, weights
from overgen.run.files import read_json, read_npz

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
